//! `data.split`: which examples train, validate, and are kept for the end.

use super::{Fields, Node};
use crate::data::{Group, SplitSettings, Validation};
use crate::experiment::document::Document;
use crate::experiment::error::Fault;
use crate::experiment::node::Scope;
use crate::experiment::search::MAX_SEED;

const MAX_FOLDS: u32 = 100;
/// Keys of which one says what is measured while training.
const VALIDATIONS: [&str; 3] = ["validation", "validation_split", "folds"];

/// Reads `split`; absent: a fifth to test, and a tenth of the rest to validate.
pub(super) fn read(node: Option<&Node<'_>>) -> Result<SplitSettings, Fault> {
    let mut split = SplitSettings {
        test: 0.2,
        validation: Validation::Share(0.1),
        seed: 42,
        group: Group::Track,
    };
    let Some(node) = node else {
        return Ok(split);
    };
    let keys = ["test", "validation", "validation_split", "folds", "seed", "group"];
    let fields = node.fields("`split`", &keys, &["stratify"])?;
    if let Some(node) = fields.optional("test") {
        split.test = node.real("a share in [0, 1)", |share| (0.0..1.0).contains(&share))?;
    }
    if let Some(validation) = validation(&fields)? {
        split.validation = validation;
    }
    if let Some(node) = fields.optional("seed") {
        split.seed = node.whole(0..=MAX_SEED)?;
    }
    if let Some(node) = fields.optional("group") {
        split.group = node.word("group", &[("track", Group::Track), ("none", Group::None)], &[])?;
    }
    Ok(split)
}

fn validation(fields: &Fields<'_>) -> Result<Option<Validation>, Fault> {
    let mut given = VALIDATIONS.into_iter().filter_map(|key| Some((key, fields.optional(key)?)));
    let Some((key, node)) = given.next() else { return Ok(None) };
    if let Some((second, node)) = given.next() {
        let message =
            format!("`{key}` says already what is validated on, and `{second}` says it, too");
        return Err(node.fault(message).self_contained().hint("keep one of them"));
    }
    let share = || node.real("a share in (0, 1)", |share| share > 0.0 && share < 1.0);
    Ok(Some(match key {
        "validation" => Validation::Share(share()?),
        "validation_split" => Validation::Tail(share()?),
        _ => Validation::Folds(node.whole_u32(2..=MAX_FOLDS)?),
    }))
}

/// How often each trial is trained where there are folds: once on each.
///
/// # Errors
///
/// Where `executions_per_trial` says otherwise.
pub(in crate::experiment) fn executions(
    document: &Document,
    split: &SplitSettings,
) -> Result<Option<u32>, Fault> {
    let Some(folds) = split.folds() else { return Ok(None) };
    let search = document.section("search", Scope::Literal(""));
    let said = search.as_ref().and_then(|search| {
        let value = search.value().get("executions_per_trial")?;
        Some(search.child("executions_per_trial", value))
    });
    match said {
        Some(node) if node.whole_u32(0..=u32::MAX)? != folds => {
            let message =
                format!("each trial is trained once on each of the {folds} folds of `data.split`");
            Err(node.fault(message).self_contained().hint("leave it out"))
        }
        Some(_) | None => Ok(Some(folds)),
    }
}
