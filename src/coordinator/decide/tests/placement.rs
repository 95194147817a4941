//! Trials that do not fit every worker.

use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{Dataset, Dense, Layer, Model};

use super::*;
use crate::coordinator::placement::{MAX_HELD, PATIENCE_MS, STARTING_MS};
use crate::status::Machine;

/// The network has as many units as the assignment says, and a thousand inputs: about
/// 8 KB a unit.
struct Wide;

impl Planner for Wide {
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        _: Option<&Stage>,
    ) -> Result<Specification, String> {
        let Some(Value::Int(units)) = hyperparameters.get("units") else { unreachable!() };
        let units = u32::try_from(*units).expect("in range");
        let dense = Dense { units, ..Dense::default() };
        let layer = Layer { name: "dense".to_owned(), kind: Some(LayerKind::Dense(dense)) };
        Ok(Specification {
            model: Some(Model { layers: vec![layer] }),
            training: Some(Training { epochs: 3, batch_size: 1, ..Training::default() }),
            dataset: Some(Dataset {
                input_shape: vec![1000],
                classes: units,
                ..Dataset::default()
            }),
            objective: None,
        })
    }
}

/// A worker with a device of so many bytes.
fn with(bytes: u64, name: &str) -> Worker {
    let machine = Machine { memory_bytes: Some(bytes), ..Machine::default() };
    Worker { machine, ..worker(name) }
}

const SMALL: u64 = 1 << 20;
const LARGE: u64 = 1 << 30;

/// Every trial takes about 8 MB.
fn script(settings: Settings) -> Script {
    let mut script = Script::new(settings, units(1000, 1000 + 200));
    script.search.planner = Box::new(Wide);
    script
}

fn ran_out() -> Outcome {
    Outcome::OutOfMemory { message: "needs more".to_owned() }
}

#[test]
fn what_does_not_fit_waits_for_the_worker_that_it_fits() {
    let mut script = script(settings());
    assert_eq!(script.acquire_as(with(SMALL, "small")), None);
    assert_eq!(script.search.study().trials.len(), 2, "both are proposed, and neither fits");
    assert_eq!(script.acquire_as(with(LARGE, "large")), Some(id(0, 0, 1)));
    assert_eq!(script.acquire("unknown"), Some(id(1, 0, 1)), "one that does not say");
}

#[test]
fn a_worker_that_is_passed_over_keeps_nobody_waiting_and_keeps_its_place() {
    let settings = Settings { max_trials: 1, ..settings() };
    let mut script = script(settings);
    assert_eq!(script.acquire_as(with(LARGE, "large")), Some(id(0, 0, 1)));
    assert_eq!(script.acquire_as(with(SMALL, "small")), None);
    assert_eq!(script.acquire_as(with(LARGE, "large-2")), None);
    script.complete(id(0, 0, 1), Outcome::Released);
    let attempt = script.search.study().attempt(id(0, 0, 2)).expect("leased again");
    assert_eq!(attempt.worker, "large-2");
    let waiting: Vec<&str> =
        script.search.parked.iter().map(|(_, worker, _)| worker.name.as_str()).collect();
    assert_eq!(waiting, ["small"]);
}

#[test]
fn no_more_is_proposed_than_can_wait() {
    let settings = Settings { max_trials: 100, ..settings() };
    let mut script = script(settings);
    script.acquire_as(with(SMALL, "small"));
    assert_eq!(script.search.study().trials.len(), MAX_HELD);
}

