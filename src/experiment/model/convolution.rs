//! Convolutions.

use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;

use super::options::{Given, Options};
use crate::experiment::error::Fault;

type Read<'a> = Result<(Given<'a>, Kind), Fault>;

/// What all of them have.
const COMMON: [&str; 7] =
    ["kernel", "strides", "padding", "dilation", "use_bias", "activation", "kernel_regularizer"];

/// - `own`: options beside the common ones
fn fields<'a>(options: &Options<'a, '_>, own: &[&str]) -> Result<Given<'a>, Fault> {
    options.fields(&[own, &COMMON].concat(), None)
}

pub(super) fn conv1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = fields(options, &["filters"])?;
    let kind = Kind::Conv1d(v1::Conv1d {
        filters: given.count("filters")?,
        kernel: given.count("kernel")?,
        strides: given.count_or("strides", 1)?,
        padding: given.padding_along_time()?,
        dilation: given.count_or("dilation", 1)?,
        use_bias: given.boolean("use_bias", true)?,
        activation: given.activation()?,
        kernel_regularizer: given.regularizer()?,
    });
    Ok((given, kind))
}

pub(super) fn conv2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = fields(options, &["filters"])?;
    let kind = Kind::Conv2d(v1::Conv2d {
        filters: given.count("filters")?,
        kernel: given.size("kernel")?,
        strides: given.size_or_one("strides")?,
        padding: given.padding()?,
        dilation: given.size_or_one("dilation")?,
        use_bias: given.boolean("use_bias", true)?,
        activation: given.activation()?,
        kernel_regularizer: given.regularizer()?,
    });
    Ok((given, kind))
}

pub(super) fn depthwise_conv2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = fields(options, &["depth_multiplier"])?;
    let kind = Kind::DepthwiseConv2d(v1::DepthwiseConv2d {
        kernel: given.size("kernel")?,
        strides: given.size_or_one("strides")?,
        padding: given.padding()?,
        dilation: given.size_or_one("dilation")?,
        depth_multiplier: given.count_or("depth_multiplier", 1)?,
        use_bias: given.boolean("use_bias", true)?,
        activation: given.activation()?,
        kernel_regularizer: given.regularizer()?,
    });
    Ok((given, kind))
}

pub(super) fn separable_conv2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = fields(options, &["filters", "depth_multiplier"])?;
    let kind = Kind::SeparableConv2d(v1::SeparableConv2d {
        filters: given.count("filters")?,
        kernel: given.size("kernel")?,
        strides: given.size_or_one("strides")?,
        padding: given.padding()?,
        dilation: given.size_or_one("dilation")?,
        depth_multiplier: given.count_or("depth_multiplier", 1)?,
        use_bias: given.boolean("use_bias", true)?,
        activation: given.activation()?,
        kernel_regularizer: given.regularizer()?,
    });
    Ok((given, kind))
}
