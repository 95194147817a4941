//! Arrays as NumPy writes them, and as nobody should.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::data::Quiet;
use crate::data::npy::tests::{read_f32, read_u8};

fn testdata(name: &str) -> PathBuf {
    testing::folder().join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(testdata(name)).unwrap()
}

/// The value that all arrays of examples have at a flat index.
fn value(index: usize) -> f32 {
    ((7 * index) % 120) as f32
}

fn apart(x: &str, y: &str, groups: Option<&str>) -> ArraySettings {
    let files = ArrayFiles::Apart { x: testdata(x), y: testdata(y), groups: groups.map(testdata) };
    ArraySettings { files, names: None }
}

fn archive(file: &str, x: &str, y: &str) -> ArraySettings {
    let (x, y) = (x.to_owned(), y.to_owned());
    let files = ArrayFiles::Archive { file: testdata(file), x, y, groups: None };
    ArraySettings { files, names: None }
}

/// Files in a folder of their own, and a cache.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn read(
        &self,
        settings: &ArraySettings,
        classes: Option<&[&str]>,
    ) -> Result<Arrays, DataError> {
        let classes: Option<Vec<String>> =
            classes.map(|classes| classes.iter().map(|&class| class.to_owned()).collect());
        Arrays::read(settings, classes.as_deref(), &self.cache(), &Quiet)
    }

    fn write(&self, arrays: &Arrays) -> Result<(PathBuf, Outcome), DataError> {
        let path = self.folder.path().join("out.npy");
        arrays.write(&path, &Quiet).map(|outcome| (path, outcome))
    }

    /// A file of an array of type `descr` and a shape, with these values.
    fn npy(&self, name: &str, descr: &str, shape: &str, values: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, npy(descr, shape, values)).unwrap();
        path
    }
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(values);
    bytes
}

fn message(result: Result<Arrays, DataError>) -> (String, Option<String>) {
    let error = result.unwrap_err();
    (error.to_string().replace(&testdata("").display().to_string(), ""), error.hint())
}

#[test]
fn what_numpy_writes_is_read() {
    #[derive(Deserialize)]
    struct Case {
        shape: Vec<u64>,
        bool: bool,
    }
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&bytes("cases.json")).unwrap();
    assert_eq!(cases.len(), 54);
    for (name, case) in cases {
        let (shape, values) = read_all(&bytes(&name), None).unwrap();
        assert_eq!(shape, case.shape, "{name}");
        let expected: Vec<f32> = (0..values.len())
            .map(|index| if case.bool { value(index).min(1.0) } else { value(index) })
            .collect();
        assert_eq!(values, expected, "{name}");
        assert_eq!(values.len() as u64, shape.iter().product::<u64>(), "{name}");
    }
}

#[test]
fn archives_are_read_in_any_order() {
    let expected: Vec<f32> = (0..120).map(value).collect();
    for name in ["stored", "deflated", "stored_fortran", "deflated_fortran"] {
        let (shape, values) = read_all(&bytes(&format!("{name}.npz")), Some("x")).unwrap();
        assert_eq!((shape, &values), (vec![12, 2, 5], &expected), "{name}");

        let place = Place::new();
        let arrays = place.read(&archive(&format!("{name}.npz"), "x", "y"), None).unwrap();
        assert_eq!(arrays.classes(), ["0", "1", "2"]);
        assert_eq!(Input::tracks(&arrays), if name.contains('_') { "rows" } else { "groups" });
        let (path, outcome) = place.write(&arrays).unwrap();
        assert_eq!(read_f32(&path), (vec![12, 2, 5], expected.clone()));
        assert_eq!(outcome.groups.len(), 12);
    }
}

#[test]
fn labels_are_classes_however_they_are_written() {
    let place = Place::new();
    let classes = |y: &str| {
        let arrays = place.read(&apart("type_3.npy", y, None), None);
        // Twelve labels do not fit four rows.
        let (message, hint) = message(arrays);
        assert_eq!(message, format!("`{y}`: has 12 rows, and `x` has 4"));
        assert_eq!(hint.unwrap(), "each row of `x` has its own label");
        let (mut file, array) = Located { path: testdata(y), member: None }.array(3).unwrap();
        let labels = Labels::read(&array, &mut file, &place.cache(), 10).unwrap();
        (labels.names.shown(), labels.rows)
    };
    let rows: Vec<u32> = (0..12).map(|row| row % 3).collect();
    let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
    for y in ["y_i8.npy", "y_f4.npy", "y_column.npy", "y_one_hot.npy", "y_one_hot_fortran.npy"] {
        assert_eq!(classes(y), (names(["0", "1", "2"]), rows.clone()), "{y}");
    }
    // By value, not by the alphabet.
    assert_eq!(classes("y_tens.npy"), (names(["0", "5", "10"]), rows.clone()));
    for y in ["y_text.npy", "y_big_text.npy", "y_bytes.npy"] {
        assert_eq!(classes(y), (names(["blues", "jäzz", "r"]), rows.clone()), "{y}");
    }
    let (names, rows) = classes("y_bool.npy");
    assert_eq!(names, ["0", "1"]);
    assert_eq!(rows[..4], [0, 1, 0, 0]);
}

