//! A recurrent layer in both directions of time (Schuster and Paliwal 1997).

use sweep_proto::v1::bidirectional::Layer as Inner;
use sweep_proto::v1::{Bidirectional as Options, Join};
use tch::{Device, TchError, Tensor};

use super::Recurrent;
use crate::error::LayerError;
use crate::network::regularization::Regularizer;
use crate::network::{Layer, Mode};

/// Outputs of two layers that differ in direction and weights, joined; those of
/// one time step belong together.
#[derive(Debug)]
pub(in crate::network) struct Bidirectional {
    forward: Recurrent,
    backward: Recurrent,
    join: Join,
}

impl Bidirectional {
    pub(in crate::network) fn build(
        options: &Options,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let join =
            Join::try_from(options.merge).map_err(|_| LayerError::Unknown("way to merge"))?;
        let direction = || match &options.layer {
            Some(Inner::Gru(options)) => Recurrent::gru(options, features, device),
            Some(Inner::Lstm(options)) => Recurrent::lstm(options, features, device),
            Some(Inner::SimpleRnn(options)) => Recurrent::simple_rnn(options, features, device),
            None => Err(LayerError::Unknown("recurrent layer")),
        };
        Ok(Self { forward: direction()?, backward: direction()?.backward(), join })
    }
}

impl Layer for Bidirectional {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let forward = self.forward.forward(input, mode)?;
        let backward = self.backward.forward(input, mode)?;
        match self.join {
            Join::Concatenate => Tensor::f_cat(&[forward, backward], -1),
            Join::Sum => forward.f_add(&backward),
            Join::Multiply => forward.f_mul(&backward),
            Join::Average => forward.f_add(&backward)?.f_mul_scalar(0.5),
        }
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        let mut weights = self.forward.weights(&format!("{name}/forward"));
        weights.extend(self.backward.weights(&format!("{name}/backward")));
        weights
    }

    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        [self.forward.regularized(), self.backward.regularized()].concat()
    }
}
