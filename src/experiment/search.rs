//! `study`, `objective`, `search` and `limits`: what decides a study's course;
//! and `results`: what is kept of it.

use super::document::Document;
use super::error::Fault;
use super::metrics::{direction, inferred, metric, unclear};
use super::names::{MAX_NAME_BYTES, alternatives, instead_of};
use super::node::{Fields, Node, Scope, missing, shorten};
use super::path::Segment;
use crate::oracle::{Algorithm, Knob, Knobs, Range, Setup, StoppingRule};
use crate::space::Rules;
use crate::study::{Direction, Objective, Settings, Term};

pub(super) const MAX_TRIALS: u32 = 1_000_000;
const MAX_EXECUTIONS: u32 = 1_000;
const MAX_RETRIES: u32 = 100;
/// More would hardly be told apart.
const MAX_OBJECTIVES: usize = 16;
/// Far beyond any search.
const MAX_EPOCHS_IN_ALL: u64 = 1_000_000_000_000;
/// A year, and a day for a leap.
const MAX_HOURS: f64 = 366.0 * 24.0;
/// Up to here every table and notebook reads a seed exactly.
pub(super) const MAX_SEED: u64 = 1 << 53;

/// Weights of a network may be gigabytes.
const MAX_MODELS: u32 = 1_000;

/// What these sections say by themselves.
pub(super) struct Search {
    pub(super) settings: Settings,
    pub(super) setup: Setup,
    /// How the space is sampled.
    pub(super) rules: Rules,
}

/// Reads these sections. What depends on the space is read by
/// [`complete`](super::course::complete).
pub(super) fn read(document: &Document) -> Result<Search, Fault> {
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
        max_trials: MAX_TRIALS,
        executions_per_trial: 1,
        folds: None,
        seed: 0,
        max_retries: 2,
        max_consecutive_failures: 3,
        hours: None,
        epochs: None,
        keep_models: 1,
    };
    let (setup, rules) = read_search(&search, &mut settings)?;
    if let Some(limits) = document.section("limits", scope) {
        read_limits(&limits, &mut settings)?;
    }
    if let Some(results) = document.section("results", scope) {
        settings.keep_models = keep_models(&results)?;
    }
    Ok(Search { settings, setup, rules })
}

