//! Images against Pillow's, and files that are none.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::data::npy::tests::read_u8;

/// What `scripts/golden/images.py` says about a golden file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    size: [u32; 2],
    channels: usize,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata/images")
}

fn settings([height, width]: [u32; 2], channels: Channels) -> ImageSettings {
    ImageSettings { folder: PathBuf::new(), height, width, channels }
}

/// A PNG of one colour.
pub(in crate::data) fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(width, height, image::Rgb(colour))
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn images_are_pillows() {
    let cases = std::fs::read(testdata().join("cases.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 10);
    for (name, case) in cases {
        let channels = if case.channels == 1 { Channels::Gray } else { Channels::Rgb };
        let settings = settings(case.size, channels);
        let bytes = std::fs::read(testdata().join(&case.file)).unwrap();
        let examples = Images(&settings).extract(&bytes, &mut ()).unwrap();
        let (shape, golden) = read_u8(&testdata().join(format!("{name}.npy")));
        assert_eq!(examples.shape, shape, "{name}");
        // Pillow rounds between the two directions, and decoders of JPEG round
        // where they please.
        let tolerance = if case.file.ends_with("jpg") { 3 } else { 1 };
        let worst =
            examples.values.iter().zip(&golden).map(|(&a, &b)| a.abs_diff(b)).max().unwrap();
        assert!(worst <= tolerance, "{name}: {worst}");
        if name == "same" || name == "weighed" {
            assert_eq!(examples.values, golden, "{name}");
        }
    }
}

#[test]
fn bad_files_have_a_reason() {
    let bytes = |bytes: &[u8]| decode(bytes).unwrap_err();
    assert_eq!(bytes(b""), ImageProblem::EmptyFile);
    assert_eq!(bytes(b"GIF89a"), ImageProblem::OtherFormat);
    assert_eq!(bytes(b"not an image"), ImageProblem::OtherFormat);
    let whole = png(40, 30, [1, 2, 3]);
    assert!(matches!(bytes(&whole[..whole.len() / 2]), ImageProblem::Damaged(_)));
    // A header of 65 536 × 65 536 pixels; its checksum is wrong as well.
    let mut huge = whole.clone();
    huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    assert!(matches!(bytes(&huge), ImageProblem::Damaged(_)));
    let wide = png(MAX_SIDE + 1, 1, [1, 2, 3]);
    assert!(matches!(bytes(&wide), ImageProblem::Damaged(_)));
}

proptest! {
    #[test]
    fn no_change_of_a_file_brings_the_decoder_down(
        is_png: bool,
        changes in prop::collection::vec((0_usize..600, any::<u8>()), 1..12),
        length in 10_usize..1200,
    ) {
        let name = if is_png { "gray.png" } else { "gray.jpg" };
        let mut bytes = std::fs::read(testdata().join(name)).unwrap();
        bytes.truncate(length);
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let settings = settings([4, 4], Channels::Gray);
        if let Ok(examples) = Images(&settings).extract(&bytes, &mut ()) {
            prop_assert_eq!(examples.values.len(), 16);
        }
    }
}
