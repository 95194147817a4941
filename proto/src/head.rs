//! Whether the end of a network gives what its loss needs.

use crate::shape::{LayerSummary, ShapeError, display_shape};
use crate::v1::layer::Kind;
use crate::v1::{Activation, Function, Layer, Loss, Model, loss};

/// Checks the last layer against the loss.
///
/// - `rows`: the model's, by [`shape::infer`](crate::shape::infer)
/// - `classes`: how many classes there are
///
/// # Errors
///
/// A [`ShapeError`] at the last layer, with the way to mend it.
pub fn check(
    model: &Model,
    rows: &[LayerSummary],
    loss: Option<&Loss>,
    classes: u32,
) -> Result<(), ShapeError> {
    let function = last_function(model);
    let fault = |message: String, hint: &str| {
        let index = rows.len().saturating_sub(1);
        let layer = model.layers.last().map(|layer| layer.name.clone()).unwrap_or_default();
        Err(ShapeError { index, layer, message, hint: Some(hint.to_owned()) })
    };
    match loss.and_then(|loss| loss.kind.as_ref()) {
        Some(loss::Kind::CategoricalCrossentropy(_)) => {
            const HINT: &str =
                "end the network with `dense: {units: classes, activation: softmax}`";
            let shape = rows.last().map_or(&[][..], |row| &row.output_shape);
            if shape != [classes] {
                let shape = display_shape(shape);
                let message = format!(
                    "gives {shape}, but `categorical_crossentropy` needs a value for each of \
                     {classes} classes"
                );
                return fault(message, HINT);
            }
            if function != Function::Softmax {
                let message =
                    "gives no probabilities, which `categorical_crossentropy` needs".to_owned();
                return fault(message, HINT);
            }
            Ok(())
        }
        Some(loss::Kind::BinaryCrossentropy(_)) if function != Function::Sigmoid => fault(
            "gives no probabilities of their own, which `binary_crossentropy` needs".to_owned(),
            "end the network with `activation: sigmoid`",
        ),
        Some(loss::Kind::BinaryCrossentropy(_) | loss::Kind::MeanSquaredError(_)) => Ok(()),
        None => fault("has no loss that this version of sweep knows".to_owned(), "name a `loss`"),
    }
}

/// The activation that a network ends with.
fn last_function(model: &Model) -> Function {
    let function = |activation: Option<Activation>| {
        activation.map_or(Function::Linear, |activation| activation.function())
    };
    let Some(Layer { kind: Some(kind), .. }) = model.layers.last() else { return Function::Linear };
    match kind {
        Kind::Dense(layer) => function(layer.activation),
        Kind::Activation(activation) => activation.function(),
        Kind::Conv1d(_)
        | Kind::Conv2d(_)
        | Kind::DepthwiseConv2d(_)
        | Kind::SeparableConv2d(_)
        | Kind::BatchNorm(_)
        | Kind::LayerNorm(_)
        | Kind::Pool1d(_)
        | Kind::Pool2d(_)
        | Kind::GlobalPool1d(_)
        | Kind::GlobalPool2d(_)
        | Kind::Dropout(_)
        | Kind::SpatialDropout1d(_)
        | Kind::SpatialDropout2d(_)
        | Kind::GaussianNoise(_)
        | Kind::Flatten(_)
        | Kind::Reshape(_)
        | Kind::Permute(_)
        | Kind::ToSequence(_)
        | Kind::Gru(_)
        | Kind::Lstm(_)
        | Kind::SimpleRnn(_)
        | Kind::Bidirectional(_)
        | Kind::Rescaling(_)
        | Kind::Normalization(_)
        | Kind::MinMaxScaling(_)
        | Kind::SpecAugment(_)
        | Kind::Parallel(_)
        | Kind::MobilenetV2(_) => Function::Linear,
    }
}