/// Twelve rows of `[i, i]`, f64.
fn twelve(place: &Place) -> PathBuf {
    let values: Vec<u8> = (0..24).flat_map(|index| f64::from(index / 2).to_le_bytes()).collect();
    place.npy("x.npy", "<f8", "(12, 2)", &values)
}

#[test]
fn groups_are_tracks() {
    let place = Place::new();
    for (groups, first) in [("groups.npy", "group 0"), ("groups_text.npy", "group song 0")] {
        let mut settings = apart("", "y_text.npy", Some(groups));
        let ArrayFiles::Apart { x, .. } = &mut settings.files else { unreachable!() };
        *x = twelve(&place);
        let arrays = place.read(&settings, None).unwrap();
        let (_, outcome) = place.write(&arrays).unwrap();
        assert_eq!(outcome.groups, [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
        assert_eq!(outcome.tracks.len(), 6);
        assert_eq!(outcome.tracks[0].name, first);
        let classes: Vec<usize> = outcome.tracks.iter().map(|track| track.class).collect();
        assert_eq!(classes, [0, 1, 2, 0, 1, 2]);
    }
    // A group of two classes cannot be on one side as both.
    let mut settings = apart("", "y_text.npy", Some("y_bool.npy"));
    let ArrayFiles::Apart { x, .. } = &mut settings.files else { unreachable!() };
    *x = twelve(&place);
    let arrays = place.read(&settings, None).unwrap();
    let error = place.write(&arrays).unwrap_err();
    assert!(
        error.to_string().ends_with("has rows of two classes in group `0`: blues and r"),
        "{error}"
    );
}

#[test]
fn only_rows_of_the_asked_classes_are_used() {
    let place = Place::new();
    let mut settings = apart("", "y_tens.npy", None);
    let ArrayFiles::Apart { x, .. } = &mut settings.files else { unreachable!() };
    *x = twelve(&place);
    let arrays = place.read(&settings, Some(&["5", "10"])).unwrap();
    assert_eq!(arrays.classes(), ["5", "10"]);
    let (path, outcome) = place.write(&arrays).unwrap();
    let (shape, values) = read_f32(&path);
    assert_eq!(shape, [8, 2]);
    assert_eq!(values[..6], [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
    assert_eq!((outcome.tracks[2].name.as_str(), outcome.tracks[2].class), ("row 4", 0));

    let (text, hint) = message(place.read(&settings, Some(&["5", "7"])));
    assert_eq!(text, "`y_tens.npy`: has no row of class `7`");
    assert_eq!(hint.unwrap(), "did you mean `0`?");
    let (text, _) = message(place.read(&settings, Some(&["5"])));
    assert!(text.ends_with("has rows of one class only, `5`"), "{text}");
}

#[test]
fn numbers_may_have_names() {
    let place = Place::new();
    let mut settings = apart("", "y_i8.npy", None);
    let ArrayFiles::Apart { x, .. } = &mut settings.files else { unreachable!() };
    *x = twelve(&place);
    let with = |names: &[&str], classes| {
        let names = Some(names.iter().map(|&name| name.to_owned()).collect());
        place.read(&ArraySettings { names, ..settings.clone() }, classes)
    };
    let arrays = with(&["rock", "blues", "jazz"], None).unwrap();
    assert_eq!(arrays.classes(), ["rock", "blues", "jazz"]);
    assert_eq!(arrays.rows[..4], [Some(0), Some(1), Some(2), Some(0)]);
    let arrays = with(&["rock", "blues", "jazz"], Some(&["jazz", "rock"])).unwrap();
    assert_eq!(arrays.classes(), ["rock", "jazz"]);
    assert_eq!(arrays.rows[..4], [Some(0), None, Some(1), Some(0)]);
    let (text, hint) = message(with(&["rock", "blues"], None));
    assert_eq!(text, "`y_i8.npy`: holds 2, and `names` names 0 to 1");
    assert_eq!(hint.unwrap(), "name all classes in the order of their numbers, from 0");
}

#[test]
fn pixels_stay_pixels() {
    let place = Place::new();
    let settings = |descr: &str, values: &[u8]| {
        let y = place.npy("y.npy", "|u1", "(2,)", &[0, 1]);
        let x = place.npy("x.npy", descr, "(2, 1, 2, 1)", values);
        ArraySettings { files: ArrayFiles::Apart { x, y, groups: None }, names: None }
    };
    for (descr, values, expected) in
        [("|u1", [1, 255, 0, 9], [1, 255, 0, 9]), ("|b1", [1, 0, 2, 1], [1, 0, 1, 1])]
    {
        let arrays = place.read(&settings(descr, &values), None).unwrap();
        assert_eq!(arrays.dtype(), Dtype::U8);
        let (path, _) = place.write(&arrays).unwrap();
        assert_eq!(read_u8(&path), (vec![2, 1, 2, 1], expected.to_vec()));
    }
}

#[test]
fn what_cannot_be_examples_is_refused_with_what_to_do() {
    let place = Place::new();
    for (x, problem, hint) in [
        ("objects", "holds Python objects", "x.astype(np.float32)"),
        ("complex", "holds values of type `<c8`", "x.astype(np.float32)"),
        ("dates", "holds values of type `<M8[ns]`", "x.astype(np.float32)"),
        ("long", "holds values of type `<f16`", "x.astype(np.float32)"),
        ("records", "holds records of several fields", "a column for each field"),
        ("scalar", "is a single value", ""),
        (
            "flat",
            "has shape (6,): an example is a row of it, and that is a single number",
            "x.reshape(-1, 1)",
        ),
        ("deep", "has shape (2, 1, 1, 1, 3), and 4 lengths are the most", "x.reshape(len(x)"),
        ("empty", "has no rows", ""),
        ("hollow", "has rows without values: its shape is (3, 0)", ""),
        ("y_text", "holds text, and examples are numbers", "labels go into `y`"),
        ("nowhere", "does not exist", "relative to where `sweep` is started"),
    ] {
        let (text, found) =
            message(place.read(&apart(&format!("{x}.npy"), "y_i8.npy", None), None));
        assert_eq!(text, format!("`{x}.npy`: {problem}"));
        assert!(found.unwrap_or_default().contains(hint), "{x}");
    }
    let (text, hint) = message(place.read(&apart("stored.npz", "y_i8.npy", None), None));
    assert_eq!(text, "`stored.npz`: is no .npy file");
    assert_eq!(hint.unwrap(), "write `npy: {file: F}` for an archive of arrays");
    let (text, _) = message(place.read(&archive("y_i8.npy", "x", "y"), None));
    assert!(text.starts_with("`y_i8.npy`: cannot be read as an .npz file: "), "{text}");
    let (text, hint) = message(place.read(&archive("renamed.npz", "x", "y"), None));
    assert_eq!(text, "`renamed.npz`: has no array `x`");
    assert_eq!(
        hint.unwrap(),
        "it has `X_train`, `y_train`; name another one with `npy: {file: F, x: X_train}`"
    );
    assert!(place.read(&archive("renamed.npz", "X_train", "y_train"), None).is_ok());
}

#[test]
fn values_of_no_use_are_named_by_their_index() {
    let place = Place::new();
    let y = place.npy("y.npy", "|u1", "(2,)", &[0, 1]);
    let read = |descr: &str, values: &[u8]| {
        let x = place.npy("x.npy", descr, "(2, 3)", values);
        let files = ArrayFiles::Apart { x, y: y.clone(), groups: None };
        let arrays = place.read(&ArraySettings { files, names: None }, None).unwrap();
        place.write(&arrays).map(drop).unwrap_err().to_string()
    };
    for (bad, shown) in [(f64::NAN, "nan"), (f64::NEG_INFINITY, "-inf"), (1e39, "1")] {
        let mut values = [0.0; 6];
        values[5] = bad;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let text = read("<f8", &bytes);
        assert!(text.contains(&format!("x.npy`: holds {shown}")), "{text}");
        assert!(text.ends_with(" at [1, 2], which is no finite number of single precision"));
    }

    let x = twelve(&place);
    let labels = |descr: &str, shape: &str, values: &[u8]| {
        let y = place.npy("y.npy", descr, shape, values);
        let files = ArrayFiles::Apart { x: x.clone(), y, groups: None };
        let text = place.read(&ArraySettings { files, names: None }, None).unwrap_err().to_string();
        text.split_once("y.npy`: ").unwrap().1.to_owned()
    };
    let with = |bad: f32| -> Vec<u8> {
        (0..12).flat_map(|row| if row == 7 { bad } else { 1.0 }.to_le_bytes()).collect()
    };
    let what = "which is no whole number and no text";
    assert_eq!(labels("<f4", "(12,)", &with(f32::NAN)), format!("holds nan at [7], {what}"));
    assert_eq!(labels("<f4", "(12, 1)", &with(0.5)), format!("holds 0.5 at [7, 0], {what}"));
    let mut one_hot: Vec<u8> = [1, 0].repeat(12);
    one_hot[9] = 1;
    assert_eq!(
        labels("|u1", "(12, 2)", &one_hot),
        "has a row without a single 1 among zeros: row 4"
    );
    assert_eq!(
        labels("|u1", "(12, 2, 1)", &one_hot),
        "has shape (12, 2, 1), and labels are one for each row"
    );
    assert_eq!(
        labels("|S1", "(12, 2)", &one_hot),
        "has shape (12, 2), and labels are one for each row"
    );
}

#[test]
fn headers_that_lie_cost_nothing() {
    let place = Place::new();
    let y = place.npy("y.npy", "|u1", "(2,)", &[0, 1]);
    let read = |shape: &str, values: &[u8]| {
        let x = place.npy("x.npy", "<f4", shape, values);
        let files = ArrayFiles::Apart { x, y: y.clone(), groups: None };
        let text = place.read(&ArraySettings { files, names: None }, None).unwrap_err().to_string();
        text.split_once("x.npy`: ").unwrap().1.to_owned()
    };
    assert_eq!(
        read("(2, 3)", &[0; 23]),
        "is cut off: its header speaks of 24 bytes of values, and there are 23"
    );
    assert_eq!(
        read("(2, 3)", &[0; 25]),
        "goes on after the 24 bytes of values that its header speaks of"
    );
    assert!(read("(1000000000, 1000)", &[0; 9]).starts_with("is cut off"));
    assert!(read("(1000000000000, 1000000000000)", &[]).ends_with("which is too large"));
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let place = Place::new();
    let y = place.npy("y.npy", "|u1", "(2,)", &[0, 1]);
    let x = place.npy("x.npy", "|u1", "(2, 2)", &[1, 2, 3, 4]);
    let files = ArrayFiles::Apart { x, y, groups: None };
    let arrays = place.read(&ArraySettings { files, names: None }, None).unwrap();
    place.write(&arrays).unwrap();
    place.npy("x.npy", "|u1", "(2, 2)", &[1, 2, 3, 5]);
    let error = place.write(&arrays).unwrap_err();
    assert!(matches!(error, DataError::Changed { .. }), "{error}");
}

/// Rows that fill several blocks, in both orders.
#[test]
fn large_arrays_come_in_blocks() {
    let (rows, columns) = (3000_usize, 700_usize);
    let at = |row: usize, column: usize| ((row * 31 + column) % 1000) as f32;
    let c: Vec<u8> =
        (0..rows * columns).flat_map(|i| at(i / columns, i % columns).to_le_bytes()).collect();
    let fortran: Vec<u8> =
        (0..rows * columns).flat_map(|i| at(i % rows, i / rows).to_le_bytes()).collect();
    let shape = format!("({rows}, {columns})");
    let c = npy("<f4", &shape, &c);
    let mut fortran = npy("<f4", &shape, &fortran);
    let place = fortran.windows(5).position(|word| word == b"False").unwrap();
    fortran.splice(place..place + 5, *b"True ");
    let read = |bytes: &[u8]| {
        let mut reader = io::Cursor::new(bytes);
        let array = Array::open(&mut reader, None, 3).unwrap();
        let (mut numbers, mut calls) = (Vec::new(), 0);
        array
            .each_block(&mut reader, Path::new("."), |block| {
                assert_eq!(block.first * columns as u64, numbers.len() as u64);
                f32::convert(array.header.values, block.bytes, &mut numbers).unwrap();
                calls += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(calls, blocks::count(&array.header));
        (numbers, calls)
    };
    let (numbers, calls) = read(&c);
    assert_eq!(calls, 3);
    assert_eq!(numbers[columns * 7 + 3], at(7, 3));
    assert!(read(&fortran).0 == numbers);
}

/// As NumPy does, which says "Bad CRC-32".
#[test]
fn damage_within_an_archive_is_noticed_by_its_checksum() {
    for name in ["stored.npz", "stored_fortran.npz"] {
        let mut bytes = bytes(name);
        let header = bytes.windows(6).position(|window| window == b"\x93NUMPY").unwrap();
        bytes[header + 128] ^= 1;
        let problem = read_all(&bytes, Some("x")).unwrap_err();
        assert_eq!(problem.to_string(), "cannot be read: Invalid checksum", "{name}");
        testing::repair_checksums(&mut bytes);
        assert_eq!(read_all(&bytes, Some("x")).unwrap().0, [12, 2, 5], "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&bytes, None);
        let _ = read_all(&bytes, Some("x"));
    }
}
