//! The network at the defaults: Keras's `model.summary()`, and its memory.

use std::fmt::Write as _;

use serde_json::json;
use sweep_proto::memory::{self, Estimate};
use sweep_proto::shape::{self, LayerSummary};
use sweep_proto::v1;

use crate::experiment::Experiment;
use crate::space::HyperParameters;

/// What the networks of an experiment work on.
pub(super) struct Examples {
    /// Shape of one example, channels last.
    pub(super) shape: Vec<u32>,
    /// Names of the classes.
    pub(super) classes: Vec<String>,
}

/// One assignment's network.
pub(super) struct Network {
    layers: Vec<LayerSummary>,
    estimate: Estimate,
    batch_size: u32,
}

impl Network {
    /// `None` where the assignment gives no network.
    pub(super) fn of(
        experiment: &Experiment,
        hyperparameters: &HyperParameters,
        examples: &Examples,
    ) -> Option<Self> {
        let Examples { shape, classes } = examples;
        let (model, training) = experiment.specify(hyperparameters, shape, classes).ok()?;
        let dataset = v1::Dataset {
            input_shape: shape.clone(),
            classes: u32::try_from(classes.len()).unwrap_or(u32::MAX),
            ..v1::Dataset::default()
        };
        Some(Self {
            layers: shape::infer_layers(&model.layers, shape).ok()?,
            estimate: memory::estimate(&model, &training, &dataset).ok()?,
            batch_size: training.batch_size,
        })
    }

    /// Bytes that training it takes, apart from the examples.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.estimate.total()
    }

    /// All weights, and those that training changes.
    fn parameters(&self) -> (u64, u64) {
        self.layers.iter().fold((0, 0), |(total, trainable), layer| {
            (total + layer.parameters, trainable + layer.trainable)
        })
    }

    /// The table, with the input's row, and the totals.
    pub(super) fn text(&self, input: &[u32]) -> String {
        let shown = |shape: &[u32]| {
            let sizes: Vec<String> = shape.iter().map(u32::to_string).collect();
            format!("({})", sizes.join(", "))
        };
        let mut rows = vec![
            ["Layer (type)".to_owned(), "Output shape".to_owned(), "Parameters".to_owned()],
            ["input".to_owned(), shown(input), "0".to_owned()],
        ];
        rows.extend(self.layers.iter().map(|layer| {
            [
                format!("{} ({})", layer.name, layer.kind),
                shown(&layer.output_shape),
                layer.parameters.to_string(),
            ]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second, third) = (width(0), width(1), width(2));
        let mut text = "Network at the defaults\n".to_owned();
        for [layer, shape, parameters] in &rows {
            let _ = writeln!(text, "{layer:first$}  {shape:second$}  {parameters:>third$}");
        }
        let (total, trainable) = self.parameters();
        let _ = writeln!(
            text,
            "Parameters: {total} ({trainable} trainable, {} not)",
            total - trainable
        );
        let Estimate { weights_bytes, optimizer_bytes, activations_bytes, .. } = self.estimate;
        let _ = writeln!(
            text,
            "Memory: about {} at batch size {} (weights {}, gradients and optimizer {}, \
             activations {}), and the examples",
            bytes(self.memory_bytes()),
            self.batch_size,
            bytes(weights_bytes),
            bytes(optimizer_bytes),
            bytes(activations_bytes),
        );
        text
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let (total, trainable) = self.parameters();
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| {
                json!({
                    "name": layer.name,
                    "output_shape": layer.output_shape,
                    "parameters": layer.parameters,
                })
            })
            .collect();
        json!({
            "layers": layers,
            "parameters": { "total": total, "trainable": trainable },
            "memory_bytes": self.memory_bytes(),
        })
    }
}

/// A number of bytes for people: `1.2 GiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = count as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_readable() {
        for (count, text) in [
            (0, "0.0 KiB"),
            (1536, "1.5 KiB"),
            (40 << 20, "40.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
