//! Recurrent layers, in one direction or both.

use sweep_proto::v1;
use sweep_proto::v1::bidirectional::Layer as Inner;
use sweep_proto::v1::layer::Kind;
use sweep_proto::v1::{Function, Join};

use super::options::{Given, Options};
use crate::experiment::error::Fault;

type Read<'a, T> = Result<(Given<'a>, T), Fault>;

pub(super) fn gru<'a>(options: &Options<'a, '_>) -> Read<'a, Kind> {
    read_gru(options).map(|(given, gru)| (given, Kind::Gru(gru)))
}

pub(super) fn lstm<'a>(options: &Options<'a, '_>) -> Read<'a, Kind> {
    read_lstm(options).map(|(given, lstm)| (given, Kind::Lstm(lstm)))
}

pub(super) fn simple_rnn<'a>(options: &Options<'a, '_>) -> Read<'a, Kind> {
    read_simple_rnn(options).map(|(given, rnn)| (given, Kind::SimpleRnn(rnn)))
}

/// `{lstm: {...}, merge: concatenate}`
pub(super) fn bidirectional<'a>(options: &Options<'a, '_>) -> Read<'a, Kind> {
    const KINDS: [&str; 3] = ["gru", "lstm", "simple_rnn"];
    const FORM: &str = "write, for example, `bidirectional: {lstm: {units: 32}}`";
    let given = options.fields(&["gru", "lstm", "simple_rnn", "merge"], None)?;
    let inner: Vec<_> = KINDS
        .into_iter()
        .filter_map(|word| given.optional(word).map(|value| (word, value)))
        .collect();
    let [(word, value)] = inner.as_slice() else {
        let message = "`bidirectional` needs one of `gru`, `lstm` and `simple_rnn`";
        return Err(options.place.fault(message).self_contained().hint(FORM));
    };
    let inner = Options { place: value, value: Some(value), word, classes: options.classes };
    let (inner_given, layer) = match *word {
        "gru" => read_gru(&inner).map(|(given, gru)| (given, Inner::Gru(gru)))?,
        "lstm" => read_lstm(&inner).map(|(given, lstm)| (given, Inner::Lstm(lstm)))?,
        _ => read_simple_rnn(&inner).map(|(given, rnn)| (given, Inner::SimpleRnn(rnn)))?,
    };
    if let Some(name) = inner_given.optional("name") {
        let fault = name.fault(format!("`name` stands among the options of `{word}`"));
        return Err(fault.self_contained().hint("write it beside it, in `bidirectional`"));
    }
    let merges = [
        ("concatenate", Join::Concatenate),
        ("sum", Join::Sum),
        ("multiply", Join::Multiply),
        ("average", Join::Average),
    ];
    let merge = match given.optional("merge") {
        Some(node) => node.word("merge", &merges, &[])?,
        None => Join::Concatenate,
    };
    let layer = v1::Bidirectional { layer: Some(layer), merge: merge.into() };
    Ok((given, Kind::Bidirectional(layer)))
}

fn read_gru<'a>(options: &Options<'a, '_>) -> Read<'a, v1::Gru> {
    let keys = [
        "units",
        "activation",
        "recurrent_activation",
        "return_sequences",
        "reset_after",
        "use_bias",
        "dropout",
        "recurrent_dropout",
        "kernel_regularizer",
    ];
    let given = options.fields(&keys, Some("units"))?;
    let gru = v1::Gru {
        units: given.count("units")?,
        activation: given.activation_or("activation", Function::Tanh)?,
        recurrent_activation: given.activation_or("recurrent_activation", Function::Sigmoid)?,
        return_sequences: given.boolean("return_sequences", false)?,
        reset_after: given.boolean("reset_after", true)?,
        use_bias: given.boolean("use_bias", true)?,
        dropout: given.share_or_none("dropout")?,
        recurrent_dropout: given.share_or_none("recurrent_dropout")?,
        kernel_regularizer: given.regularizer()?,
    };
    Ok((given, gru))
}

fn read_lstm<'a>(options: &Options<'a, '_>) -> Read<'a, v1::Lstm> {
    let keys = [
        "units",
        "activation",
        "recurrent_activation",
        "return_sequences",
        "unit_forget_bias",
        "use_bias",
        "dropout",
        "recurrent_dropout",
        "kernel_regularizer",
    ];
    let given = options.fields(&keys, Some("units"))?;
    let lstm = v1::Lstm {
        units: given.count("units")?,
        activation: given.activation_or("activation", Function::Tanh)?,
        recurrent_activation: given.activation_or("recurrent_activation", Function::Sigmoid)?,
        return_sequences: given.boolean("return_sequences", false)?,
        unit_forget_bias: given.boolean("unit_forget_bias", true)?,
        use_bias: given.boolean("use_bias", true)?,
        dropout: given.share_or_none("dropout")?,
        recurrent_dropout: given.share_or_none("recurrent_dropout")?,
        kernel_regularizer: given.regularizer()?,
    };
    Ok((given, lstm))
}

fn read_simple_rnn<'a>(options: &Options<'a, '_>) -> Read<'a, v1::SimpleRnn> {
    let keys = [
        "units",
        "activation",
        "return_sequences",
        "use_bias",
        "dropout",
        "recurrent_dropout",
        "kernel_regularizer",
    ];
    let given = options.fields(&keys, Some("units"))?;
    let rnn = v1::SimpleRnn {
        units: given.count("units")?,
        activation: given.activation_or("activation", Function::Tanh)?,
        return_sequences: given.boolean("return_sequences", false)?,
        use_bias: given.boolean("use_bias", true)?,
        dropout: given.share_or_none("dropout")?,
        recurrent_dropout: given.share_or_none("recurrent_dropout")?,
        kernel_regularizer: given.regularizer()?,
    };
    Ok((given, rnn))
}
