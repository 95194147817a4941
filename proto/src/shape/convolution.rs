//! Convolutions: output sizes and numbers of weights.

use super::fault::{Fault, image, padding, positive, sequence, size};
use super::window::{Window, not_causal, span};
use super::{Made, display_shape, values};
use crate::v1::{Conv1d, Conv2d, DepthwiseConv2d, SeparableConv2d, Size};

/// (h, w, c) -> (h', w', filters)
pub(super) fn conv2d(options: &Conv2d, input: &[u32]) -> Result<Made, Fault> {
    let [.., channels] = image("conv2d", input)?;
    positive("filters", options.filters)?;
    let Conv2d { kernel, strides, padding, dilation, .. } = *options;
    let slid = Slid::over(kernel, strides, dilation, padding, input)?;
    let weights = slid.weights(&[channels, options.filters]);
    let parameters = plus_bias(weights, options.use_bias, options.filters);
    Made::new("Conv2D", &slid.shape(options.filters)).with(parameters)
}

/// (time, c) -> (time', filters)
pub(super) fn conv1d(options: &Conv1d, input: &[u32]) -> Result<Made, Fault> {
    let [time, channels] = sequence("conv1d", input)?;
    positive("filters", options.filters)?;
    positive("kernel", options.kernel)?;
    positive("strides", options.strides)?;
    positive("dilation", options.dilation)?;
    not_both(&[options.strides], &[options.dilation])?;
    let window = Window {
        span: span(options.kernel, options.dilation),
        stride: options.strides,
        padding: padding(options.padding)?,
    };
    let time = window.slide(time).ok_or_else(|| {
        Fault::too_small(&described(&[options.kernel], &[options.dilation]), input)
    })?;
    let weights = product(&[options.kernel, channels, options.filters]);
    let parameters = plus_bias(weights, options.use_bias, options.filters);
    Made::new("Conv1D", &[time, options.filters]).with(parameters)
}

/// (h, w, c) -> (h', w', c * depth_multiplier)
pub(super) fn depthwise(options: &DepthwiseConv2d, input: &[u32]) -> Result<Made, Fault> {
    let [.., channels] = image("depthwise_conv2d", input)?;
    let outputs = multiplied(channels, options.depth_multiplier)?;
    let DepthwiseConv2d { kernel, strides, padding, dilation, .. } = *options;
    let slid = Slid::over(kernel, strides, dilation, padding, input)?;
    let parameters = plus_bias(slid.weights(&[outputs]), options.use_bias, outputs);
    Made::new("DepthwiseConv2D", &slid.shape(outputs)).with(parameters)
}

/// (h, w, c) -> (h', w', filters)
pub(super) fn separable(options: &SeparableConv2d, input: &[u32]) -> Result<Made, Fault> {
    let [.., channels] = image("separable_conv2d", input)?;
    positive("filters", options.filters)?;
    let between = multiplied(channels, options.depth_multiplier)?;
    let SeparableConv2d { kernel, strides, padding, dilation, .. } = *options;
    let slid = Slid::over(kernel, strides, dilation, padding, input)?;
    let pointwise = product(&[between, options.filters]);
    let weights = slid.weights(&[between]).zip(pointwise);
    let weights = weights.and_then(|(depthwise, pointwise)| depthwise.checked_add(pointwise));
    let parameters = plus_bias(weights, options.use_bias, options.filters);
    let made = Made::new("SeparableConv2D", &slid.shape(options.filters)).with(parameters)?;
    let kept = values(&slid.shape(between)).saturating_add(values(&made.shape));
    Ok(made.keeping(kept))
}

/// A kernel on an image it fits.
struct Slid {
    kernel: [u32; 2],
    height: u32,
    width: u32,
}

impl Slid {
    fn over(
        kernel: Option<Size>,
        strides: Option<Size>,
        dilation: Option<Size>,
        padding: i32,
        input: &[u32],
    ) -> Result<Self, Fault> {
        let kernel = size("kernel", kernel)?;
        let strides = size("strides", strides)?;
        let dilation = size("dilation", dilation)?;
        not_both(&strides, &dilation)?;
        let padding = not_causal(padding)?;
        let places = |axis: usize| {
            let span = span(kernel[axis], dilation[axis]);
            Window { span, stride: strides[axis], padding }.slide(input[axis])
        };
        match (places(0), places(1)) {
            (Some(height), Some(width)) => Ok(Self { kernel, height, width }),
            _ => Err(Fault::too_small(&described(&kernel, &dilation), input)),
        }
    }

    fn shape(&self, channels: u32) -> [u32; 3] {
        [self.height, self.width, channels]
    }

    /// The kernel's area times other sizes.
    fn weights(&self, others: &[u32]) -> Option<u64> {
        let area = product(&self.kernel)?;
        area.checked_mul(product(others)?)
    }
}

/// libtorch could do it; Keras cannot.
fn not_both(strides: &[u32], dilation: &[u32]) -> Result<(), Fault> {
    let is_above_1 = |sizes: &[u32]| sizes.iter().any(|&size| size > 1);
    if !is_above_1(strides) || !is_above_1(dilation) {
        return Ok(());
    }
    let message = format!(
        "strides {} and dilation {} cannot both be larger than 1",
        shown(strides),
        shown(dilation)
    );
    Err(Fault::new(message).hint("leave one of them at 1"))
}

fn described(kernel: &[u32], dilation: &[u32]) -> String {
    let kernel = shown(kernel);
    if dilation.iter().all(|&size| size == 1) {
        format!("kernel {kernel}")
    } else {
        format!("kernel {kernel} with dilation {}", shown(dilation))
    }
}

fn shown(sizes: &[u32]) -> String {
    match sizes {
        [one] => one.to_string(),
        sizes => display_shape(sizes),
    }
}

fn multiplied(channels: u32, depth_multiplier: u32) -> Result<u32, Fault> {
    positive("depth_multiplier", depth_multiplier)?;
    channels.checked_mul(depth_multiplier).ok_or_else(|| {
        Fault::new(format!("{channels} channels times `depth_multiplier` are too many"))
    })
}

fn product(sizes: &[u32]) -> Option<u64> {
    sizes.iter().try_fold(1, |product: u64, &size| product.checked_mul(u64::from(size)))
}

fn plus_bias(weights: Option<u64>, use_bias: bool, outputs: u32) -> Option<u64> {
    weights?.checked_add(if use_bias { u64::from(outputs) } else { 0 })
}