fn keep_models(results: &Node<'_>) -> Result<u32, Fault> {
    let fields = results.fields("`results`", &["keep_models"], &[])?;
    match fields.optional("keep_models") {
        Some(node) => node.whole_u32(1..=MAX_MODELS),
        None => Ok(1),
    }
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

/// One metric, or a list of several.
fn objective_of(node: &Node<'_>) -> Result<Objective, Fault> {
    if let serde_yaml::Value::Sequence(_) = node.value() {
        return several_objectives(node);
    }
    let serde_yaml::Value::Mapping(_) = node.value() else {
        let metric = metric(node)?;
        let direction = inferred(&metric).ok_or_else(|| unclear(node, &metric, "objective"))?;
        return Ok(Objective::single(metric, direction));
    };
    let fields = node.fields("`objective`", &["metric", "direction"], &[])?;
    let (metric, direction) = metric_and_direction(&fields)?;
    Ok(Objective::single(metric, direction))
}

fn several_objectives(node: &Node<'_>) -> Result<Objective, Fault> {
    let items = node.items()?;
    if !(2..=MAX_OBJECTIVES).contains(&items.len()) {
        let fault =
            node.fault(format!("expected 2 to {MAX_OBJECTIVES} objectives, found {}", items.len()));
        return Err(fault.hint("for one objective, write `objective: val_accuracy`"));
    }
    let mut terms: Vec<Term> = Vec::new();
    for node in &items {
        let term = term(node)?;
        if terms.iter().any(|known| known.metric == term.metric) {
            let fault = node.fault(format!("`{}` is an objective already", term.metric));
            return Err(fault.hint("give it once, with a `weight`").self_contained());
        }
        terms.push(term);
    }
    Ok(Objective::several(terms))
}

/// One of several objectives.
fn term(node: &Node<'_>) -> Result<Term, Fault> {
    let serde_yaml::Value::Mapping(_) = node.value() else {
        let metric = metric(node)?;
        let direction = inferred(&metric).ok_or_else(|| unclear(node, &metric, "objectives"))?;
        return Ok(Term { metric, direction, weight: 1.0 });
    };
    let fields = node.fields("an objective", &["metric", "direction", "weight"], &[])?;
    let (metric, direction) = metric_and_direction(&fields)?;
    let weight = match fields.optional("weight") {
        Some(node) => node.real("a number above 0", |weight| weight > 0.0)?,
        None => 1.0,
    };
    Ok(Term { metric, direction, weight })
}

fn metric_and_direction(fields: &Fields<'_>) -> Result<(String, Direction), Fault> {
    let node = fields.required("metric")?;
    let metric = metric(&node)?;
    let direction = match fields.optional("direction") {
        Some(node) => direction(&node)?,
        None => inferred(&metric).ok_or_else(|| unclear(&node, &metric, "metric"))?,
    };
    Ok((metric, direction))
}

fn read_search(node: &Node<'_>, settings: &mut Settings) -> Result<(Setup, Rules), Fault> {
    const KEYS: [&str; 8] = [
        "algorithm",
        "max_trials",
        "executions_per_trial",
        "seed",
        "compat",
        "first",
        "trials",
        "stopping",
    ];
    let mut setup = Setup::random();
    if let Some(word) = node.value().get("algorithm") {
        let algorithms = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
        let node = node.child("algorithm", word);
        setup.algorithm = node.word("algorithm", &algorithms, &[])?;
    }
    let knobs = setup.algorithm.knobs();
    let keys: Vec<&str> = KEYS.into_iter().chain(knobs.iter().map(|knob| knob.name)).collect();
    check_options(node, setup.algorithm, &keys)?;
    let fields = node.fields("`search`", &keys, &[])?;
    if fields.optional("algorithm").is_none() {
        return Err(fields.missing("algorithm").hint("write `algorithm: random`"));
    }
    setup.knobs = read_knobs(&fields, knobs)?;
    if let Some(node) = fields.optional("stopping") {
        setup.stopping = Some(stopping(&node)?);
    }
    if let Some(node) = fields.optional("max_trials") {
        settings.max_trials = node.whole_u32(1..=MAX_TRIALS)?;
    }
    if let Some(node) = fields.optional("executions_per_trial") {
        settings.executions_per_trial = node.whole_u32(1..=MAX_EXECUTIONS)?;
    }
    if let Some(node) = fields.optional("seed") {
        settings.seed = node.whole(0..=MAX_SEED)?;
    }
    let rules = match fields.optional("compat") {
        Some(node) => compat(&node, &fields, setup.algorithm, settings.seed)?,
        None => Rules::Mended,
    };
    Ok((setup, rules))
}

/// Refuses options of other algorithms, naming those.
fn check_options(node: &Node<'_>, algorithm: Algorithm, keys: &[&str]) -> Result<(), Fault> {
    let Ok(entries) = node.entries() else { return Ok(()) };
    for (key, node) in entries {
        let has_it = |other: &Algorithm| other.knobs().iter().any(|knob| knob.name == key);
        if let Some(other) = Algorithm::ALL.iter().find(|other| has_it(other))
            && !keys.contains(&key)
        {
            let fault = node.fault(format!("`{}` has no `{key}`", algorithm.name()));
            let hint = format!("leave it out: it is an option of `{}`", other.name());
            return Err(fault.self_contained().hint(hint));
        }
    }
    Ok(())
}

/// The version of Keras Tuner that is followed to the letter.
fn compat(
    node: &Node<'_>,
    search: &Fields<'_>,
    algorithm: Algorithm,
    seed: u64,
) -> Result<Rules, Fault> {
    let words =
        [("keras-tuner-1.0", Rules::KerasTuner10), ("keras-tuner-1.4", Rules::KerasTuner14)];
    node.text().map_err(|fault| fault.hint("write, for example, `keras-tuner-1.4`"))?;
    let rules = node.word("version", &words, &[])?;
    let name = algorithm.name();
    match algorithm.demands().versions {
        [] => {
            let fault = node.fault(format!("`{name}` follows no version of Keras Tuner"));
            return Err(fault.hint("leave out `compat`"));
        }
        versions if !versions.contains(&rules) => {
            let fault = node.fault(format!("this version of Keras Tuner has no `{name}`"));
            return Err(fault.hint("use `compat: keras-tuner-1.4`, or leave it out"));
        }
        _ => {}
    }
    if seed == 0 {
        let place = search.optional("seed").unwrap_or_else(|| node.clone());
        let fault = place.fault("Keras Tuner takes seed 0 for no seed");
        return Err(fault.hint("write `seed: 1`, or any other number"));
    }
    Ok(rules)
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
        let rule = node.word("stopping rule", &rules, &[])?;
        return Ok((rule, Knobs::defaults(rule.knobs())));
    };
    let names = rules.map(|(name, _)| name);
    let fields = node.fields("`stopping`", &names, &[])?;
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
    let keys = ["max_retries", "max_consecutive_failures", "hours", "epochs"];
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
    if let Some(node) = fields.optional("epochs") {
        settings.epochs = Some(node.whole(1..=MAX_EPOCHS_IN_ALL)?);
    }
    Ok(())
}

/// Sections of an experiment file, in the order in which it is written.
pub(super) const SECTIONS: [&str; 9] =
    ["study", "objective", "search", "space", "data", "train", "model", "limits", "results"];

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
