//! What the bars say: a line for the study and one for each worker.
//!
//! Pure text; nothing is drawn here.

use super::events::{brief, find_attempt};
use crate::results::time::duration;
use crate::study::{AttemptId, Outcome, Record, Study};

/// More workers than this share a last line, so that the panel fits on a screen.
pub const WORKER_LINES: usize = 16;

/// The study's bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyLine {
    /// How many trials have ended.
    pub ended: u64,
    /// How many there will be at most.
    pub total: u64,
    /// The best so far and the time left.
    pub text: String,
}

/// Workers and what they are at, in the order of their first appearance.
///
/// A worker that was lost or has left is forgotten until it is seen again.
#[derive(Debug, Clone, Default)]
pub struct Workers(Vec<Worker>);

#[derive(Debug, Clone)]
struct Worker {
    name: String,
    attempt: Option<AttemptId>,
}

impl Workers {
    /// Follows a record.
    ///
    /// - `study`: with the record folded in
    pub fn observe(&mut self, study: &Study, record: &Record) {
        match record {
            Record::AttemptResumed { id } => {
                if let Some(attempt) = study.attempt(*id) {
                    self.at(&attempt.worker, *id);
                }
            }
            Record::AttemptStarted { id, worker, .. } => self.at(worker, *id),
            Record::AttemptEnded { id, outcome } => match outcome {
                Outcome::WorkerLost { .. } | Outcome::WorkerDied { .. } | Outcome::Released => {
                    self.0.retain(|worker| worker.attempt != Some(*id));
                }
                Outcome::Finished
                | Outcome::Error { .. }
                | Outcome::Diverged { .. }
                | Outcome::OutOfMemory { .. }
                | Outcome::Infeasible { .. }
                | Outcome::HostFailed { .. }
                | Outcome::Superseded
                | Outcome::Stopped => {
                    for worker in self.0.iter_mut().filter(|worker| worker.attempt == Some(*id)) {
                        worker.attempt = None;
                    }
                }
            },
            Record::Started { .. }
            | Record::TrialCreated { .. }
            | Record::Measured { .. }
            | Record::CheckpointKept { .. }
            | Record::CheckpointDropped { .. }
            | Record::TrialEnded { .. }
            | Record::StudyEnded { .. } => {}
        }
    }

    fn at(&mut self, worker: &str, id: AttemptId) {
        match self.0.iter_mut().find(|known| known.name == worker) {
            Some(known) => known.attempt = Some(id),
            None => self.0.push(Worker { name: worker.to_owned(), attempt: Some(id) }),
        }
    }

    /// How many are training.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.0.iter().filter(|worker| worker.attempt.is_some()).count()
    }

    /// One line a worker, names aligned; busy workers take precedence where
    /// there are more than [`WORKER_LINES`], and a last line counts the others.
    #[must_use]
    pub fn lines(&self, study: &Study) -> Vec<String> {
        let idle_lines = WORKER_LINES.saturating_sub(self.busy());
        let (mut busy, mut idle) = (0, 0);
        let shown: Vec<&Worker> = self
            .0
            .iter()
            .filter(|worker| {
                let (count, limit) = match worker.attempt {
                    Some(_) => (&mut busy, WORKER_LINES),
                    None => (&mut idle, idle_lines),
                };
                *count += 1;
                *count <= limit
            })
            .collect();
        let width = shown.iter().map(|worker| worker.name.chars().count()).max().unwrap_or(0);
        let mut lines: Vec<String> = shown
            .iter()
            .map(|worker| {
                let doing = worker
                    .attempt
                    .map_or_else(|| "idle".to_owned(), |attempt| attempt_text(study, attempt));
                format!("{:width$}  {doing}", worker.name)
            })
            .collect();
        let more = self.0.len() - shown.len();
        if more > 0 {
            lines.push(format!("+{more} more"));
        }
        lines
    }
}

/// `trial 03  execution 2/2  epoch 4  val_accuracy 0.7431  loss 0.5123`.
fn attempt_text(study: &Study, id: AttemptId) -> String {
    let mut parts = vec![format!("trial {}", study.display_id(id.trial))];
    let executions = study.settings.executions_per_trial;
    if executions > 1 {
        parts.push(format!("execution {}/{executions}", id.execution + 1));
    }
    let stage = study.trials.get(id.trial.0 as usize).and_then(|trial| trial.stage.as_ref());
    let last = stage.map(|stage| format!("/{}", stage.epochs)).unwrap_or_default();
    match find_attempt(study, id).and_then(|attempt| attempt.measurements.last()) {
        Some(measurement) => {
            parts.push(format!("epoch {}{last}", measurement.epoch));
            let mut metrics: Vec<&str> =
                study.settings.objective.metrics().map(|(metric, _)| metric).collect();
            if !metrics.contains(&"loss") {
                metrics.push("loss");
            }
            for metric in metrics {
                if let Some(value) = measurement.get(metric) {
                    parts.push(format!("{metric} {}", brief(value)));
                }
            }
        }
        None => parts.push("first epoch".to_owned()),
    }
    parts.join("  ")
}

/// The study's bar.
///
/// - `busy`: how many workers are training
#[must_use]
pub fn study_line(study: &Study, busy: usize) -> StudyLine {
    let ended = study.tally().trials.ended();
    let total = match study.ended {
        Some(_) => study.trials.len() as u64,
        None => u64::from(study.settings.max_trials).max(ended),
    };
    let best = match study.best().and_then(|trial| Some((trial, trial.score?))) {
        Some((trial, score)) => format!(
            "best {} {} (trial {})",
            study.settings.objective.metric,
            brief(score),
            study.display_id(trial.id)
        ),
        None => "no score yet".to_owned(),
    };
    let text = match seconds_left(study, busy) {
        Some(seconds) => format!("{best}, about {} left", duration(seconds)),
        None => best,
    };
    StudyLine { ended, total, text }
}

