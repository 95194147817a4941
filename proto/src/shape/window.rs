//! Windows that slide: pools, and the sizes that convolutions share with them.

use super::fault::{Fault, image, padding, positive, sequence, size};
use super::{Made, display_shape};
use crate::v1::{GlobalPool, Padding, Pool1d, Pool2d, Reduction};

/// A window over one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// What it covers, holes of a dilated kernel included.
    pub(super) span: u64,
    pub(super) stride: u32,
    pub(super) padding: Padding,
}

impl Window {
    /// How many places the window has on an axis; `None` if it does not fit.
    pub(super) fn slide(self, input: u32) -> Option<u32> {
        match self.padding {
            Padding::Same | Padding::Causal => Some(input.div_ceil(self.stride)),
            Padding::Valid => {
                let rest = u64::from(input).checked_sub(self.span)?;
                u32::try_from(rest / u64::from(self.stride) + 1).ok()
            }
        }
    }
}

/// What a dilated kernel covers.
pub(super) fn span(kernel: u32, dilation: u32) -> u64 {
    // At most (2^32 - 1)^2 + 1, which fits.
    u64::from(dilation) * (u64::from(kernel) - 1) + 1
}

/// (h, w, c) -> (h', w', c)
pub(super) fn pool2d(options: &Pool2d, input: &[u32]) -> Result<Made, Fault> {
    let (word, kind) = match reduction(options.reduction)? {
        Reduction::Max => ("max_pool2d", "MaxPooling2D"),
        Reduction::Average => ("avg_pool2d", "AveragePooling2D"),
    };
    let [height, width, channels] = image(word, input)?;
    let pool = size("pool", options.pool)?;
    let strides = size("strides", options.strides)?;
    let padding = not_causal(options.padding)?;
    let places = |axis: usize, size| {
        Window { span: u64::from(pool[axis]), stride: strides[axis], padding }.slide(size)
    };
    let (Some(height), Some(width)) = (places(0, height), places(1, width)) else {
        return Err(Fault::too_small(&format!("pool {}", display_shape(&pool)), input));
    };
    Ok(pooled(kind, &[height, width, channels], options.reduction))
}

/// (time, c) -> (time', c)
pub(super) fn pool1d(options: &Pool1d, input: &[u32]) -> Result<Made, Fault> {
    let (word, kind) = match reduction(options.reduction)? {
        Reduction::Max => ("max_pool1d", "MaxPooling1D"),
        Reduction::Average => ("avg_pool1d", "AveragePooling1D"),
    };
    let [time, channels] = sequence(word, input)?;
    positive("pool", options.pool)?;
    positive("strides", options.strides)?;
    let padding = not_causal(options.padding)?;
    let window = Window { span: u64::from(options.pool), stride: options.strides, padding };
    let time = window
        .slide(time)
        .ok_or_else(|| Fault::too_small(&format!("pool {}", options.pool), input))?;
    Ok(pooled(kind, &[time, channels], options.reduction))
}

/// (..., c) -> (c)
pub(super) fn global_pool(options: &GlobalPool, rank: &str, channels: u32) -> Result<Made, Fault> {
    let kind = match (reduction(options.reduction)?, rank) {
        (Reduction::Max, "1D") => "GlobalMaxPooling1D",
        (Reduction::Average, "1D") => "GlobalAveragePooling1D",
        (Reduction::Max, _) => "GlobalMaxPooling2D",
        (Reduction::Average, _) => "GlobalAveragePooling2D",
    };
    Ok(Made::new(kind, &[channels]))
}

/// A maximum remembers, in eight bytes, where it was.
fn pooled(kind: &'static str, shape: &[u32], reduction: i32) -> Made {
    let made = Made::new(kind, shape);
    if reduction == i32::from(Reduction::Max) { made.keeping_times(3) } else { made }
}

fn reduction(value: i32) -> Result<Reduction, Fault> {
    Reduction::try_from(value).map_err(|_| Fault::unknown("kind of pool"))
}

/// Padding of what does not go along time.
pub(super) fn not_causal(value: i32) -> Result<Padding, Fault> {
    match padding(value)? {
        Padding::Causal => {
            Err(Fault::new("`padding: causal` is for `conv1d` only").hint("use `same` or `valid`"))
        }
        other @ (Padding::Same | Padding::Valid) => Ok(other),
    }
}
