//! MobileNetV2 (Sandler et al. 2018) without its head: which convolutions there
//! are, and torchvision's names for their weights.
//!
//! Every convolution is followed by a batch normalization, and all but the
//! projections by a relu6. The coordinator counts weights and looks at weights
//! files by this list, and the worker builds from it.

/// How much smaller an output's height and width are, each halving rounded up.
pub const REDUCTION: u32 = 32;

/// Factors of the number of channels that make sense.
const ALPHAS: std::ops::RangeInclusive<f64> = 0.1..=4.0;

/// Expansion, channels, repetitions and first stride of each group of blocks.
const GROUPS: [(u32, u32, u32, u32); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// Channels behind the first convolution, and behind the last one.
const FIRST: u32 = 32;
const LAST: u32 = 1280;

/// Channels are multiples of this.
const DIVISOR: u32 = 8;

/// Whether a tensor of torchvision's files is one that is not needed: of the
/// classifier, or a counter of batches.
#[must_use]
pub fn is_passed_over(tensor: &str) -> bool {
    tensor.starts_with("classifier.") || tensor.ends_with(".num_batches_tracked")
}

/// A convolution without bias, and the batch normalization behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// torchvision's name of the convolution: `features.1.conv.0.0`.
    pub name: String,
    /// torchvision's name of the batch normalization: `features.1.conv.0.1`.
    pub norm: String,
    /// Channels of the input.
    pub inputs: u32,
    /// Channels of the output.
    pub outputs: u32,
    /// Height and width of the kernel; the padding on each side is half of it,
    /// rounded down.
    pub kernel: u32,
    /// Step in both directions.
    pub stride: u32,
    /// Whether each channel is for itself; else all inputs go into all outputs.
    pub is_depthwise: bool,
    /// Whether a relu6 follows.
    pub has_relu6: bool,
}

/// A part of the network: convolutions one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// At least one.
    pub convolutions: Vec<Convolution>,
    /// Whether the block's input is added to its output.
    pub is_residual: bool,
}

/// The network for one factor of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// In order; the first and the last are a convolution alone.
    pub blocks: Vec<Block>,
}

impl Architecture {
    /// - `alpha`: factor of the number of channels, from 0.1 to 4; else `None`
    #[must_use]
    pub fn new(alpha: f64) -> Option<Self> {
        if !ALPHAS.contains(&alpha) {
            return None;
        }
        let mut channels = divisible(f64::from(FIRST) * alpha);
        let mut blocks = vec![alone("features.0", 3, channels, 3, 2)];
        for (expansion, wanted, repetitions, first_stride) in GROUPS {
            let outputs = divisible(f64::from(wanted) * alpha);
            for repetition in 0..repetitions {
                let stride = if repetition == 0 { first_stride } else { 1 };
                blocks.push(inverted_residual(blocks.len(), channels, outputs, expansion, stride));
                channels = outputs;
            }
        }
        let last = divisible(f64::from(LAST) * alpha.max(1.0));
        blocks.push(alone(&format!("features.{}", blocks.len()), channels, last, 1, 1));
        Some(Self { blocks })
    }

    /// All convolutions, in order.
    pub fn convolutions(&self) -> impl Iterator<Item = &Convolution> {
        self.blocks.iter().flat_map(|block| &block.convolutions)
    }

    /// Channels of the output.
    #[must_use]
    pub fn output_channels(&self) -> u32 {
        self.convolutions().last().expect("there is a last convolution").outputs
    }

    /// torchvision's names of all weights and statistics, with their shapes;
    /// kernels are `[outputs, inputs, height, width]`.
    #[must_use]
    pub fn tensors(&self) -> Vec<(String, Vec<u32>)> {
        let mut tensors = Vec::new();
        for convolution in self.convolutions() {
            let Convolution { name, norm, kernel, outputs, .. } = convolution;
            let shape = vec![*outputs, convolution.inputs_of_each(), *kernel, *kernel];
            tensors.push((format!("{name}.weight"), shape));
            for statistic in ["weight", "bias", "running_mean", "running_var"] {
                tensors.push((format!("{norm}.{statistic}"), vec![*outputs]));
            }
        }
        tensors
    }