/// Mean time of an execution that has ended, times those that remain, shared by the
/// workers that are busy; `None` before one has ended and when the study is over.
fn seconds_left(study: &Study, busy: usize) -> Option<f64> {
    if study.ended.is_some() {
        return None;
    }
    let tally = study.tally();
    let each = u64::from(study.settings.executions_per_trial);
    let finished = tally.open.iter().map(|id| {
        let executions = &study.trials[id.0 as usize].executions;
        executions.iter().filter(|known| known.finished_by.is_some()).count() as u64
    });
    let over = tally.trials.ended() * each + finished.sum::<u64>();
    let remaining = (u64::from(study.settings.max_trials) * each).saturating_sub(over);
    let mean = tally.ended_ms as f64 / 1000.0 / tally.ended as f64;
    (tally.ended > 0).then(|| mean * remaining as f64 / busy.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, staged_study, study, two_objectives};
    use crate::study::{Ended, TrialId};

    fn id(trial: u32, execution: u32, attempt: u32) -> AttemptId {
        AttemptId { trial: TrialId(trial), execution, attempt }
    }

    fn start(workers: &mut Workers, name: &str, id: AttemptId) {
        workers
            .observe(&study(), &Record::AttemptStarted { id, worker: name.to_owned(), from: None });
    }

    fn end(workers: &mut Workers, id: AttemptId, outcome: Outcome) {
        workers.observe(&study(), &Record::AttemptEnded { id, outcome });
    }

    #[test]
    fn workers_say_what_they_are_at() {
        let study = busy_study();
        let mut workers = Workers::default();
        start(&mut workers, "local-1", id(3, 0, 1));
        start(&mut workers, "node-12", id(3, 1, 1));
        start(&mut workers, "gpu", id(2, 0, 1));
        end(&mut workers, id(2, 0, 1), Outcome::Finished);
        assert_eq!(
            workers.lines(&study),
            [
                "local-1  trial 03  execution 1/2  epoch 1  val_accuracy 0.375  loss 1",
                "node-12  trial 03  execution 2/2  first epoch",
                "gpu      idle",
            ]
        );
        assert_eq!(workers.busy(), 2);
    }

    #[test]
    fn schedules_and_several_objectives_fit_in_a_line() {
        let mut workers = Workers::default();
        start(&mut workers, "a", id(1, 0, 1));
        assert_eq!(
            workers.lines(&staged_study()),
            ["a  trial 01  epoch 1/9  val_accuracy 0.25  loss 1"]
        );
        let mut workers = Workers::default();
        start(&mut workers, "a", id(3, 0, 1));
        assert_eq!(
            workers.lines(&two_objectives()),
            ["a  trial 03  execution 1/2  epoch 1  val_accuracy 0.375  loss 1"]
        );
    }

    #[test]
    fn trials_that_were_ended_early_are_part_of_the_way() {
        let line = study_line(&staged_study(), 1);
        // 14 s for two executions; 18 remain.
        assert_eq!(
            (line.ended, line.total, line.text.as_str()),
            (2, 20, "best val_accuracy 0.5 (trial 00), about 2m 06s left")
        );
    }

    #[test]
    fn lost_workers_are_forgotten_and_come_back() {
        let study = study();
        let mut workers = Workers::default();
        start(&mut workers, "a", id(0, 0, 1));
        end(&mut workers, id(0, 0, 1), Outcome::WorkerLost { message: String::new() });
        assert_eq!(workers.lines(&study), [""; 0]);
        start(&mut workers, "a", id(0, 0, 2));
        end(&mut workers, id(0, 0, 1), Outcome::Superseded);
        assert_eq!(workers.lines(&study), ["a  trial 00  execution 1/2  first epoch"]);
    }

    #[test]
    fn many_workers_share_the_last_line() {
        let mut study = study();
        study.settings.executions_per_trial = 1;
        let mut workers = Workers::default();
        for worker in 0..20 {
            start(&mut workers, &format!("w{worker}"), id(worker, 0, 1));
        }
        for worker in 0..5 {
            end(&mut workers, id(worker, 0, 1), Outcome::Finished);
        }
        let lines = workers.lines(&study);
        assert_eq!(lines.len(), WORKER_LINES + 1);
        assert_eq!(lines[0], "w0   idle");
        assert_eq!(lines[1], "w5   trial 05  first epoch");
        assert_eq!(lines[WORKER_LINES], "+4 more");
    }

    #[test]
    fn the_study_says_how_far_it_is() {
        let mut study = busy_study();
        // 4 finished executions took 60 s; of 40, 3 trials' are done.
        assert_eq!(
            study_line(&study, 2),
            StudyLine {
                ended: 3,
                total: 20,
                text: "best val_accuracy 0.875 (trial 02), about 4m 15s left".to_owned(),
            }
        );
        study.ended = Some(Ended::SpaceExhausted);
        assert_eq!(
            study_line(&study, 2),
            StudyLine { ended: 3, total: 4, text: "best val_accuracy 0.875 (trial 02)".to_owned() }
        );
        study.ended = None;
        study.trials.clear();
        study.count();
        assert_eq!(
            study_line(&study, 0),
            StudyLine { ended: 0, total: 20, text: "no score yet".to_owned() }
        );
    }
}
