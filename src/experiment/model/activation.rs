//! Activations: a word, or `leaky_relu` with its slope.

use serde_yaml::Value;
use sweep_proto::v1::{Activation, Function};

use crate::experiment::error::Fault;
use crate::experiment::node::Node;

pub(super) const ACTIVATIONS: [(&str, Function); 12] = [
    ("linear", Function::Linear),
    ("relu", Function::Relu),
    ("tanh", Function::Tanh),
    ("elu", Function::Elu),
    ("sigmoid", Function::Sigmoid),
    ("softmax", Function::Softmax),
    (LEAKY_RELU, Function::LeakyRelu),
    ("selu", Function::Selu),
    ("gelu", Function::Gelu),
    ("silu", Function::Silu),
    ("softplus", Function::Softplus),
    ("relu6", Function::Relu6),
];

const ACTIVATIONS_LATER: [&str; 7] =
    ["mish", "softsign", "hard_sigmoid", "hard_tanh", "exponential", "log_softmax", "prelu"];

const LEAKY_RELU: &str = "leaky_relu";

/// Of `keras.activations.leaky_relu`.
const SLOPE: f64 = 0.2;

pub(super) fn activation(node: &Node<'_>) -> Result<Activation, Fault> {
    if let Value::Mapping(_) = node.value() {
        return leaky_relu(node);
    }
    let function = node.word("activation", &ACTIVATIONS, &ACTIVATIONS_LATER)?;
    let slope = if function == Function::LeakyRelu { SLOPE } else { 0.0 };
    Ok(Activation { function: function.into(), slope })
}

/// `{leaky_relu: 0.3}` or `{leaky_relu: {slope: 0.3}}`
fn leaky_relu(node: &Node<'_>) -> Result<Activation, Fault> {
    if let [(name, _), ..] = node.entries()?.as_slice()
        && ACTIVATIONS.iter().any(|(word, _)| word == name)
        && *name != LEAKY_RELU
    {
        let fault = node.fault(format!("activation `{name}` has no options")).self_contained();
        return Err(fault.hint(format!("write `activation: {name}`")));
    }
    let fields = node.fields("`activation`", &[LEAKY_RELU], &[])?;
    let value = fields.required(LEAKY_RELU)?;
    let slope = match value.value() {
        Value::Mapping(_) => value.fields("`leaky_relu`", &["slope"], &[])?.required("slope")?,
        _ => value,
    };
    let slope = slope.real("a slope of at least 0", |slope| slope >= 0.0)?;
    Ok(Activation { function: Function::LeakyRelu.into(), slope })
}
