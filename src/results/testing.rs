//! Studies made by hand for the tests of everything that shows them.

use crate::space::{HyperParameter, Kind, Numerical, Rules, Sampling, Space, Value};
use crate::study::{
    Attempt, Direction, Execution, Measurement, Objective, Outcome, Settings, Stage, Study, Term,
    Trial, TrialId, TrialState,
};

/// 2026-03-01T12:00:00Z.
pub(crate) const NOON_MS: u64 = 1_772_366_400_000;

/// Without trials: `crnn`, 20 trials of 2 executions, `val_accuracy` at most.
pub(crate) fn study() -> Study {
    Study::new(Settings {
        study: "crnn".to_owned(),
        objective: Objective::single("val_accuracy", Direction::Max),
        max_trials: 20,
        executions_per_trial: 2,
        folds: None,
        seed: 2,
        max_retries: 2,
        max_consecutive_failures: 3,
        hours: None,
        epochs: None,
        keep_models: 1,
    })
}

/// A waiting trial without executions, proposed at noon.
pub(crate) fn trial(id: u32, hyperparameters: &[(&str, Value)]) -> Trial {
    Trial {
        name: None,
        stage: None,
        id: TrialId(id),
        hyperparameters: hyperparameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        state: TrialState::Waiting,
        score: None,
        error: None,
        executions: Vec::new(),
        created_ms: NOON_MS,
        ended_ms: None,
    }
}

/// A running attempt, leased at noon; an epoch is its validation accuracy.
pub(crate) fn attempt(number: u32, worker: &str, accuracies: &[f64]) -> Attempt {
    Attempt {
        number,
        worker: worker.to_owned(),
        started_ms: NOON_MS,
        ended_ms: None,
        from: None,
        measurements: accuracies
            .iter()
            .zip(1..)
            .map(|(accuracy, epoch)| measurement(epoch, 1.0 / f64::from(epoch), *accuracy))
            .collect(),
        outcome: None,
    }
}

/// A loss and a validation accuracy.
pub(crate) fn measurement(epoch: u32, loss: f64, accuracy: f64) -> Measurement {
    Measurement {
        epoch,
        metrics: [("loss", loss), ("val_accuracy", accuracy)].into_iter().collect(),
        seconds: 1.25,
    }
}

/// An attempt that ended `seconds` after noon.
pub(crate) fn ended(mut attempt: Attempt, seconds: u64, outcome: Outcome) -> Attempt {
    attempt.ended_ms = Some(attempt.started_ms + seconds * 1000);
    attempt.outcome = Some(outcome);
    attempt
}

/// An execution whose only attempt finished after ten seconds.
pub(crate) fn finished(worker: &str, accuracies: &[f64]) -> Execution {
    let attempt = ended(attempt(1, worker, accuracies), 10, Outcome::Finished);
    Execution { attempts: vec![attempt], finished_by: Some(1) }
}

/// One hyperparameter of every type.
pub(crate) fn space() -> Space {
    let float = Numerical {
        min: 1e-5,
        max: 0.1,
        step: None,
        sampling: Sampling::Log,
        default: Some(0.001),
    };
    let int =
        Numerical { min: 16, max: 128, step: Some(16), sampling: Sampling::Linear, default: None };
    let choices = ["relu", "tanh"].map(|text| Value::Text(text.to_owned())).to_vec();
    let hyperparameters = [
        ("units", Kind::Int(int)),
        ("lr", Kind::Float(float)),
        ("activation", Kind::Choice { values: choices, default: None }),
        ("normalize", Kind::Boolean { default: true }),
        ("depth", Kind::Fixed(Value::Int(4))),
    ];
    Space {
        rules: Rules::default(),
        hyperparameters: hyperparameters
            .map(|(name, kind)| HyperParameter { name: name.to_owned(), kind, when: Vec::new() })
            .to_vec(),
    }
}

/// An assignment of [`space`].
pub(crate) fn assignment(units: i64, lr: f64, activation: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("units", Value::Int(units)),
        ("lr", Value::Float(lr)),
        ("activation", Value::Text(activation.to_owned())),
        ("normalize", Value::Bool(false)),
        ("depth", Value::Int(4)),
    ]
}

