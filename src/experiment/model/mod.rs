//! The `model:` section for one assignment: a tree of layers.
//!
//! A layer is a word (`flatten`), a word with its main option
//! (`max_pool2d: 2`), or a word with options (`conv2d: {filters: 32, ...}`).
//! Which layers there are for an assignment is in [`layers`]; what stands behind
//! each word, in [`words`] and the files it names. Branches are read here:
//! `parallel` with the layer that joins it, and `residual`, which is a
//! `parallel` whose outputs are added.

mod activation;
mod convolution;
mod options;
mod pooling;
mod recurrent;
mod scaling;
mod words;

use std::collections::HashSet;

use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;

use super::error::Fault;
use super::layers::{self, Item, MAX_LAYERS, PARALLEL, RESIDUAL};
use super::names::is_identifier;
use super::node::{Node, shorten};
use super::path::Segment;
use options::{Given, Options};
pub(super) use words::MERGES;

/// Most branches inside branches.
const MAX_DEPTH: usize = 16;

/// What joins the branches of a `parallel`.
const CONCATENATE: &str = "concatenate";
const ADD: &str = "add";

const FORM_OF_PARALLEL: &str = "write `- parallel: [[...], [...]]`, and behind it `- concatenate`";

/// What `units: classes` stands for, and the names of the classes where they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classes<'a> {
    pub(super) count: u32,
    pub(super) names: Option<&'a [String]>,
}

impl<'a> Classes<'a> {
    /// - `names`: in the order of the network's outputs
    pub(super) fn of(names: &'a [String]) -> Self {
        Self { count: u32::try_from(names.len()).unwrap_or(u32::MAX), names: Some(names) }
    }

    /// Any number will do to find what is misspelt.
    pub(super) const UNKNOWN: Self = Self { count: 2, names: None };
}

/// A network, and where its layers are written.
pub(super) struct Network {
    pub(super) model: v1::Model,
    /// The name of each layer and the path of its item.
    pub(super) places: Vec<(String, Vec<Segment>)>,
}

/// Reads the section; `$name` stands for the node's assignment.
pub(super) fn read(node: &Node<'_>, classes: Classes<'_>) -> Result<Network, Fault> {
    let drafts = read_layers(&layers::existing(node)?, classes, 0)?;
    let mut names = Names { taken: HashSet::new(), places: Vec::new() };
    for draft in &drafts {
        names.reserve(draft)?;
    }
    let layers = drafts.into_iter().map(|draft| names.give(draft)).collect();
    if names.places.len() > MAX_LAYERS {
        return Err(node.fault(format!("there are more than {MAX_LAYERS} layers")));
    }
    Ok(Network { model: v1::Model { layers }, places: names.places })
}

/// A layer that may still need a name.
struct Draft<'a> {
    /// What its name is made of.
    word: &'static str,
    name: Option<String>,
    node: Node<'a>,
    kind: DraftKind<'a>,
}

enum DraftKind<'a> {
    Leaf(Kind),
    /// Branches, and how they are joined.
    Branches(Vec<Vec<Draft<'a>>>, v1::parallel::Merge),
}

fn read_layers<'a>(
    items: &[Item<'a>],
    classes: Classes<'_>,
    depth: usize,
) -> Result<Vec<Draft<'a>>, Fault> {
    let mut drafts = Vec::new();
    let mut rest = items;
    while let [item, after @ ..] = rest {
        rest = after;
        match item.word.as_ref() {
            PARALLEL => {
                let (merge, after) = match after {
                    [merge, after @ ..] if MERGES.contains(&merge.word.as_ref()) => (merge, after),
                    [] | [_, ..] => {
                        let fault = item.node.fault("nothing joins the branches of `parallel`");
                        let fault = fault.self_contained();
                        return Err(fault.hint("write `- concatenate` or `- add` behind it"));
                    }
                };
                rest = after;
                drafts.push(parallel(item, merge, classes, depth)?);
            }
            RESIDUAL => drafts.push(residual(item, classes, depth)?),
            word if MERGES.contains(&word) => {
                let fault = item.node.fault(format!("there is no `parallel` before `{word}`"));
                return Err(fault.self_contained().hint(FORM_OF_PARALLEL));
            }
            _ => drafts.push(leaf(item, classes)?),
        }
    }
    Ok(drafts)
}

fn leaf<'a>(item: &Item<'a>, classes: Classes<'_>) -> Result<Draft<'a>, Fault> {
    let value = item.value.as_ref();
    let place = value.unwrap_or(&item.node);
    let (word, read) = words::find(place, &item.word)?;
    let options = Options { place, value, word, classes: classes.count };
    let (given, kind) = read(&options)?;
    let name = name(&given)?;
    Ok(Draft { word, name, node: item.node.clone(), kind: DraftKind::Leaf(kind) })
}

