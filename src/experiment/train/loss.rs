//! `loss` and `class_weight`.

use serde_yaml::Value;
use sweep_proto::v1;

use super::{choice, from_0_to_1};
use crate::experiment::error::Fault;
use crate::experiment::model::Classes;
use crate::experiment::names::instead_of;
use crate::experiment::node::{Node, shorten};

const LOSSES: [&str; 3] = ["categorical_crossentropy", "binary_crossentropy", "mean_squared_error"];

const LOSSES_LATER: [&str; 4] =
    ["mae", "mean_absolute_error", "kl_divergence", "categorical_focal_crossentropy"];

pub(super) fn categorical_crossentropy() -> v1::Loss {
    let options = v1::CategoricalCrossentropy { label_smoothing: 0.0 };
    v1::Loss { kind: Some(v1::loss::Kind::CategoricalCrossentropy(options)) }
}

pub(super) fn read(node: &Node<'_>) -> Result<v1::Loss, Fault> {
    if let Some("mse") = node.value().as_str() {
        let fault = node.fault("unknown loss `mse`").self_contained();
        return Err(fault.hint("write `mean_squared_error`"));
    }
    if let Some("sparse_categorical_crossentropy") = node.value().as_str() {
        let fault = node.fault("unknown loss `sparse_categorical_crossentropy`").self_contained();
        return Err(fault.hint("write `categorical_crossentropy`: classes are known by number"));
    }
    let (name, options) = choice(node, "loss", &LOSSES, &LOSSES_LATER)?;
    let label_smoothing = |keys: &[&str]| match &options {
        Some(node) => {
            let fields = node.fields(&format!("`{name}`"), keys, &[])?;
            fields.optional("label_smoothing").map_or(Ok(0.0), |node| from_0_to_1(&node))
        }
        None => Ok(0.0),
    };
    let kind = match name {
        "categorical_crossentropy" => {
            let label_smoothing = label_smoothing(&["label_smoothing"])?;
            v1::loss::Kind::CategoricalCrossentropy(v1::CategoricalCrossentropy { label_smoothing })
        }
        "binary_crossentropy" => {
            let label_smoothing = label_smoothing(&["label_smoothing"])?;
            v1::loss::Kind::BinaryCrossentropy(v1::BinaryCrossentropy { label_smoothing })
        }
        _ => {
            label_smoothing(&[])?;
            v1::loss::Kind::MeanSquaredError(v1::MeanSquaredError {})
        }
    };
    Ok(v1::Loss { kind: Some(kind) })
}

/// `balanced`, or a weight for some classes; the others have 1.
pub(super) fn class_weights(
    node: &Node<'_>,
    classes: Classes<'_>,
) -> Result<v1::ClassWeights, Fault> {
    const HINT: &str = "write `class_weight: balanced`, or `class_weight: {CLASS: 2.0}`";
    let Value::Mapping(_) = node.value() else {
        node.word("class weights", &[("balanced", ())], &[]).map_err(|fault| fault.hint(HINT))?;
        let kind = Some(v1::class_weights::Kind::Balanced(v1::Balanced {}));
        return Ok(v1::ClassWeights { kind });
    };
    let mut values = vec![1.0; classes.count as usize];
    for (class, weight) in node.entries()? {
        let factor = weight.real("a number of at least 0", |weight| weight >= 0.0)?;
        let Some(names) = classes.names else { continue };
        match names.iter().position(|name| name == class) {
            Some(index) => values[index] = factor,
            None => {
                let fault = weight.fault(format!("there is no class `{}`", shorten(class)));
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                return Err(fault.self_contained().hint(instead_of(class, &names)));
            }
        }
    }
    let kind = Some(v1::class_weights::Kind::Given(v1::Weights { values }));
    Ok(v1::ClassWeights { kind })
}