    /// Number of weights, moving statistics included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.convolutions().map(|one| one.kernel_size() + 4 * u64::from(one.outputs)).sum()
    }

    /// Number of weights that training changes, if the network is not frozen.
    #[must_use]
    pub fn trainable(&self) -> u64 {
        self.convolutions().map(|one| one.kernel_size() + 2 * u64::from(one.outputs)).sum()
    }

    /// About how many values are kept for the gradient, for each pixel of the input.
    pub(crate) fn kept_per_pixel(&self) -> u64 {
        // Behind the convolution, behind its normalization, and behind its relu6.
        self.per_pixel().map(|values| 3.0 * values).sum::<f64>().ceil() as u64
    }

    /// About how many values the largest output has, for each pixel of the input.
    pub(crate) fn widest_per_pixel(&self) -> u64 {
        self.per_pixel().fold(0.0, f64::max).ceil() as u64 * 2
    }

    /// Values of each convolution's output, for each pixel of the input.
    fn per_pixel(&self) -> impl Iterator<Item = f64> {
        let mut area = 1.0;
        self.convolutions().map(move |one| {
            area /= f64::from(one.stride * one.stride);
            f64::from(one.outputs) * area
        })
    }
}

impl Convolution {
    /// How many channels of the input each channel of the output sees.
    #[must_use]
    pub fn inputs_of_each(&self) -> u32 {
        if self.is_depthwise { 1 } else { self.inputs }
    }

    fn kernel_size(&self) -> u64 {
        u64::from(self.outputs)
            * u64::from(self.inputs_of_each())
            * u64::from(self.kernel * self.kernel)
    }
}

/// A convolution that is a block by itself.
fn alone(name: &str, inputs: u32, outputs: u32, kernel: u32, stride: u32) -> Block {
    let convolution = Convolution {
        name: format!("{name}.0"),
        norm: format!("{name}.1"),
        inputs,
        outputs,
        kernel,
        stride,
        is_depthwise: false,
        has_relu6: true,
    };
    Block { convolutions: vec![convolution], is_residual: false }
}

/// Expansion, depthwise convolution, projection.
fn inverted_residual(
    number: usize,
    inputs: u32,
    outputs: u32,
    expansion: u32,
    stride: u32,
) -> Block {
    let hidden = inputs * expansion;
    let mut convolutions: Vec<Convolution> = Vec::new();
    let activated = |position: usize, inputs, kernel, stride, is_depthwise| Convolution {
        name: format!("features.{number}.conv.{position}.0"),
        norm: format!("features.{number}.conv.{position}.1"),
        inputs,
        outputs: hidden,
        kernel,
        stride,
        is_depthwise,
        has_relu6: true,
    };
    if expansion != 1 {
        convolutions.push(activated(0, inputs, 1, 1, false));
    }
    convolutions.push(activated(convolutions.len(), hidden, 3, stride, true));
    let position = convolutions.len();
    convolutions.push(Convolution {
        name: format!("features.{number}.conv.{position}"),
        norm: format!("features.{number}.conv.{}", position + 1),
        inputs: hidden,
        outputs,
        kernel: 1,
        stride: 1,
        is_depthwise: false,
        has_relu6: false,
    });
    Block { convolutions, is_residual: stride == 1 && inputs == outputs }
}

/// The nearest multiple of 8 that is at least nine tenths of `channels`.
fn divisible(channels: f64) -> u32 {
    let divisor = f64::from(DIVISOR);
    let mut nearest = (((channels + divisor / 2.0) / divisor).floor() * divisor).max(divisor);
    if nearest < 0.9 * channels {
        nearest += divisor;
    }
    nearest as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes() {
        let network = Architecture::new(1.0).expect("the published one");
        // Keras's MobileNetV2 without its top.
        assert_eq!((network.parameters(), network.trainable()), (2_257_984, 2_223_872));
        assert_eq!(network.output_channels(), 1280);
        assert_eq!(network.convolutions().count(), 52);
        let tensors = network.tensors();
        assert_eq!(tensors[0], ("features.0.0.weight".to_owned(), vec![32, 3, 3, 3]));
        assert!(tensors.contains(&("features.1.conv.1.weight".to_owned(), vec![16, 32, 1, 1])));
        assert!(tensors.contains(&("features.18.1.running_var".to_owned(), vec![1280])));
        let small = Architecture::new(0.35).expect("one of Keras's");
        assert_eq!(small.parameters(), 410_208);
        assert_eq!(small.output_channels(), 1280);
    }

    #[test]
    fn absurd_factors_give_no_network() {
        for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(Architecture::new(alpha), None, "{alpha}");
        }
    }
}
