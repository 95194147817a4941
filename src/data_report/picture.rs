//! Pictures of numbers: a colour for each, as a PNG within the page.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::data::drawn::Picture;

/// From the least to the greatest: seventeen colours of matplotlib's `magma`,
/// whose brightness rises evenly, also where colours are not told apart.
const COLOURS: [[u8; 3]; 17] = [
    [0, 0, 4],
    [10, 8, 34],
    [29, 17, 71],
    [54, 16, 107],
    [81, 18, 124],
    [106, 28, 129],
    [131, 38, 129],
    [156, 46, 127],
    [183, 55, 121],
    [207, 64, 112],
    [229, 80, 100],
    [244, 105, 92],
    [251, 135, 97],
    [254, 165, 113],
    [254, 194, 135],
    [253, 224, 161],
    [252, 253, 191],
];

/// Most rows of a picture, in pixels.
const MAX_HEIGHT: usize = 256;

/// Colours that differ too little to be told apart only make files larger.
const LEVELS: f64 = 63.0;

/// The colour of a share in [0, 1].
pub(super) fn colour(share: f64) -> [u8; 3] {
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let share = (share * LEVELS).round() / LEVELS;
    let place = share * (COLOURS.len() - 1) as f64;
    let (below, above) = (COLOURS[place.floor() as usize], COLOURS[place.ceil() as usize]);
    let between = |channel: usize| {
        let (from, to) = (f64::from(below[channel]), f64::from(above[channel]));
        (from + (to - from) * place.fract()).round() as u8
    };
    [between(0), between(1), between(2)]
}

/// A picture of a spectrogram, the lowest frequency at the bottom.
///
/// - `range`: what gets the first and the last colour
/// - `at_most`: columns; neighbouring numbers are averaged until they are no
///   more, and so are rows
pub(super) fn heat(picture: &Picture, range: (f64, f64), at_most: usize) -> String {
    let Picture { values, rows, frames } = picture;
    let (width, height) = ((*frames).min(at_most), (*rows).min(MAX_HEIGHT));
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in (0..height).rev() {
        for x in 0..width {
            let (across, along) = (within(x, width, *frames), within(y, height, *rows));
            let count = (across.len() * along.len()) as f64;
            let sum: f64 = along
                .flat_map(|row| &values[row * frames..][across.clone()])
                .map(|&value| f64::from(value))
                .sum();
            pixels.extend(colour((sum / count - range.0) / (range.1 - range.0)));
        }
    }
    png(&pixels, width as u32, height as u32, ExtendedColorType::Rgb8)
}

/// What of `count` numbers goes into one of `parts` pixels.
fn within(part: usize, parts: usize, count: usize) -> Range<usize> {
    part * count / parts..(part + 1) * count / parts
}

/// All colours, the greatest at the top.
pub(super) fn scale() -> String {
    let pixels: Vec<u8> = (0..64).rev().flat_map(|level| colour(f64::from(level) / 63.0)).collect();
    png(&pixels, 1, 64, ExtendedColorType::Rgb8)
}

/// An image as it is, as a PNG within the page.
///
/// - `pixels`: `[height, width, channels]`, C order
pub(super) fn png(pixels: &[u8], width: u32, height: u32, colours: ExtendedColorType) -> String {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter);
    encoder
        .write_image(pixels, width, height, colours)
        .expect("the pixels are as many as the size says, and memory takes everything");
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(uri: &str) -> image::RgbImage {
        let text = uri.strip_prefix("data:image/png;base64,").expect("a PNG");
        let bytes = STANDARD.decode(text).expect("base64");
        image::load_from_memory(&bytes).expect("a PNG").to_rgb8()
    }

    #[test]
    fn brightness_rises_with_the_value() {
        let brightness = |share: f64| {
            let [red, green, blue] = colour(share).map(f64::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        };
        let all: Vec<f64> = (0..64).map(|level| brightness(f64::from(level) / 63.0)).collect();
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!((colour(-1.0), colour(f64::NAN)), (COLOURS[0], COLOURS[0]));
        assert_eq!(colour(2.0), COLOURS[16]);
    }

    #[test]
    fn the_lowest_row_is_at_the_bottom_and_frames_are_averaged() {
        let values = vec![0.0, 0.0, 0.0, 2.0, 1.0, 1.0, 1.0, 1.0];
        let picture = Picture { values, rows: 2, frames: 4 };
        let image = decoded(&heat(&picture, (0.0, 1.0), 2));
        assert_eq!(image.dimensions(), (2, 2));
        assert_eq!(image.get_pixel(0, 1).0, COLOURS[0]);
        assert_eq!(image.get_pixel(1, 1).0, COLOURS[16]);
        assert_eq!(image.get_pixel(0, 0).0, COLOURS[16]);
        assert_eq!(decoded(&heat(&picture, (0.0, 1.0), 9)).dimensions(), (4, 2));
    }
}
