//! Sizes and padding of sliding windows: what convolution and pooling share.
//!
//! Keras's `same` padding gives `ceil(size / stride)` outputs and, where the
//! zeros do not divide evenly, puts the odd one behind. libtorch pads evenly
//! only, so that an uneven padding becomes a step of its own.

use sweep_proto::v1::{Padding, Size};
use tch::{TchError, Tensor};

use crate::error::LayerError;

/// A pair of numbers for height and width.
type Pair = [i64; 2];

/// A window that slides over the height and width of an image.
#[derive(Debug, Clone, Copy)]
pub(in crate::network) struct Window {
    pub(in crate::network) size: Pair,
    pub(in crate::network) strides: Pair,
    pub(in crate::network) dilation: Pair,
    padding: Padding,
}

impl Window {
    /// Sees one pixel at a time.
    pub(in crate::network) const PIXEL: Self =
        Self { size: [1, 1], strides: [1, 1], dilation: [1, 1], padding: Padding::Valid };

    /// Reads a window's options, which shape inference has checked.
    pub(in crate::network) fn over_image(
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

    /// A window over time, which is the width of an image of height 1.
    pub(in crate::network) fn over_time(
        size: u32,
        strides: u32,
        dilation: u32,
        padding: i32,
    ) -> Result<Self, LayerError> {
        let wide = |width| Some(Size { height: 1, width });
        Self::over_image(wide(size), wide(strides), wide(dilation), padding)
    }

    /// Pads images as far as libtorch's windows cannot do it themselves.
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - `value`: what is put around them
    ///
    /// Returns the images, and the even padding that is left to libtorch.
    pub(in crate::network) fn pad(
        &self,
        images: &Tensor,
        value: f64,
    ) -> Result<(Tensor, Pair), TchError> {
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
        // What is absurd becomes so large that libtorch refuses it.
        let reach = (self.size[axis] - 1).saturating_mul(self.dilation[axis]);
        match self.padding {
            Padding::Valid => (0, 0),
            Padding::Causal => (reach, 0),
            Padding::Same => {
                let stride = self.strides[axis];
                let outputs = (size + stride - 1) / stride;
                let covered = ((outputs - 1) * stride + 1).saturating_add(reach);
                let total = (covered - size).max(0);
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

    #[test]
    fn causal_padding_stands_before() {
        let causal = Padding::Causal.into();
        let window = Window::over_time(3, 1, 4, causal).expect("known");
        assert_eq!((window.padding_of(0, 1), window.padding_of(1, 9)), ((0, 0), (8, 0)));
    }

    #[test]
    fn absurd_dilations_do_not_overflow() {
        let window = Window::over_time(u32::MAX, 1, u32::MAX, Padding::Same.into());
        let (before, behind) = window.expect("known").padding_of(1, 5);
        assert!(before > 1 << 60 && behind > 1 << 60);
    }
}
