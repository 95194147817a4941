//! Layers that scale: by given numbers, or by numbers taken of the examples to
//! train on, where each index along `axis` has numbers of its own.

use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;

use super::axis;
use super::options::{Given, Options};
use super::words::Read;
use crate::experiment::error::Fault;
use crate::experiment::node::{Node, shorten};

const FORM_OF_AXES: &str = "write `axis: -1` for the last one, `axis: [1, 3]` for several, or \
                            `axis: none` for one number for all values";
const FORM_OF_RANGE: &str = "write, for example, `range: [0, 1]`";

pub(super) fn rescaling<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["scale", "offset"], Some("scale"))?;
    let scale = given.required("scale")?.real("a finite number", |_| true)?;
    let offset = given.real_or("offset", 0.0, "a finite number", |_| true)?;
    Ok((given, Kind::Rescaling(v1::Rescaling { scale, offset })))
}

pub(super) fn normalization<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["axis"], Some("axis"))?;
    let axes = axes(&given)?;
    Ok((given, Kind::Normalization(v1::Normalization { axes })))
}

pub(super) fn min_max_scaling<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["axis", "range"], Some("axis"))?;
    let axes = axes(&given)?;
    let (low, high) = match given.optional("range") {
        Some(node) => range(&node)?,
        None => (0.0, 1.0),
    };
    Ok((given, Kind::MinMaxScaling(v1::MinMaxScaling { axes, low, high })))
}

/// One axis, several, or none; `None` for the last one.
fn axes(given: &Given<'_>) -> Result<Option<v1::Axes>, Fault> {
    let Some(node) = given.optional("axis") else { return Ok(None) };
    let axes = if node.value().is_sequence() {
        node.items()?.iter().map(axis).collect::<Result<_, _>>()?
    } else if let Ok(word) = node.text() {
        if word != "none" {
            let fault = node.fault(format!("`{}` is no axis", shorten(&word)));
            return Err(fault.hint(FORM_OF_AXES));
        }
        Vec::new()
    } else {
        vec![axis(&node).map_err(|fault| fault.hint(FORM_OF_AXES))?]
    };
    Ok((axes != [-1]).then_some(v1::Axes { axes }))
}

/// The least number and the greatest one.
fn range(node: &Node<'_>) -> Result<(f64, f64), Fault> {
    let items = node.items().map_err(|fault| fault.hint(FORM_OF_RANGE))?;
    let [low, high] = items.as_slice() else {
        let fault = node.fault(format!("expected two numbers, found {}", items.len()));
        return Err(fault.hint(FORM_OF_RANGE));
    };
    let low = low.real("a finite number", |_| true)?;
    let high = high.real("a number above the first one", |high| high > low)?;
    Ok((low, high))
}
