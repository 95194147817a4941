//! Sizes and padding of sliding windows: what convolution and pooling share.
//!
//! Keras's `same` padding gives `ceil(size / stride)` outputs and, where the
//! zeros do not divide evenly, puts the odd one behind. libtorch pads evenly
//! only, so that an uneven padding becomes a step of its own.

use sweep_proto::v1::{Padding, Size};
use tch::{TchError, Tensor};

use crate::error::LayerError;

/// A pair of numbers for height and width.
pub(super) type Pair = [i64; 2];

/// A window that slides over the height and width of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) size: Pair,
    pub(super) strides: Pair,
    pub(super) dilation: Pair,
    padding: Padding,
}

impl Window {
    /// Reads a window's options, which shape inference has checked.
    pub(super) fn new(
        size: Option<Size>,
        strides: Option<Size>,
        dilation: Option<Size>,
        padding: i32,
    ) -> Result<Self, LayerError> {
        let pair = |size: Option<Size>| {
            size.map_or([1, 1], |size| [i64::from(size.height), i64::from(size.width)])
        };
        let padding = Padding::try_from(padding).map_err(|_| LayerError::Unknown("padding"))?;
        Ok(Self { size: pair(size), strides: pair(strides), dilation: pair(dilation), padding })
    }

    /// Pads images as far as libtorch's windows cannot do it themselves.
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - `value`: what is put around them
    ///
    /// Returns the images, and the even padding that is left to libtorch.
    pub(super) fn pad(&self, images: &Tensor, value: f64) -> Result<(Tensor, Pair), TchError> {
        let (_, _, height, width) = images.size4()?;
        let (top, bottom) = self.padding_of(0, height);
        let (left, right) = self.padding_of(1, width);
        if top == bottom && left == right {
            return Ok((images.shallow_clone(), [top, left]));
        }
        Ok((images.f_pad([left, right, top, bottom], "constant", value)?, [0, 0]))
    }

    /// Zeros before and behind an axis of `size` values.
    fn padding_of(&self, axis: usize, size: i64) -> (i64, i64) {
        match self.padding {
            Padding::Valid => (0, 0),
            Padding::Same | Padding::Causal => {
                let outputs = (size + self.strides[axis] - 1) / self.strides[axis];
                let reach = (self.size[axis] - 1) * self.dilation[axis] + 1;
                let total = ((outputs - 1) * self.strides[axis] + reach - size).max(0);
                (total / 2, total - total / 2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_zero_behind() {
        // (size, window, stride, dilation) -> (before, behind)
        for ((size, window, stride, dilation), expected) in [
            ((5, 3, 1, 1), (1, 1)),
            ((5, 2, 1, 1), (0, 1)),
            ((6, 3, 2, 1), (0, 1)),
            ((7, 3, 2, 1), (1, 1)),
            ((7, 4, 3, 1), (1, 2)),
            ((7, 3, 1, 2), (2, 2)),
            ((4, 1, 3, 1), (0, 0)),
        ] {
            let both = |value: i64| [value, value];
            let window = Window {
                size: both(window),
                strides: both(stride),
                dilation: both(dilation),
                padding: Padding::Same,
            };
            assert_eq!(window.padding_of(1, size), expected, "{size} {window:?}");
        }
    }
}
