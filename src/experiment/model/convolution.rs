//! Convolutions.

use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;

use super::options::{Given, Options};
use crate::experiment::error::Fault;

pub(super) fn conv1d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(
        &[
            "filters",
            "kernel",
            "strides",
            "padding",
            "dilation",
            "use_bias",
            "activation",
            "kernel_regularizer",
        ],
        None,
    )?;
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

pub(super) fn conv2d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(
        &[
            "filters",
            "kernel",
            "strides",
            "padding",
            "dilation",
            "use_bias",
            "activation",
            "kernel_regularizer",
        ],
        None,
    )?;
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

pub(super) fn depthwise_conv2d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(
        &[
            "kernel",
            "strides",
            "padding",
            "dilation",
            "depth_multiplier",
            "use_bias",
            "activation",
            "kernel_regularizer",
        ],
        None,
    )?;
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

pub(super) fn separable_conv2d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(
        &[
            "filters",
            "kernel",
            "strides",
            "padding",
            "dilation",
            "depth_multiplier",
            "use_bias",
            "activation",
            "kernel_regularizer",
        ],
        None,
    )?;
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
