//! `study`, `objective`, `search` and `limits`: what decides a study's course.

use super::document::Document;
use super::error::Fault;
use super::names::{MAX_NAME_BYTES, alternatives, instead_of, is_identifier, nearest};
use super::node::{Fields, Node, Scope, missing, shorten};
use super::path::Segment;
use crate::oracle::{Algorithm, Knob, Knobs, Range, Setup, StoppingRule};
use crate::study::{Direction, Objective, Settings};

/// The metrics that `sweep-worker` reports for every epoch.
pub(super) const REPORTED: [&str; 4] = ["loss", "accuracy", "val_loss", "val_accuracy"];

const MAX_TRIALS: u32 = 1_000_000;
const MAX_EXECUTIONS: u32 = 1_000;
const MAX_RETRIES: u32 = 100;
/// A year, and a day for a leap.
const MAX_HOURS: f64 = 366.0 * 24.0;
/// Up to here every table and notebook reads a seed exactly.
pub(super) const MAX_SEED: u64 = 1 << 53;

const ALGORITHMS_LATER: [&str; 4] = ["grid", "list", "hyperband", "tpe"];
const STOPPING_LATER: [&str; 2] = ["asha", "median"];

/// Reads the four sections.
pub(super) fn read(document: &Document) -> Result<(Settings, Setup), Fault> {
    let scope = Scope::Literal("`$name` may stand only in `train` and `model`");
    let root = document.root(scope);
    let study = match document.section("study", scope) {
        Some(node) => study(&node)?,
        None => study_from_file(&document.stem())?,
    };
    let objective = document.section("objective", scope);
    let objective = objective.ok_or_else(|| {
        missing(&root, "objective", "the file").hint("write `objective: val_accuracy`")
    })?;
    let search = document.section("search", scope);
    let search = search.ok_or_else(|| {
        missing(&root, "search", "the file")
            .hint("write `search: {algorithm: random, max_trials: 20}`")
    })?;
    let mut settings = Settings {
        study,
        objective: objective_of(&objective)?,
        max_trials: 0,
        executions_per_trial: 1,
        seed: 0,
        max_retries: 2,
        max_consecutive_failures: 3,
        hours: None,
    };
    let setup = read_search(&search, &mut settings)?;
    if let Some(limits) = document.section("limits", scope) {
        read_limits(&limits, &mut settings)?;
    }
    Ok((settings, setup))
}

fn study(node: &Node<'_>) -> Result<String, Fault> {
    let name = node.text()?;
    if is_study_name(&name) {
        return Ok(name.into_owned());
    }
    let fault = node.fault(format!("`{}` cannot be the name of a study", shorten(&name)));
    Err(fault.hint(study_names()))
}

fn study_from_file(stem: &str) -> Result<String, Fault> {
    if is_study_name(stem) {
        return Ok(stem.to_owned());
    }
    let message =
        format!("`{}`, from the file's name, cannot be the name of a study", shorten(stem));
    Err(Fault::new(&[], message).hint("give it one: `study: NAME`"))
}

fn study_names() -> String {
    format!("use letters, digits, `-`, `_` and `.`, no `.` first, at most {MAX_NAME_BYTES}")
}

/// Results go to a folder of that name.
fn is_study_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

fn objective_of(node: &Node<'_>) -> Result<Objective, Fault> {
    let serde_yaml::Value::Mapping(_) = node.value() else {
        let metric = metric(node)?;
        let direction = inferred(&metric).ok_or_else(|| unclear(node, &metric, "objective"))?;
        return Ok(Objective { metric, direction });
    };
    let fields = node.fields("`objective`", &["metric", "direction"], &[])?;
    let node = fields.required("metric")?;
    let metric = metric(&node)?;
    let direction = match fields.optional("direction") {
        Some(node) => direction(&node)?,
        None => inferred(&metric).ok_or_else(|| unclear(&node, &metric, "objective"))?,
    };
    Ok(Objective { metric, direction })
}

/// Name of a metric.
pub(super) fn metric(node: &Node<'_>) -> Result<String, Fault> {
    let name = node.text()?;
    if is_identifier(&name) {
        return Ok(name.into_owned());
    }
    let fault = node.fault(format!("`{}` cannot be the name of a metric", shorten(&name)));
    Err(fault.hint("write, for example, `val_accuracy`"))
}

/// `min` or `max`.
pub(super) fn direction(node: &Node<'_>) -> Result<Direction, Fault> {
    node.word("direction", &[("min", Direction::Min), ("max", Direction::Max)], &[])
}

/// Whether less or more is better, where the name says it.
pub(super) fn inferred(metric: &str) -> Option<Direction> {
    match metric.to_lowercase().rsplit('_').next()? {
        "loss" | "error" | "mse" | "mae" => Some(Direction::Min),
        "accuracy" | "acc" | "auc" | "f1" | "precision" | "recall" => Some(Direction::Max),
        _ => None,
    }
}

/// The fault that a metric's name does not tell its direction.
pub(super) fn unclear(node: &Node<'_>, metric: &str, key: &str) -> Fault {
    let fault = node.fault(format!("whether less or more `{metric}` is better is not known"));
    match nearest(metric, REPORTED) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if key == "objective" => {
            fault.hint(format!("write `objective: {{metric: {metric}, direction: max}}`, or `min`"))
        }
        None => fault.hint("add `direction: max`, or `min`"),
    }
}