/// Four trials: completed, failed, completed and better after a lost worker,
/// and one that is running.
pub(crate) fn busy_study() -> Study {
    let mut study = study();

    let mut good = trial(0, &assignment(64, 0.001, "relu"));
    good.state = TrialState::Completed;
    good.score = Some(0.6875);
    good.ended_ms = Some(NOON_MS + 10_000);
    good.executions =
        vec![finished("local-1", &[0.25, 0.75, 0.5]), finished("local-2", &[0.625, 0.5])];

    let message = "layer 3 `conv2d`: needs 3 rows, \"got\" 2,\nso it has no output";
    let mut bad = trial(1, &assignment(128, 1e-5, "tanh"));
    bad.state = TrialState::Failed;
    bad.error = Some(message.to_owned());
    bad.ended_ms = Some(NOON_MS + 3000);
    let outcome = Outcome::Error { message: message.to_owned() };
    bad.executions = vec![
        Execution {
            attempts: vec![ended(attempt(1, "local-1", &[]), 3, outcome)],
            finished_by: None,
        },
        Execution::default(),
    ];

    let mut best = trial(2, &assignment(16, 0.05, "relu"));
    best.state = TrialState::Completed;
    best.score = Some(0.875);
    best.ended_ms = Some(NOON_MS + 30_000);
    let lost = Outcome::WorkerLost { message: "not heard of for 20 s".to_owned() };
    let second = Execution {
        attempts: vec![
            ended(attempt(1, "local-1", &[0.125]), 20, lost),
            ended(attempt(2, "node-7", &[f64::NAN, 0.9375]), 30, Outcome::Finished),
        ],
        finished_by: Some(2),
    };
    best.executions = vec![finished("local-2", &[0.8125]), second];

    let mut running = trial(3, &assignment(32, 0.01, "tanh"));
    running.state = TrialState::Running;
    running.executions = vec![
        Execution { attempts: vec![attempt(1, "local-1", &[0.375])], finished_by: None },
        Execution::default(),
    ];

    study.trials = vec![good, bad, best, running];
    study.count();
    study
}

/// [`busy_study`] with a second objective: half the loss, to be small.
pub(crate) fn two_objectives() -> Study {
    let mut study = busy_study();
    let term =
        |metric: &str, direction, weight| Term { metric: metric.to_owned(), direction, weight };
    study.settings.objective = Objective::several(vec![
        term("val_accuracy", Direction::Max, 1.0),
        term("loss", Direction::Min, 0.5),
    ]);
    for trial in study.trials.iter_mut().filter(|trial| trial.score.is_some()) {
        trial.score = trial.score_so_far(&study.settings.objective);
    }
    study.count();
    study
}

/// Three trials of one execution: one of hyperband's first round, one that was
/// promoted from it and is running, and one with a name that was stopped.
pub(crate) fn staged_study() -> Study {
    let mut study = study();
    study.settings.executions_per_trial = 1;
    let stage = |round, epochs, promoted_from: Option<u32>| Stage {
        iteration: 0,
        bracket: 2,
        round,
        epochs,
        is_last: false,
        promoted_from: promoted_from.map(TrialId),
    };

    let mut source = trial(0, &assignment(64, 0.001, "relu"));
    source.stage = Some(stage(0, 3, None));
    source.state = TrialState::Completed;
    source.score = Some(0.5);
    source.ended_ms = Some(NOON_MS + 10_000);
    source.executions = vec![finished("local-1", &[0.25, 0.375, 0.5])];

    let mut promoted = trial(1, &assignment(64, 0.001, "relu"));
    promoted.stage = Some(stage(1, 9, Some(0)));
    promoted.state = TrialState::Running;
    promoted.executions =
        vec![Execution { attempts: vec![attempt(1, "local-1", &[0.25])], finished_by: None }];

    let mut stopped = trial(2, &assignment(16, 0.05, "tanh"));
    stopped.name = Some("B-2".to_owned());
    stopped.state = TrialState::Stopped;
    stopped.score = Some(0.125);
    stopped.ended_ms = Some(NOON_MS + 4000);
    let attempt = ended(attempt(1, "local-2", &[0.125, 0.0625]), 4, Outcome::Stopped);
    stopped.executions = vec![Execution { attempts: vec![attempt], finished_by: None }];

    study.trials = vec![source, promoted, stopped];
    study.count();
    study
}
