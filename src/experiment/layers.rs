//! Which layers a list has for an assignment: `when` and `repeat`.
//!
//! A layer whose conditions do not hold does not exist, nor does a repetition
//! that is not made: nothing in them is read.

use std::borrow::Cow;

use serde_yaml::{Mapping, Value};

use super::conditions::{self, Among};
use super::error::Fault;
use super::node::Node;
use super::repeat::MAX_REPETITIONS;
use super::template::filled_in;

/// Most layers of a network.
const MAX_LAYERS: usize = 1_000;

/// Stands in the place of a layer for several.
pub(super) const REPEAT: &str = "repeat";

/// Keys beside a layer's word.
pub(super) const WHEN: &str = "when";

/// A layer that exists.
pub(super) struct Item<'a> {
    /// The item of the list.
    pub(super) node: Node<'a>,
    /// What layer it is.
    pub(super) word: Cow<'a, str>,
    /// Its options, if there are any.
    pub(super) value: Option<Node<'a>>,
}

/// The layers that exist, in order.
pub(super) fn existing<'a>(section: &Node<'a>) -> Result<Vec<Item<'a>>, Fault> {
    let nodes = section.items()?;
    if nodes.is_empty() {
        return Err(section.fault("a network needs at least one layer"));
    }
    let mut items = Vec::new();
    for node in nodes {
        add(node, &mut items)?;
        if items.len() > MAX_LAYERS {
            return Err(section.fault(format!("there are more than {MAX_LAYERS} layers")));
        }
    }
    if items.is_empty() {
        let fault = section.fault("a network needs at least one layer, but all may be missing");
        return Err(fault.hint("leave one without `when`"));
    }
    Ok(items)
}

/// A layer with every `$name` replaced by its value.
pub(super) fn spelled_out(item: &Item<'_>) -> Value {
    match &item.value {
        None => Value::String(item.word.clone().into_owned()),
        Some(node) => {
            let mut layer = Mapping::new();
            layer.insert(item.word.as_ref().into(), filled_in(node));
            Value::Mapping(layer)
        }
    }
}

/// Adds a layer, or the repetitions of several.
fn add<'a>(node: Node<'a>, items: &mut Vec<Item<'a>>) -> Result<(), Fault> {
    let (item, when) = read(node)?;
    if let Some(when) = when
        && !holds(&when)?
    {
        return Ok(());
    }
    if item.word != REPEAT {
        items.push(item);
        return Ok(());
    }
    let (times, layers) = repetitions(&item)?;
    for number in 1..=times {
        for layer in &layers {
            add(layer.clone().repeated(number), items)?;
        }
    }
    Ok(())
}

/// Whether all conditions hold for the node's assignment.
fn holds(when: &Node<'_>) -> Result<bool, Fault> {
    let Some(values) = when.values() else { return Ok(true) };
    let among = Among { space: values.space, child: None };
    let conditions = conditions::read(when, &among, values.repetition)?;
    Ok(conditions.iter().all(|condition| condition.holds(values.assignment)))
}

fn repetitions<'a>(item: &Item<'a>) -> Result<(u32, Vec<Node<'a>>), Fault> {
    const FORM: &str = "write `repeat: {times: $depth, layers: [...]}`";
    if item.node.values().is_some_and(|values| values.repetition.is_some()) {
        let fault = item.node.fault("a `repeat` cannot stand inside another");
        return Err(fault.self_contained().hint("write the inner layers one after another"));
    }
    let node = item.value.as_ref().unwrap_or(&item.node);
    if !node.value().is_mapping() {
        let fault = node.fault("`repeat` needs `times` and `layers`").self_contained();
        return Err(fault.hint(FORM));
    }
    let fields = node.fields("`repeat`", &["times", "layers"], &[])?;
    let times = fields.required("times").map_err(|fault| fault.hint(FORM))?;
    let layers = fields.required("layers").map_err(|fault| fault.hint(FORM))?;
    let nodes = layers.items()?;
    if nodes.is_empty() {
        return Err(layers.fault("there is nothing to repeat").hint(FORM));
    }
    Ok((times.whole_u32(0..=MAX_REPETITIONS)?, nodes))
}

/// A layer as it is written, and its conditions.
fn read(node: Node<'_>) -> Result<(Item<'_>, Option<Node<'_>>), Fault> {
    match node.value() {
        Value::String(_) => {
            let word = node.text()?;
            Ok((Item { node, word, value: None }, None))
        }
        Value::Mapping(_) => {
            let entries = node.entries()?;
            let (when, words): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|(key, _)| *key == WHEN);
            let when = when.into_iter().next().map(|(_, when)| when);
            match words.as_slice() {
                [(word, value)] => {
                    let (word, value) = (Cow::Borrowed(*word), Some(value.clone()));
                    Ok((Item { node, word, value }, when))
                }
                [] => Err(node.fault("a layer is missing")),
                [(first, _), (second, _), ..] => Err(node
                    .fault(format!("`{first}` and `{second}` stand in one item of the list"))
                    .hint(format!(
                        "begin each layer with `- `; write options as `{first}: {{...}}`, or \
                         indent them further"
                    ))),
            }
        }
        _ => Err(node.fault("expected a layer").hint("write, for example, `- flatten`")),
    }
}