#[test]
fn where_nobody_larger_comes_the_largest_tries_it_and_says_so() {
    let settings = Settings { max_trials: 1, ..settings() };
    // Alone on its machine: as soon as all workers can have started.
    let mut alone = script(settings.clone());
    alone.search = alone.search.expecting(2, None);
    assert_eq!(alone.acquire_as(with(SMALL, "small")), None);
    alone.pass(STARTING_MS - 1);
    assert_eq!(alone.outcome_or_none(), None);
    alone.pass(1);
    assert_eq!(alone.acquire_as(with(SMALL, "small")), Some(id(0, 0, 1)));
    alone.complete(id(0, 0, 1), ran_out());
    assert_eq!(alone.trial(0).state, TrialState::Infeasible);
    assert_eq!(alone.trial(0).error.as_deref(), Some("out of memory: needs more"));

    // Where others may come: in ten minutes, and the user knows.
    let mut open = script(settings);
    open.search = open.search.expecting(0, Some(PATIENCE_MS));
    let mut warnings = Vec::new();
    assert_eq!(open.acquire_as(with(SMALL, "small")), None);
    for _ in 0..10 {
        open.now.monotonic_ms += 59_000;
        let worker = with(SMALL, "small");
        open.callers.insert(ReplyTo(99), worker.instance);
        let acquire = Event::Acquire { reply_to: ReplyTo(99), worker };
        assert!(open.search.decide(open.now, acquire).records.is_empty());
        warnings.extend(open.search.decide(open.now, Event::Tick).warnings);
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("trial 0 takes at least 0.0 GiB"), "{warnings:?}");
    let status = open.search.status(open.now, "test");
    assert_eq!(status.too_large.len(), 1, "{status:?}");
    open.now.monotonic_ms = PATIENCE_MS;
    assert_eq!(open.acquire_as(with(SMALL, "small-2")), None, "the first has it");
    assert_eq!(open.search.study().attempt(id(0, 0, 1)).expect("leased").worker, "small");
}

#[test]
fn what_runs_out_of_memory_goes_to_a_larger_worker() {
    let settings = Settings { max_trials: 1, ..settings() };
    let mut script = script(settings);
    script.search = script.search.expecting(1, None);
    let middle = 500 << 20;
    assert_eq!(script.acquire_as(with(middle, "middle")), Some(id(0, 0, 1)));
    assert_eq!(script.acquire_as(with(LARGE, "large")), None);
    script.complete(id(0, 0, 1), ran_out());
    assert_eq!(script.trial(0).state, TrialState::Running, "tried again");
    assert_eq!(script.search.study().attempt(id(0, 0, 2)).expect("leased").worker, "large");
    script.complete(id(0, 0, 2), ran_out());
    assert_eq!(script.trial(0).state, TrialState::Infeasible, "none is larger");
}

impl Script {
    /// The outcome of trial 0's first attempt, if there is one.
    fn outcome_or_none(&self) -> Option<&Outcome> {
        self.search.study().attempt(id(0, 0, 1))?.outcome.as_ref()
    }
}

proptest! {
    /// What is proposed, and in which order, does not depend on who is there.
    #[test]
    fn proposals_do_not_depend_on_sizes(sizes in proptest::collection::vec(0_u64..3, 1..40)) {
        let settings = Settings { max_trials: 12, ..settings() };
        let proposals = |script: &Script| -> Vec<HyperParameters> {
            script.search.study().trials.iter().map(|trial| trial.hyperparameters.clone()).collect()
        };
        let mut plain = script(settings.clone());
        for _ in 0..12 {
            let id = plain.acquire("a").expect("one more");
            plain.report(id, vec![accuracy(1, 0.5)]);
            plain.complete(id, Outcome::Finished);
        }
        let mut mixed = script(settings);
        for (index, size) in sizes.into_iter().enumerate() {
            let bytes = [SMALL, 500 << 20, LARGE][size as usize];
            let worker = with(bytes, &"w".repeat(index + 1));
            if let Some(id) = mixed.acquire_as(worker) {
                mixed.report(id, vec![accuracy(1, 0.5)]);
                mixed.complete(id, Outcome::Finished);
            }
        }
        let (mixed, plain) = (proposals(&mixed), proposals(&plain));
        prop_assert_eq!(&mixed[..], &plain[..mixed.len()]);
    }
}
