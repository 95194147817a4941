//! One image: from the bytes of a PNG or JPEG file to numbers of one size.
//!
//! The same as Pillow, and so as Keras's `load_img`: transparency is dropped,
//! not blended; grey is weighed as in ITU-R 601; then the image is resized with
//! a triangle filter that widens where the image shrinks (`BILINEAR`). Pixels
//! stay whole numbers in 0..=255. Bytes are never trusted: whatever they say,
//! the result is pixels or a reason.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, ImageReader, Limits, Luma};

use super::files::{Examples, Extractor};
use super::panics;
use crate::data::{Channels, ImageSettings};

/// Longest side of an image that is read, in pixels.
const MAX_SIDE: u32 = 1 << 14;
/// Most bytes that decoding may take, for a header that lies.
const MAX_DECODED_BYTES: u64 = 1 << 29;

/// Makes an example of each image; shared by threads.
pub(in crate::data) struct Images<'a>(pub(in crate::data) &'a ImageSettings);

/// Why an image cannot be used; the `reason` in the manifest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum ImageProblem {
    #[error("the file is empty")]
    EmptyFile,
    #[error("not a PNG or JPEG file")]
    OtherFormat,
    #[error("{0}")]
    Damaged(String),
    #[error("the file makes no sense")]
    Senseless,
}

impl Extractor for Images<'_> {
    type Element = u8;
    type Scratch = ();

    fn phase(&self) -> &'static str {
        "resizing images"
    }

    fn scratch(&self) {}

    fn extract(&self, bytes: &[u8], (): &mut ()) -> Result<Examples<u8>, String> {
        let settings = self.0;
        let image = decode(bytes).map_err(|problem| problem.to_string())?;
        let ImageSettings { height, width, .. } = *settings;
        let values = match settings.channels {
            Channels::Gray => {
                imageops::resize(&gray(&image), width, height, FilterType::Triangle).into_raw()
            }
            Channels::Rgb => {
                imageops::resize(&image.to_rgb8(), width, height, FilterType::Triangle).into_raw()
            }
        };
        Ok(Examples { values, shape: settings.shape(), sound: None })
    }

    fn length_field(&self) -> Option<String> {
        None
    }
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::EmptyFile);
    }
    panics::contain(|| decode_format(bytes)).unwrap_or(Err(ImageProblem::Senseless))
}

fn decode_format(bytes: &[u8]) -> Result<DynamicImage, ImageProblem> {
    let damaged = |problem: &dyn ToString| ImageProblem::Damaged(problem.to_string());
    // What an image is, its content says; names are often wrong.
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| damaged(&error))?;
    // A foreign enum that grows.
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(ImageProblem::OtherFormat);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    reader.decode().map_err(|error| damaged(&error))
}

/// Brightness as Pillow's `convert("L")` computes it.
fn gray(image: &DynamicImage) -> GrayImage {
    if !image.color().has_color() {
        return image.to_luma8();
    }
    let rgb = image.to_rgb8();
    GrayImage::from_fn(rgb.width(), rgb.height(), |x, y| {
        let [red, green, blue] = rgb.get_pixel(x, y).0.map(u32::from);
        // In 65536ths, rounded; 0.299, 0.587 and 0.114 make one.
        let weighed = 19_595 * red + 38_470 * green + 7_471 * blue + 0x8000;
        Luma([(weighed >> 16) as u8])
    })
}

#[cfg(test)]
#[path = "image_tests.rs"]
pub(in crate::data) mod tests;
