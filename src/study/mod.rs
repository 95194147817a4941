//! A study: its settings and its trials, folded from [`Record`]s.
//!
//! Only [`Study::apply`] changes a trial. What the store keeps is the sequence
//! of records, so a study read back is the study that was, and tables need no
//! running coordinator.

mod checkpoint;
mod fold;
mod metrics;
mod objective;
mod record;
mod tally;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use checkpoint::{Checkpoint, CheckpointId};
pub use fold::FoldError;
pub use metrics::Metrics;
pub use objective::{Direction, MULTI_OBJECTIVE, Objective, Term};
pub use record::{Outcome, Record, Stamped};
pub use tally::{Tally, TrialCounts};

use crate::space::HyperParameters;

/// Number of a trial, from 0, in the order of proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialId(pub u32);

/// One lease of one execution of one trial: the fencing token of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The trial.
    pub trial: TrialId,
    /// Which of the trial's executions, from 0.
    pub execution: u32,
    /// Which lease of that execution, from 1.
    pub attempt: u32,
}

/// What decides a study's course, apart from the space and the oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the study.
    pub study: String,
    /// What the search improves.
    pub objective: Objective,
    /// How many trials are proposed at most.
    pub max_trials: u32,
    /// How often each trial is trained.
    pub executions_per_trial: u32,
    /// How many folds the examples are divided into, if they are: as many as a
    /// trial has executions, of which each validates on another one.
    #[serde(default)]
    pub folds: Option<u32>,
    /// Seeds proposals and, mixed with trial and execution, training.
    pub seed: u64,
    /// How many failed attempts of an execution are tried again.
    pub max_retries: u32,
    /// How many trials may fail one after another before the study ends.
    pub max_consecutive_failures: u32,
    /// Wall-clock limit of one run of the command, in hours.
    pub hours: Option<f64>,
    /// How many epochs are trained in all at most.
    pub epochs: Option<u64>,
    /// Of how many of the best trials the model is kept; at least 1.
    pub keep_models: u32,
}

/// Settings and trials.
#[derive(Debug, Clone)]
pub struct Study {
    /// What decides the study's course.
    pub settings: Settings,
    /// In the order of proposal; a [`TrialId`] is an index.
    pub trials: Vec<Trial>,
    /// Why the study is over, once it is.
    pub ended: Option<Ended>,
    /// How many trials failed one after another, in the order in which they ended.
    pub consecutive_failures: u32,
    /// Where the oracle's draws go on.
    pub seed_state: u64,
    /// Digests of all proposed assignments, so that none is proposed twice.
    pub proposed: HashSet<[u8; 16]>,
    /// Lists of the names of metrics, each kept once.
    metric_names: HashSet<metrics::Names>,
    /// The checkpoints that are kept, at most one an attempt.
    pub checkpoints: BTreeMap<AttemptId, Checkpoint>,
    /// How many epochs were trained in all attempts, those that count for nothing included.
    pub epochs_trained: u64,
    /// Of `trials`.
    tally: Tally,
}

/// Why a study is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All `max_trials` trials have ended.
    MaxTrials,
    /// Every assignment of a finite space was tried.
    SpaceExhausted,
    /// `max_consecutive_failures` trials failed one after another.
    ConsecutiveFailures,
    /// `hours` have passed.
    Hours,
    /// `epochs` were trained.
    Epochs,
}

/// One assignment and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its number.
    pub id: TrialId,
    /// The assignment.
    pub hyperparameters: HyperParameters,
    /// The name that the experiment file gives the assignment.
    pub name: Option<String>,
    /// Its place in a schedule that trains promising trials longer.
    pub stage: Option<Stage>,
    /// Where it stands.
    pub state: TrialState,
    /// Mean over executions of the best epoch's objective; only when completed or
    /// stopped.
    pub score: Option<f64>,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// `executions_per_trial` of them.
    pub executions: Vec<Execution>,
    /// When it was proposed, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When it ended, milliseconds since the Unix epoch.
    pub ended_ms: Option<u64>,
}

/// A trial's place in hyperband's schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Which run through all brackets, from 0.
    pub iteration: u32,
    /// Its bracket; a higher one starts more trials with fewer epochs.
    pub bracket: u32,
    /// Its round of the bracket, from 0.
    pub round: u32,
    /// How many epochs its training has in all, those of the trials that it
    /// was promoted from included.
    pub epochs: u32,
    /// Whether no round comes after.
    pub is_last: bool,
    /// The trial of the round before whose training it goes on with.
    pub promoted_from: Option<TrialId>,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialState {
    /// No execution has started.
    Waiting,
    /// Some execution has started, not all have ended.
    Running,
    /// All executions are there, and it has a score.
    Completed,
    /// Ended early by the oracle; has a score.
    Stopped,
    /// Can never run: its network has no valid shape, or does not fit in memory.
    Infeasible,
    /// Tried in vain.
    Failed,
}

