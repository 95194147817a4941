//! Convolutions over height and width, or over time.
//!
//! Time is the width of an image of height 1. Keras's kernels end with the
//! channels of the input and the output; libtorch's begin with them.

mod conv;
mod depthwise;
mod separable;
mod window;

use tch::{Device, TchError, Tensor};

pub(super) use self::conv::Conv;
pub(super) use self::depthwise::DepthwiseConv2d;
pub(super) use self::separable::SeparableConv2d;
pub(super) use self::window::Window;

/// Convolves images with channels first.
///
/// - `images`: `[batch, channels, height, width]`
/// - `kernel`: `[filters, channels / groups, height, width]`
/// - `groups`: parts of the channels that know nothing of each other
///
/// Returns `[batch, filters, height', width']`.
fn convolve(
    images: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
    window: Window,
    groups: i64,
) -> Result<Tensor, TchError> {
    let (images, padding) = window.pad(images, 0.0)?;
    images.f_conv2d(kernel, bias, window.strides, padding, window.dilation, groups)
}

/// `[batch, height, width, channels]` to `[batch, channels, height, width]`, in
/// the order of memory that is the fastest to convolve.
fn channels_first(input: &Tensor) -> Result<Tensor, TchError> {
    let images = input.f_permute([0, 3, 1, 2])?;
    if images.device() == Device::Cpu {
        // oneDNN takes three times as long for a kernel's gradient where
        // several channels come last; the copy costs far less.
        return images.f_contiguous();
    }
    Ok(images)
}

/// `[batch, channels, height, width]` to `[batch, height, width, channels]`.
fn channels_last(images: &Tensor) -> Result<Tensor, TchError> {
    images.f_permute([0, 2, 3, 1])
}

/// A depthwise kernel `[height, width, channels, multiplier]` as libtorch has
/// it, `[channels · multiplier, 1, height, width]`: in both, the outputs of one
/// channel stand side by side.
fn one_group_a_channel(kernel: &Tensor) -> Result<Tensor, TchError> {
    kernel.f_permute([2, 3, 0, 1])?.f_flatten(0, 1)?.f_unsqueeze(1)
}
