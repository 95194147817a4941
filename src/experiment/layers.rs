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
pub(super) const MAX_LAYERS: usize = 1_000;

/// Stands in the place of a layer for several.
pub(super) const REPEAT: &str = "repeat";

/// Lists of layers side by side.
pub(super) const PARALLEL: &str = "parallel";

/// Layers with a way around them.
pub(super) const RESIDUAL: &str = "residual";

/// Key beside a layer's word.
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

/// The layers of a network that exist, in order.
pub(super) fn existing<'a>(section: &Node<'a>) -> Result<Vec<Item<'a>>, Fault> {
    if section.items()?.is_empty() {
        return Err(section.fault("a network needs at least one layer"));
    }
    let items = existing_in_branch(section)?;
    if items.is_empty() {
        let fault = section.fault("a network needs at least one layer, but all may be missing");
        return Err(fault.hint("leave one without `when`"));
    }
    Ok(items)
}

/// As [`existing`], of a branch: it may have no layers.
pub(super) fn existing_in_branch<'a>(list: &Node<'a>) -> Result<Vec<Item<'a>>, Fault> {
    let mut items = Vec::new();
    for node in list.items()? {
        add(node, &mut items)?;
        if items.len() > MAX_LAYERS {
            return Err(list.fault(format!("there are more than {MAX_LAYERS} layers")));
        }
    }
    Ok(items)
}

/// A layer with every `$name` replaced by its value, and with those layers of
/// its branches that exist.
pub(super) fn spelled_out(item: &Item<'_>) -> Value {
    let Some(node) = &item.value else { return Value::String(item.word.clone().into_owned()) };
    let value = match (item.word.as_ref(), node.value()) {
        (PARALLEL, Value::Sequence(_)) => {
            let branches = node.items().unwrap_or_default();
            branches.iter().map(spelled_out_list).collect::<Vec<_>>().into()
        }
        (RESIDUAL, Value::Mapping(mapping)) => {
            let spelled_out = |(key, value): (&Value, _)| {
                let node = node.child(key.as_str().unwrap_or_default(), value);
                let value =
                    if value.is_sequence() { spelled_out_list(&node) } else { filled_in(&node) };
                (key.clone(), value)
            };
            mapping.iter().map(spelled_out).collect::<Mapping>().into()
        }
        (_, _) => filled_in(node),
    };
    let mut layer = Mapping::new();
    layer.insert(item.word.as_ref().into(), value);
    Value::Mapping(layer)
}

/// A list of layers with every `$name` replaced by its value, and only with those that exist.
pub(super) fn spelled_out_list(list: &Node<'_>) -> Value {
    existing_in_branch(list).map_or_else(
        // A trial of an earlier file, with which the study was begun.
        |_| filled_in(list),
        |items| items.iter().map(spelled_out).collect::<Vec<_>>().into(),
    )
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
