//! What the search asks of the rest of the file: assignments that fit the space,
//! steps for a grid, epochs for a schedule; and how many trials there will be.

use super::assignments::{self, LeftOut};
use super::document::Document;
use super::error::Fault;
use super::node::{Node, Scope, reference};
use super::path::Segment;
use super::search::MAX_TRIALS;
use super::space::Entry;
use crate::oracle::Setup;
use crate::space::{HyperParameter, Kind, Numerical, Rules, Sampling, Space};
use crate::study::Settings;

/// Completes what `search:` says, now that the space is known.
///
/// - `setup`: has the epochs of a training at the defaults of the space
///
/// Returns what is odd, if anything is, and where.
pub(super) fn complete(
    document: &Document,
    (space, entries): (&Space, &[Entry]),
    settings: &mut Settings,
    setup: &mut Setup,
) -> Result<Option<(Vec<Segment>, String)>, Fault> {
    let scope = Scope::Literal("`$name` may stand only in `train` and `model`");
    let Some(section) = document.section("search", scope) else { return Ok(None) };
    read_assignments(&section, space, setup)?;
    let demands = setup.algorithm.demands();
    if demands.steps {
        check_steps(space, entries)?;
    }
    if demands.schedules {
        check_schedule(document, &section, setup)?;
    }
    let total = setup.algorithm.total(setup, space);
    match (optional(&section, "max_trials"), total) {
        (Some(node), total) => {
            let number = total.map(u64::from).or_else(|| space.size());
            let fewer = number.filter(|number| u64::from(settings.max_trials) > *number);
            Ok(fewer.map(|number| {
                let message = too_many(settings.max_trials, number, setup, space.rules);
                (node.path().to_vec(), message)
            }))
        }
        (None, Some(total)) if (1..=MAX_TRIALS).contains(&total) => {
            settings.max_trials = total;
            Ok(None)
        }
        (None, _) if demands.ends => Err(section
            .fault(format!("`{}` would make too many trials", setup.algorithm.name()))
            .hint(format!("write `max_trials`, at most {MAX_TRIALS}"))),
        (None, _) => Err(section
            .fault("`max_trials` is missing in `search`")
            .self_contained()
            .hint("write `max_trials: 20`")),
    }
}

fn optional<'a>(section: &Node<'a>, key: &str) -> Option<Node<'a>> {
    section.value().get(key).map(|value| section.child(key, value))
}

fn read_assignments(section: &Node<'_>, space: &Space, setup: &mut Setup) -> Result<(), Fault> {
    if let Some(node) = optional(section, "first") {
        setup.first = assignments::read(&node, space, LeftOut::Default)?;
    }
    let name = setup.algorithm.name();
    match (optional(section, "trials"), setup.algorithm.demands().trials) {
        (Some(node), true) => {
            setup.trials = assignments::read(&node, space, LeftOut::Missing)?;
            Ok(())
        }
        (None, false) => Ok(()),
        (Some(node), false) => Err(node
            .fault(format!("`{name}` has no `trials`"))
            .self_contained()
            .hint("write `algorithm: list`, or `first` for what is tried before the search")),
        (None, true) => Err(section
            .fault("`trials` is missing in `search`")
            .self_contained()
            .hint("list the assignments: `trials: [{units: 32, act: relu}, ...]`")),
    }
}

/// A grid needs values to go through.
fn check_steps(space: &Space, entries: &[Entry]) -> Result<(), Fault> {
    for hyperparameter in &space.hyperparameters {
        let Some(steps) = possible_steps(hyperparameter) else { continue };
        let name = &hyperparameter.name;
        let entry = entries.iter().find(|entry| entry.names.contains(name));
        let key = entry.map_or(name, |entry| &entry.key);
        let path = [Segment::key("space"), Segment::key(key)];
        let fault = Fault::new(&path, format!("a grid needs steps, but `{name}` has none"));
        let hint = format!("{steps}, or list values: `{{choice: [...]}}`");
        return Err(fault.self_contained().hint(hint));
    }
    Ok(())
}

/// How to give a hyperparameter steps, if it has none and needs some.
fn possible_steps(hyperparameter: &HyperParameter) -> Option<String> {
    let (span, sampling) = match &hyperparameter.kind {
        Kind::Float(Numerical { min, max, step: None, sampling, .. }) => (max - min, *sampling),
        Kind::Int(Numerical { min, max, step: None, sampling, .. }) => {
            ((max - min) as f64, *sampling)
        }
        Kind::Int(_)
        | Kind::Float(_)
        | Kind::Choice { .. }
        | Kind::Boolean { .. }
        | Kind::Fixed(_) => return None,
    };
    if span == 0.0 {
        return None;
    }
    Some(match sampling {
        Sampling::Linear => {
            // From 2 to 20 steps.
            let step = 10_f64.powf((span / 2.0).log10().floor());
            format!("give it steps, for example `step: {step}`")
        }
        Sampling::Log | Sampling::ReverseLog => {
            "give it steps, for example `step: 10`, a factor".to_owned()
        }
    })
}

/// A schedule decides how long each trial is trained.
fn check_schedule(document: &Document, section: &Node<'_>, setup: &Setup) -> Result<(), Fault> {
    let name = setup.algorithm.name();
    let train = document.section("train", Scope::Literal(""));
    if let Some(node) = train.and_then(|train| optional(&train, "epochs"))
        && reference(node.value()).is_some()
    {
        let message = format!("`{name}` decides how long each trial is trained, at most so long");
        return Err(node.fault(message).hint("write the most epochs as a number: `epochs: 81`"));
    }
    if let Some(node) = optional(section, "stopping") {
        let fault = node.fault(format!("`{name}` ends trials itself"));
        return Err(fault.hint("leave out `stopping`"));
    }
    Ok(())
}

fn too_many(max_trials: u32, number: u64, setup: &Setup, rules: Rules) -> String {
    let demands = setup.algorithm.demands();
    let what = if demands.trials {
        format!("the file lists only {number}")
    } else if demands.schedules {
        format!("the schedule has only {number}")
    } else {
        let assignments = if number == 1 { "assignment" } else { "assignments" };
        let end = match rules {
            Rules::KerasTuner14 | Rules::KerasTuner10 if !demands.ends => {
                "Keras Tuner ends when it draws too few new ones"
            }
            Rules::Mended | Rules::KerasTuner14 | Rules::KerasTuner10 => "all of them are tried",
        };
        format!("the space has only {number} {assignments}: {end}")
    };
    format!("`max_trials` is {max_trials}, but {what}")
}
