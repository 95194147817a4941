//! Tables, good and bad.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn settings(path: &Path, drop: &[&str]) -> TableSettings {
    TableSettings {
        file: path.to_owned(),
        label: "label".to_owned(),
        drop: drop.iter().map(|&name| name.to_owned()).collect(),
        columns: None,
    }
}

fn with_bytes(bytes: &[u8], drop: &[&str], classes: Option<&[String]>) -> Result<Table, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, bytes).unwrap();
    Table::read(&settings(&path, drop), classes)
}

fn read(text: &str) -> Result<Table, DataError> {
    with_bytes(text.as_bytes(), &["filename"], None)
}

/// Message, without the folder, and hint.
fn said(result: Result<Table, DataError>) -> (String, String) {
    let error = result.unwrap_err();
    let text = error.to_string();
    let (_, text) = text.split_once("t.csv`").unwrap();
    (text.trim_start_matches(": ").to_owned(), error.hint().unwrap_or_default())
}

const GOOD: &str = "\
filename,tempo,label,rms_mean
blues.1.wav,123.5,blues,0.13
\"rock, and roll.wav\",-1e-3,rock,4
blues.2.wav,+7,blues, .5
";

#[test]
fn features_are_all_columns_that_are_not_dropped() {
    for text in [GOOD.to_owned(), GOOD.replace('\n', "\r\n"), format!("\u{feff}{GOOD}")] {
        let table = read(&text).unwrap();
        assert_eq!(table.classes, ["blues", "rock"]);
        assert_eq!(table.features(), 2);
        assert_eq!(table.values, [123.5, 0.13, -1e-3, 4.0, 7.0, 0.5]);
        let classes: Vec<usize> = table.rows.iter().map(|row| row.class).collect();
        assert_eq!(classes, [0, 1, 0]);
    }
}

#[test]
fn only_rows_of_the_asked_classes_are_looked_at() {
    let text = format!("{GOOD}a.wav,1,jazz,2\nb.wav,,polka,?\nc.wav,3,jazz,4\n");
    let classes = ["rock".to_owned(), "jazz".to_owned()];
    let table = with_bytes(text.as_bytes(), &["filename"], Some(&classes)).unwrap();
    assert_eq!(table.classes, ["jazz", "rock"]);
    let rows: Vec<(usize, usize)> = table.rows.iter().map(|row| (row.class, row.number)).collect();
    assert_eq!(rows, [(1, 2), (0, 4), (0, 6)]);
    assert_eq!(table.values, [-1e-3, 4.0, 1.0, 2.0, 3.0, 4.0]);

    let wrong = ["rock".to_owned(), "jaz".to_owned()];
    assert_eq!(
        said(with_bytes(text.as_bytes(), &["filename"], Some(&wrong))),
        (
            "no row has the class `jaz` in column `label`".to_owned(),
            "did you mean `jazz`?".to_owned()
        )
    );
}

#[test]
fn what_is_wrong_is_named_with_column_and_row() {
    for (old, new, message, hint) in [
        (
            "4\n",
            "\n",
            "column `rms_mean` has no value in row 2",
            "fill it in, remove the row, or leave the column out with `drop: [rms_mean]`",
        ),
        (
            ",4\n",
            "\n",
            "column `rms_mean` has no value in row 2",
            "fill it in, remove the row, or leave the column out with `drop: [rms_mean]`",
        ),
        (
            "123.5",
            "fast",
            "column `tempo` holds `fast` in row 1, which is not a finite number",
            "correct it, or leave the column out with `drop: [tempo]`",
        ),
        (
            "123.5",
            "NaN",
            "column `tempo` holds `NaN` in row 1, which is not a finite number",
            "correct it, or leave the column out with `drop: [tempo]`",
        ),
        (
            "123.5",
            "1e39",
            "column `tempo` holds `1e39` in row 1, which is not a finite number",
            "correct it, or leave the column out with `drop: [tempo]`",
        ),
        (
            "rock,4",
            ",4",
            "column `label` has no value in row 2",
            "fill it in, remove the row, or leave the column out with `drop: [label]`",
        ),
        ("tempo,label", "tempo,labels", "has no column `label`", "did you mean `labels`?"),
        (
            "filename,",
            "track,",
            "has no column `filename`",
            "it has `track`, `tempo`, `label`, `rms_mean`",
        ),
        ("tempo,", "rms_mean,", "has two columns `rms_mean`", "give each column a name of its own"),
        (
            "tempo,",
            ",",
            "column 2 has no name",
            "if it holds row numbers, leave it out with `drop: [\"\"]`; else give it a name",
        ),
        (
            "rock,4",
            "blues,4",
            " has rows of one class only, `blues`",
            "two classes are needed to tell apart",
        ),
    ] {
        assert!(GOOD.contains(old), "{old}");
        let said = said(read(&GOOD.replacen(old, new, 1)));
        assert_eq!(said, (message.to_owned(), hint.to_owned()), "{new}");
    }
    let semicolons = said(read(&GOOD.replace(", ", " ").replace('"', "").replace(',', ";")));
    assert_eq!(semicolons.1, "separate the values by commas");
    for (text, message) in [
        ("", "has no rows"),
        ("filename,tempo,label\n", "has no rows"),
        ("filename,label\na,b\nc,d\n", "has no column of features"),
    ] {
        assert_eq!(said(read(text)).0, message, "{text:?}");
    }
}

#[test]
fn a_row_that_is_too_long_is_refused() {
    let (message, hint) = said(read(&GOOD.replace("blues,0.13", "blues,0.13,9")));
    assert!(message.starts_with("cannot be read as CSV: "), "{message}");
    assert!(hint.contains("a value for each column"), "{hint}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let latin_1 = GOOD.replace("rock,4", "r\u{1}ck,4").into_bytes();
    let latin_1: Vec<u8> =
        latin_1.into_iter().map(|byte| if byte == 1 { 0xf6 } else { byte }).collect();
    let (message, _) = said(with_bytes(&latin_1, &["filename"], None));
    assert!(message.starts_with("cannot be read as CSV: "), "{message}");
}

#[test]
fn the_expected_number_of_features_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, GOOD).unwrap();
    let with = |columns| TableSettings { columns, ..settings(&path, &["filename"]) };
    assert!(Table::read(&with(Some(2)), None).is_ok());
    assert_eq!(
        said(Table::read(&with(Some(57)), None)),
        (
            "has 2 columns of features, but `columns` says 57".to_owned(),
            "`drop` what is no feature, or write `columns: 2`".to_owned()
        )
    );
}

#[test]
fn a_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let missing = said(Table::read(&settings(&path, &[]), None));
    assert_eq!(missing.0, "does not exist");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(said(Table::read(&settings(&path, &[]), None)).0, "is not a table: it is a folder");
}