/// One training of a trial's network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Execution {
    /// In order; attempt number `n` is at `n - 1`.
    pub attempts: Vec<Attempt>,
    /// Number of the attempt whose result counts, once there is one.
    pub finished_by: Option<u32>,
}

/// One lease of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Name of the worker.
    pub worker: String,
    /// When it was leased, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// When it ended, milliseconds since the Unix epoch.
    pub ended_ms: Option<u64>,
    /// The checkpoint that it started from; absent: it began with epoch 1.
    pub from: Option<CheckpointId>,
    /// One an epoch, in the order of epochs. Those up to the epoch of `from`
    /// are the source's.
    pub measurements: Vec<Measurement>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// All metrics of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// From 1.
    pub epoch: u32,
    /// What was measured.
    pub metrics: Metrics,
    /// Wall-clock seconds of the epoch.
    pub seconds: f64,
}

impl Measurement {
    /// Looks a metric up.
    #[must_use]
    pub fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.get(metric)
    }
}

impl Attempt {
    /// The first of the epochs with the best objective, and its value. An epoch
    /// whose objective is not a finite number is none of them.
    #[must_use]
    pub fn best(&self, objective: &Objective) -> Option<(&Measurement, f64)> {
        let mut best: Option<(&Measurement, f64)> = None;
        for measurement in &self.measurements {
            if let Some(value) = objective.value(measurement)
                && value.is_finite()
                && best.is_none_or(|(_, known)| objective.is_better(value, known))
            {
                best = Some((measurement, value));
            }
        }
        best
    }
}

impl Execution {
    /// The attempt whose result counts or, before there is one, the latest.
    #[must_use]
    pub fn current(&self) -> Option<&Attempt> {
        match self.finished_by {
            Some(number) => self.attempts.get(number as usize - 1),
            None => self.attempts.last(),
        }
    }
}

impl Trial {
    /// Mean over the executions that have one of the best epoch's objective.
    #[must_use]
    pub fn score_so_far(&self, objective: &Objective) -> Option<f64> {
        let bests = self.executions.iter().filter_map(|execution| {
            let (_, best) = execution.current()?.best(objective)?;
            Some(best)
        });
        let bests: Vec<f64> = bests.collect();
        (!bests.is_empty()).then(|| bests.iter().sum::<f64>() / bests.len() as f64)
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self.state {
            TrialState::Waiting | TrialState::Running => false,
            TrialState::Completed
            | TrialState::Stopped
            | TrialState::Infeasible
            | TrialState::Failed => true,
        }
    }
}

impl Study {
    /// A study without trials.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let seed_state = settings.seed;
        Self {
            settings,
            trials: Vec::new(),
            ended: None,
            consecutive_failures: 0,
            seed_state,
            proposed: HashSet::new(),
            metric_names: HashSet::new(),
            checkpoints: BTreeMap::new(),
            epochs_trained: 0,
            tally: Tally::default(),
        }
    }

    /// What is counted of the trials.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Counts the trials anew, after a test has put them there by hand.
    #[cfg(test)]
    pub(crate) fn count(&mut self) {
        self.tally = Tally::of(self);
    }

    /// Trials with a score, best first; of equal scores the earlier trial first.
    #[must_use]
    pub fn ranked(&self) -> Vec<&Trial> {
        self.tally.ranking.iter().map(|id| &self.trials[id.0 as usize]).collect()
    }

    /// Whether nothing more will happen to any trial that was proposed.
    #[must_use]
    pub fn all_have_ended(&self) -> bool {
        self.tally.open.is_empty()
    }

    /// Whether as many epochs were trained as `limits.epochs` allows.
    #[must_use]
    pub fn is_at_epoch_limit(&self) -> bool {
        self.settings.epochs.is_some_and(|limit| self.epochs_trained >= limit)
    }

    /// The best trial, if one has a score.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        let best = self.tally.ranking.first()?;
        self.trials.get(best.0 as usize)
    }

    /// A trial's number as people see it, padded like Keras Tuner's.
    #[must_use]
    pub fn display_id(&self, id: TrialId) -> String {
        let width = self.settings.max_trials.to_string().len();
        format!("{:0width$}", id.0)
    }
}

impl fmt::Display for TrialState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Infeasible => "infeasible",
            Self::Failed => "failed",
        })
    }
}
