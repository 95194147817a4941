//! Schedules by hand; those of Keras are among the golden values.

use sweep_proto::v1::{Cosine, Direction, Exponential, Step};

use super::*;
use crate::metrics::Scores;
use crate::testing;

const BASE: f64 = 0.5;

fn schedule(kind: Kind) -> Result<Schedule, TrainingError> {
    let settings = v1::Schedule { kind: Some(kind) };
    Schedule::new(BASE, Some(&settings), 4, &testing::schema(true))
}

fn rates(kind: Kind, epochs: u32) -> Vec<f64> {
    let schedule = schedule(kind).expect("it has a meaning");
    (1..=epochs).map(|epoch| schedule.learning_rate(epoch, 0)).collect()
}

#[test]
fn from_epoch_to_epoch() {
    let constant =
        Schedule::new(BASE, None, 4, &testing::schema(true)).expect("nothing to get wrong");
    assert_eq!(constant.learning_rate(7, 99), BASE);
    let exponential = Kind::Exponential(Exponential { hold: 2, factor: 0.5 });
    assert_eq!(rates(exponential, 5), [0.5, 0.5, 0.25, 0.125, 0.0625]);
    let step = Kind::Step(Step { every: 2, factor: 0.5 });
    assert_eq!(rates(step, 5), [0.5, 0.5, 0.25, 0.25, 0.125]);
}

#[test]
fn from_step_to_step() {
    let kind = Kind::Cosine(Cosine { epochs: 3, warmup: 1, minimum: 0.1 });
    let schedule = schedule(kind).expect("it has a meaning");
    let rate = |steps| schedule.learning_rate(1, steps);
    assert_eq!([rate(0), rate(1), rate(3)], [0.0, 0.125, 0.375]);
    assert_eq!(rate(4), BASE);
    assert!((rate(8) - BASE * 0.55).abs() < 1e-12);
    assert!((rate(12) - BASE * 0.1).abs() < 1e-12);
    assert_eq!(rate(13), rate(12));
}

fn plateau(patience: u32, cooldown: u32, minimum: f64) -> v1::Plateau {
    v1::Plateau {
        monitor: "val_loss".to_owned(),
        direction: Direction::Min.into(),
        factor: 0.5,
        patience,
        min_delta: 0.1,
        cooldown,
        minimum,
    }
}

/// The learning rate after each epoch of such a loss.
fn after(settings: v1::Plateau, losses: &[f64]) -> Vec<f64> {
    let mut schedule = schedule(Kind::Plateau(settings)).expect("it has a meaning");
    let mut rates = Vec::new();
    for &loss in losses {
        let scores = Scores { loss, ..Scores::default() };
        schedule.follow(&testing::schema(true).measured(&scores, &scores, 0.0));
        // Whatever it remembers is in its state.
        let mut other = self::schedule(Kind::Plateau(plateau(9, 9, 9.0))).expect("a meaning");
        assert!(other.set_state(schedule.state()) && other.state() == schedule.state());
        rates.push(schedule.learning_rate(1, 0));
    }
    rates
}

#[test]
fn a_plateau_waits_and_rests() {
    let losses = [1.0, 0.95, 0.95, 0.8, 0.75, 0.71, 0.71];
    assert_eq!(after(plateau(2, 0, 0.0), &losses), [0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125]);
    let flat = [1.0; 8];
    let rested = [0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.1];
    assert_eq!(after(plateau(1, 3, 0.1), &flat)[..7], [0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125]);
    assert_eq!(after(plateau(1, 3, 0.1), &flat), rested);
    assert_eq!(after(plateau(1, 0, 0.2), &flat[..4]), [0.5, 0.25, 0.2, 0.2]);
}

#[test]
fn what_has_no_meaning_is_named() {
    let no_step = Kind::Step(Step { every: 0, factor: 0.5 });
    let all_warmup = Kind::Cosine(Cosine { epochs: 3, warmup: 3, minimum: 0.0 });
    let growing = Kind::Plateau(v1::Plateau { factor: 1.0, ..plateau(1, 0, 0.0) });
    for (kind, expected) in [
        (no_step, "the specification's schedule's `every` must be at least 1"),
        (all_warmup, "the specification's schedule's `warmup` must be shorter than its epochs"),
        (growing, "the specification's schedule's `factor` must be below 1"),
    ] {
        assert_eq!(schedule(kind).expect_err("no meaning").to_string(), expected);
    }
    let unknown = Kind::Plateau(v1::Plateau { monitor: "roc".to_owned(), ..plateau(1, 0, 0.0) });
    let error = schedule(unknown).expect_err("not measured").to_string();
    assert!(error.starts_with("the schedule's monitor `roc` is not measured; "), "{error}");
    let mut constant =
        Schedule::new(BASE, None, 4, &testing::schema(true)).expect("nothing to get wrong");
    let state = PlateauState { learning_rate: 0.1, best: None, waited: 0, resting: 0 };
    assert!(!constant.set_state(Some(state)) && constant.set_state(None));
}
