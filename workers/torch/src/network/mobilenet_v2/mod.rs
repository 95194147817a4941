//! MobileNetV2 (Sandler et al. 2018) without its head, with torchvision's
//! arithmetic: even padding, and libtorch's own batch normalization, whose moving
//! variance is the unbiased one. So weights that were trained there mean the same
//! here. Names, shapes and axes of the weights are torchvision's too.

mod file;

use sweep_proto::mobilenet_v2::{Architecture, Block as BlockPlan, Convolution as Plan};
use sweep_proto::v1::MobileNetV2 as Options;
use tch::{Device, Kind, TchError, Tensor};

pub(crate) use self::file::WeightsFileError;
use super::weight::{like, named};
use super::{Layer, Mode};
use crate::error::LayerError;
use crate::initializers::he_normal;

/// torchvision's, which are PyTorch's defaults.
const EPSILON: f64 = 1e-5;
/// Share of a batch in the moving averages.
const MOMENTUM: f64 = 0.1;

/// `[batch, height, width, 3]` to `[batch, height / 32, width / 32, channels]`,
/// both rounded up.
#[derive(Debug)]
pub(super) struct MobileNetV2 {
    blocks: Vec<Block>,
    /// Otherwise weights and statistics stay as they are.
    is_trainable: bool,
}

/// Convolutions one after another.
#[derive(Debug)]
struct Block {
    convolutions: Vec<Convolution>,
    /// Whether the block's input is added to its output.
    is_residual: bool,
}

/// A convolution, the batch normalization behind it, and perhaps a relu6.
#[derive(Debug)]
struct Convolution {
    plan: Plan,
    /// By torchvision's names, in the order of [`Weights`]' fields.
    names: [String; 5],
    weights: Weights,
}

/// All in f32.
#[derive(Debug)]
struct Weights {
    /// `[outputs, inputs, height, width]`; all others are `[outputs]`.
    kernel: Tensor,
    scale: Tensor,
    offset: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
}

impl MobileNetV2 {
    pub(super) fn build(options: &Options, device: Device) -> Result<Self, LayerError> {
        let architecture =
            Architecture::new(options.alpha).ok_or(LayerError::Unknown("`alpha`"))?;
        let tensors = architecture.tensors();
        let mut initial = match &options.weights {
            Some(weights) => file::read(weights, &tensors)?.into_iter(),
            None => {
                let drawn = tensors.iter().map(|(name, shape)| draw(name, shape));
                drawn.collect::<Result<Vec<_>, _>>()?.into_iter()
            }
        };
        let mut names = tensors.into_iter().map(|(name, _)| name);
        let is_trainable = options.trainable;
        let mut next = |is_trained: bool| -> Result<(String, Tensor), TchError> {
            let missing = || TchError::Shape("every convolution has five tensors".to_owned());
            let name = names.next().ok_or_else(missing)?;
            let values = initial.next().ok_or_else(missing)?.f_to(device)?;
            Ok((name, values.f_set_requires_grad(is_trained && is_trainable)?))
        };
        let mut convolution = |plan: Plan| -> Result<Convolution, TchError> {
            let (kernel_name, kernel) = next(true)?;
            let (scale_name, scale) = next(true)?;
            let (offset_name, offset) = next(true)?;
            let (mean_name, running_mean) = next(false)?;
            let (variance_name, running_variance) = next(false)?;
            let names = [kernel_name, scale_name, offset_name, mean_name, variance_name];
            let weights = Weights { kernel, scale, offset, running_mean, running_variance };
            Ok(Convolution { plan, names, weights })
        };
        let mut block = |plan: BlockPlan| -> Result<Block, TchError> {
            let convolutions = plan.convolutions.into_iter().map(&mut convolution);
            let convolutions = convolutions.collect::<Result<_, _>>()?;
            Ok(Block { convolutions, is_residual: plan.is_residual })
        };
        let blocks = architecture.blocks.into_iter().map(&mut block);
        Ok(Self { blocks: blocks.collect::<Result<_, _>>()?, is_trainable })
    }
}

/// Initial values as torchvision draws them: kernels normal, scales and
/// variances 1, offsets and means 0. On the CPU.
fn draw(name: &str, shape: &[u32]) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = shape.iter().copied().map(i64::from).collect();
    let on_cpu = (Kind::Float, Device::Cpu);
    if shape.len() > 1 {
        he_normal(&shape)
    } else if name.ends_with(".weight") || name.ends_with(".running_var") {
        Tensor::f_ones(shape, on_cpu)
    } else {
        Tensor::f_zeros(shape, on_cpu)
    }
}

impl Convolution {
    /// `[batch, inputs, height, width]` to `[batch, outputs, height', width']`.
    ///
    /// - `learns`: whether to normalize by the batch, and to remember it
    fn forward(&self, images: &Tensor, learns: bool) -> Result<Tensor, TchError> {
        let Plan { kernel, stride, is_depthwise, inputs, .. } = self.plan;
        let [padding, stride] = [kernel / 2, stride].map(i64::from);
        let groups = if is_depthwise { i64::from(inputs) } else { 1 };
        let kernel = like(&self.weights.kernel, images)?;
        let images = images.f_conv2d(
            &kernel,
            None::<&Tensor>,
            [stride, stride],
            [padding, padding],
            [1, 1],
            groups,
        )?;
        let images = self.normalize(&images, learns)?;
        if self.plan.has_relu6 { { images }.f_relu6_() } else { Ok(images) }
    }

    fn normalize(&self, images: &Tensor, learns: bool) -> Result<Tensor, TchError> {
        let Weights { scale, offset, running_mean, running_variance, .. } = &self.weights;
        let (batch, _, height, width) = images.size4()?;
        // The unbiased variance of a single value is none to remember.
        let remembers = !learns || batch * height * width > 1;
        let statistics = |tensor| remembers.then_some(tensor);
        images.f_batch_norm(
            Some(scale),
            Some(offset),
            statistics(running_mean),
            statistics(running_variance),
            learns,
            MOMENTUM,
            EPSILON,
            true,
        )
    }
}

impl Layer for MobileNetV2 {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let learns = self.is_trainable && mode == Mode::Training;
        let mut images = input.f_permute([0, 3, 1, 2])?;
        if images.device() == Device::Cpu {
            // Channels-last kernels are slow there, as for other convolutions.
            images = images.f_contiguous()?;
        }
        for block in &self.blocks {
            let before = images.shallow_clone();
            for convolution in &block.convolutions {
                images = convolution.forward(&images, learns)?;
            }
            if block.is_residual {
                images = images.f_add(&before)?;
            }
        }
        images.f_permute([0, 2, 3, 1])
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        let convolutions = self.blocks.iter().flat_map(|block| &block.convolutions);
        let weights = convolutions.flat_map(|Convolution { names, weights, .. }| {
            let Weights { kernel, scale, offset, running_mean, running_variance } = weights;
            let values = [kernel, scale, offset, running_mean, running_variance];
            names.iter().map(String::as_str).zip(values)
        });
        named(name, weights)
    }
}

#[cfg(test)]
mod tests;
