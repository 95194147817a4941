//! Pools: one value for each window, or for all of an example, of each channel.

use sweep_proto::v1::{self, Reduction};
use tch::{Kind, TchError, Tensor};

use super::activation::Activation;
use super::convolution::Window;
use super::{Layer, Mode};
use crate::error::LayerError;

/// Greatest value of each window: `[batch, height, width, channels]` to
/// `[batch, height', width', channels]`, or the same with time alone.
#[derive(Debug)]
pub(super) struct MaxPool {
    pool: Pool,
    /// Linear, unless it came over from the layer before.
    activation: Activation,
}

/// Mean of each window's values, padding left out.
#[derive(Debug)]
pub(super) struct AveragePool(Pool);

/// Where pools go.
#[derive(Debug)]
pub(super) struct Pool {
    /// Over an image of height 1 where there is time.
    window: Window,
    is_over_time: bool,
}

impl Pool {
    pub(super) fn over_image(options: &v1::Pool2d) -> Result<Self, LayerError> {
        let window = Window::over_image(options.pool, options.strides, None, options.padding)?;
        Ok(Self { window, is_over_time: false })
    }

    pub(super) fn over_time(options: &v1::Pool1d) -> Result<Self, LayerError> {
        let window = Window::over_time(options.pool, options.strides, 1, options.padding)?;
        Ok(Self { window, is_over_time: true })
    }

    /// A layer that takes the greatest value, or the mean.
    pub(super) fn layer(self, reduction: i32) -> Result<Box<dyn Layer>, LayerError> {
        Ok(match known(reduction)? {
            Reduction::Max => Box::new(MaxPool { pool: self, activation: Activation::LINEAR }),
            Reduction::Average => Box::new(AveragePool(self)),
        })
    }

    /// `[batch, channels, height, width]`
    fn images(&self, input: &Tensor) -> Result<Tensor, TchError> {
        if self.is_over_time {
            input.f_transpose(1, 2)?.f_unsqueeze(2)
        } else {
            input.f_permute([0, 3, 1, 2])
        }
    }

    /// Undoes [`Pool::images`].
    fn output(&self, images: &Tensor) -> Result<Tensor, TchError> {
        if self.is_over_time {
            images.f_squeeze_dim(2)?.f_transpose(1, 2)
        } else {
            images.f_permute([0, 2, 3, 1])
        }
    }
}

impl Layer for MaxPool {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let Window { size, strides, dilation, .. } = self.pool.window;
        // Padding never wins, not even over negative values.
        let images = self.pool.images(input)?;
        let (images, padding) = self.pool.window.pad(&images, f64::NEG_INFINITY)?;
        let output = images.f_max_pool2d(size, strides, padding, dilation, false)?;
        self.pool.output(&self.activation.apply_in_place(output, 1)?)
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }

    fn picks_greatest(&self) -> bool {
        true
    }
}

impl Layer for AveragePool {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let Window { size, strides, .. } = self.0.window;
        let images = self.0.images(input)?;
        let (padded, padding) = self.0.window.pad(&images, 0.0)?;
        if padded.size() == images.size() {
            let output = padded.f_avg_pool2d(size, strides, padding, false, false, None)?;
            return self.0.output(&output);
        }
        // libtorch leaves out its own padding, but takes ours for values: it is
        // given the sums to make, and how many values went into each is the sum
        // over an image of ones.
        let sum = |images: &Tensor| images.f_avg_pool2d(size, strides, [0, 0], false, true, 1);
        let (_, _, height, width) = images.size4()?;
        let ones = Tensor::f_ones([1, 1, height, width], (images.f_kind()?, images.device()))?;
        let counts = sum(&self.0.window.pad(&ones, 0.0)?.0)?;
        self.0.output(&sum(&padded)?.f_div(&counts)?)
    }
}

/// One value of each channel: `[batch, ..., channels]` to `[batch, channels]`.
#[derive(Debug)]
pub(super) enum GlobalPool {
    /// The greatest, and then an activation that came over from the layer before.
    Max(Activation),
    Average,
}

impl GlobalPool {
    pub(super) fn build(options: &v1::GlobalPool) -> Result<Self, LayerError> {
        Ok(match known(options.reduction)? {
            Reduction::Max => Self::Max(Activation::LINEAR),
            Reduction::Average => Self::Average,
        })
    }
}

impl Layer for GlobalPool {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let rank = i64::try_from(input.dim()).unwrap_or(i64::MAX);
        let inner: Vec<i64> = (1..rank - 1).collect();
        match self {
            // Not in place: the maximum's gradient needs the maximum.
            Self::Max(activation) => activation.apply(&input.f_amax(inner, false)?),
            Self::Average => input.f_mean_dim(inner, false, None::<Kind>),
        }
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        match self {
            Self::Max(activation) => Some(activation),
            Self::Average => None,
        }
    }

    fn picks_greatest(&self) -> bool {
        match self {
            Self::Max(_) => true,
            Self::Average => false,
        }
    }
}

fn known(reduction: i32) -> Result<Reduction, LayerError> {
    Reduction::try_from(reduction).map_err(|_| LayerError::Unknown("kind of pool"))
}