/// `parallel` and the layer behind it, which give one layer.
fn parallel<'a>(
    item: &Item<'a>,
    merge: &Item<'a>,
    classes: Classes<'_>,
    depth: usize,
) -> Result<Draft<'a>, Fault> {
    let node = item.value.as_ref().unwrap_or(&item.node);
    let lists = node.items().map_err(|fault| fault.hint(FORM_OF_PARALLEL))?;
    if lists.is_empty() {
        return Err(node
            .fault("`parallel` has no branches")
            .self_contained()
            .hint(FORM_OF_PARALLEL));
    }
    let branches = lists.iter().map(|list| branch(list, classes, depth));
    let branches = branches.collect::<Result<Vec<_>, _>>()?;
    let value = merge.value.as_ref();
    let place = value.unwrap_or(&merge.node);
    let word = if merge.word == CONCATENATE { CONCATENATE } else { ADD };
    let options = Options { place, value, word, classes: classes.count };
    let (given, joins) = if word == CONCATENATE {
        let given = options.fields(&["axis"], Some("axis"))?;
        let axis = given.optional("axis").map_or(Ok(-1), |node| axis(&node))?;
        (given, v1::parallel::Merge::Concatenate(v1::Concatenate { axis }))
    } else {
        (options.fields(&[], None)?, v1::parallel::Merge::Add(v1::Add {}))
    };
    let name = name(&given)?;
    // A fault in joining is one of the branches.
    Ok(Draft { word, name, node: item.node.clone(), kind: DraftKind::Branches(branches, joins) })
}

/// Layers, and a way around them.
fn residual<'a>(item: &Item<'a>, classes: Classes<'_>, depth: usize) -> Result<Draft<'a>, Fault> {
    const FORM: &str = "write `residual: {layers: [...]}`, or with a `shortcut: [...]` too";
    let node = item.value.as_ref().unwrap_or(&item.node);
    if !node.value().is_mapping() {
        return Err(node.fault("`residual` needs `layers`").self_contained().hint(FORM));
    }
    let fields = node.fields("`residual`", &["layers", "shortcut", "name"], &[])?;
    let layers = fields.required("layers").map_err(|fault| fault.hint(FORM))?;
    let layers = branch(&layers, classes, depth)?;
    let shortcut = match fields.optional("shortcut") {
        Some(node) => branch(&node, classes, depth)?,
        None => Vec::new(),
    };
    let name = name(&Given::Named(fields))?;
    let kind = DraftKind::Branches(vec![layers, shortcut], v1::parallel::Merge::Add(v1::Add {}));
    Ok(Draft { word: ADD, name, node: item.node.clone(), kind })
}

fn branch<'a>(
    list: &Node<'a>,
    classes: Classes<'_>,
    depth: usize,
) -> Result<Vec<Draft<'a>>, Fault> {
    if depth == MAX_DEPTH {
        return Err(list.fault(format!("branches are nested more than {MAX_DEPTH} deep")));
    }
    read_layers(&layers::existing_in_branch(list)?, classes, depth + 1)
}

/// An axis of what is joined: 1, 2, ..., or from behind -1, -2, ...
fn axis(node: &Node<'_>) -> Result<i32, Fault> {
    let axis = node.integer()?;
    match i32::try_from(axis) {
        Ok(axis) if axis != 0 => Ok(axis),
        Ok(_) | Err(_) => {
            let fault = node.fault(format!("there is no axis {axis}"));
            Err(fault.hint("axes are counted from 1, or from behind: -1 is the last"))
        }
    }
}

fn name(given: &Given<'_>) -> Result<Option<String>, Fault> {
    let Some(node) = given.optional("name") else { return Ok(None) };
    let name = node.text()?.into_owned();
    if !is_identifier(&name) {
        let message = format!("`{}` cannot be the name of a layer", shorten(&name));
        return Err(node.fault(message));
    }
    Ok(Some(name))
}

/// Names that are given, and then those that are made up.
struct Names {
    taken: HashSet<String>,
    places: Vec<(String, Vec<Segment>)>,
}

impl Names {
    /// Takes the names that the file gives.
    fn reserve(&mut self, draft: &Draft<'_>) -> Result<(), Fault> {
        if let DraftKind::Branches(branches, _) = &draft.kind {
            branches.iter().flatten().try_for_each(|draft| self.reserve(draft))?;
        }
        let Some(name) = &draft.name else { return Ok(()) };
        if self.taken.insert(name.clone()) {
            return Ok(());
        }
        let fault = draft.node.fault(format!("two layers have the name `{name}`"));
        let fault = fault.self_contained();
        Err(match draft.node.values().and_then(|values| values.repetition) {
            Some(_) => fault.hint(format!("number them: `name: \"{name}_{{i}}\"`")),
            None => fault,
        })
    }

    /// The layer with its name; those in its branches come first.
    fn give(&mut self, draft: Draft<'_>) -> v1::Layer {
        let kind = match draft.kind {
            DraftKind::Leaf(kind) => kind,
            DraftKind::Branches(branches, merge) => {
                let mut branch = |drafts: Vec<Draft<'_>>| v1::Branch {
                    layers: drafts.into_iter().map(|draft| self.give(draft)).collect(),
                };
                let branches = branches.into_iter().map(&mut branch).collect();
                Kind::Parallel(v1::Parallel { branches, merge: Some(merge) })
            }
        };
        let name = draft.name.unwrap_or_else(|| self.free(draft.word));
        self.places.push((name.clone(), draft.node.path().to_vec()));
        v1::Layer { name, kind: Some(kind) }
    }

    /// Keras's way: `conv2d`, `conv2d_1`, `conv2d_2`.
    fn free(&mut self, word: &str) -> String {
        let mut name = word.to_owned();
        let mut number = 0;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{word}_{number}");
        }
        name
    }
}
