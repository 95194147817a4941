//! Studies of given learning curves, for tests of rules.

use crate::oracle::Proposal;
use crate::oracle::testing::{create, study};
use crate::study::{AttemptId, Direction, Measurement, Record, Stamped, Study, TrialId};

/// A study whose trials run, each with one execution: its losses, epoch by epoch.
pub(super) fn curves(direction: Direction, curves: &[&[f64]]) -> Study {
    let mut study = study(1);
    study.settings.objective.direction = direction;
    for curve in curves {
        let id = AttemptId { trial: create(&mut study, Proposal::default()), ..first(0) };
        apply(&mut study, Record::AttemptStarted { id, worker: "w".to_owned(), from: None });
        for (epoch, loss) in (1..).zip(*curve) {
            let metrics = [("loss", *loss)].into_iter().collect();
            let measurement = Measurement { epoch, metrics, seconds: 1.0 };
            apply(&mut study, Record::Measured { id, measurement });
        }
    }
    study
}

/// The first attempt of a trial's first execution.
pub(super) fn first(trial: usize) -> AttemptId {
    AttemptId { trial: TrialId(trial as u32), execution: 0, attempt: 1 }
}

pub(super) fn apply(study: &mut Study, record: Record) {
    study.apply(&Stamped { at_ms: 0, record }).expect("it fits");
}