fn read_search(node: &Node<'_>, settings: &mut Settings) -> Result<Setup, Fault> {
    const KEYS: [&str; 5] = ["algorithm", "max_trials", "executions_per_trial", "seed", "stopping"];
    let mut setup = Setup::random();
    if let Some(word) = node.value().get("algorithm") {
        let algorithms = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
        let node = node.child("algorithm", word);
        setup.algorithm = node.word("algorithm", &algorithms, &ALGORITHMS_LATER)?;
    }
    let knobs = setup.algorithm.knobs();
    let keys: Vec<&str> = KEYS.into_iter().chain(knobs.iter().map(|knob| knob.name)).collect();
    let fields = node.fields("`search`", &keys, &["first", "trials"])?;
    if fields.optional("algorithm").is_none() {
        return Err(fields.missing("algorithm").hint("write `algorithm: random`"));
    }
    setup.knobs = read_knobs(&fields, knobs)?;
    if let Some(node) = fields.optional("stopping") {
        setup.stopping = Some(stopping(&node)?);
    }
    let node = fields.optional("max_trials");
    let node = node.ok_or_else(|| fields.missing("max_trials").hint("write `max_trials: 20`"))?;
    settings.max_trials = node.whole_u32(1..=MAX_TRIALS)?;
    if let Some(node) = fields.optional("executions_per_trial") {
        settings.executions_per_trial = node.whole_u32(1..=MAX_EXECUTIONS)?;
    }
    if let Some(node) = fields.optional("seed") {
        settings.seed = node.whole(0..=MAX_SEED)?;
    }
    Ok(setup)
}

/// Options of an algorithm or a stopping rule.
fn read_knobs(fields: &Fields<'_>, declared: &[Knob]) -> Result<Knobs, Fault> {
    let mut knobs = Knobs::defaults(declared);
    for knob in declared {
        let Some(node) = fields.optional(knob.name) else { continue };
        let value = match &knob.range {
            Range::Whole(range) => f64::from(node.whole_u32(range.clone())?),
            Range::Real(range) => {
                let expected = format!("a number from {} to {}", range.start(), range.end());
                node.real(&expected, |number| range.contains(&number))?
            }
            Range::Word(words) => {
                let words: Vec<(&str, usize)> =
                    words.iter().enumerate().map(|(index, word)| (*word, index)).collect();
                node.word(knob.name, &words, &[])? as f64
            }
        };
        knobs.set(knob.name, value);
    }
    Ok(knobs)
}

/// `asha`, or `asha: {...}` with its options.
fn stopping(node: &Node<'_>) -> Result<(StoppingRule, Knobs), Fault> {
    let rules = StoppingRule::ALL.map(|rule| (rule.name(), rule));
    let serde_yaml::Value::Mapping(_) = node.value() else {
        let rule = node.word("stopping rule", &rules, &STOPPING_LATER)?;
        return Ok((rule, Knobs::defaults(rule.knobs())));
    };
    let names = rules.map(|(name, _)| name);
    let fields = node.fields("`stopping`", &names, &STOPPING_LATER)?;
    let given: Vec<StoppingRule> = StoppingRule::ALL
        .into_iter()
        .filter(|rule| fields.optional(rule.name()).is_some())
        .collect();
    let [rule] = *given.as_slice() else {
        return Err(node
            .fault("expected one stopping rule")
            .hint(format!("write {}", alternatives(&names))));
    };
    let node = fields.required(rule.name())?;
    if node.value().is_null() {
        return Ok((rule, Knobs::defaults(rule.knobs())));
    }
    let keys: Vec<&str> = rule.knobs().iter().map(|knob| knob.name).collect();
    let fields = node.fields(&format!("`{}`", rule.name()), &keys, &[])?;
    Ok((rule, read_knobs(&fields, rule.knobs())?))
}

fn read_limits(node: &Node<'_>, settings: &mut Settings) -> Result<(), Fault> {
    let keys = ["max_retries", "max_consecutive_failures", "hours"];
    let fields = node.fields("`limits`", &keys, &[])?;
    if let Some(node) = fields.optional("max_retries") {
        settings.max_retries = node.whole_u32(0..=MAX_RETRIES)?;
    }
    if let Some(node) = fields.optional("max_consecutive_failures") {
        settings.max_consecutive_failures = node.whole_u32(1..=MAX_TRIALS)?;
    }
    if let Some(node) = fields.optional("hours") {
        let hours = node.real("a number of hours above 0, at most 8784", |hours| {
            hours > 0.0 && hours <= MAX_HOURS
        })?;
        settings.hours = Some(hours);
    }
    Ok(())
}

/// Sections of an experiment file, in the order in which it is written.
pub(super) const SECTIONS: [&str; 8] =
    ["study", "objective", "search", "space", "data", "train", "model", "limits"];

/// Refuses sections that do not exist.
pub(super) fn check_sections(document: &Document) -> Result<(), Fault> {
    let root = document.root(Scope::Literal(""));
    for (name, _) in root.entries()? {
        if !SECTIONS.contains(&name) {
            let fault =
                Fault::new(&[Segment::key(name)], format!("unknown section `{}`", shorten(name)));
            let hint = match name {
                "hyperparameters" => "did you mean `space`?".to_owned(),
                _ => instead_of(name, &SECTIONS),
            };
            return Err(fault.hint(hint).self_contained());
        }
    }
    Ok(())
}
