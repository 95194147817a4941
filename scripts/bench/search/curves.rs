//! A simulator of learning curves, to see what stopping trials early is worth.
//!
//! A *landscape* is drawn from a seed: where in the cube of four hyperparameters
//! the best network is, and how fast each network learns. A network's error goes
//! from 0.9 to an `end` that grows with the squared distance from the best place
//! and is reached at epoch 30; on the way the rest of the error halves every 0.5
//! to 8 epochs. Small learning rates are slower, and half of the speed is chance,
//! so curves cross: after the first epochs many a good network is behind. Each
//! measurement has normal noise of 0.01.
//!
//! The search itself is the product's: [`Search::decide`] gives four workers of
//! different speeds their executions and tells them to stop. A study has 1,200
//! epochs in all; its regret is the error, without noise, of the network that it
//! calls its best, less the lowest `end` there is.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sweep::coordinator::decide::{Event, Now, Planner, Reply, ReplyTo, Search};
use sweep::coordinator::leases::Worker;
use sweep::oracle::{Knobs, Setup, StoppingRule};
use sweep::space::{HyperParameter, HyperParameters, Kind, Numerical, Sampling, Space};
use sweep::study::{AttemptId, Measurement, Outcome, Stage, TrialState};
use sweep_proto::v1::Specification;

use super::settings;

/// Of a whole training.
const EPOCHS: u32 = 30;
/// Of a study.
const BUDGET: u32 = 1_200;
const START: f64 = 0.9;
const LOWEST_END: f64 = 0.1;
const NOISE: f64 = 0.01;
/// Milliseconds that each worker takes for an epoch.
const WORKERS: [u64; 4] = [1_000, 1_100, 1_300, 1_700];

/// What a study came to.
pub(crate) struct Result {
    pub(crate) regret: f64,
    pub(crate) trials: usize,
    pub(crate) completed: usize,
}

/// Random search of one landscape, with a stopping rule or without.
pub(crate) fn search(rule: Option<StoppingRule>, seed: u64) -> Result {
    let landscape = Landscape::new(seed);
    let stopping = rule.map(|rule| (rule, Knobs::defaults(rule.knobs())));
    let setup = Setup { stopping, epochs: EPOCHS, ..Setup::random() };
    let mut settings = settings(seed);
    if rule.is_none() {
        // So that none is cut off: the budget comes to whole trainings.
        settings.max_trials = BUDGET / EPOCHS;
    }
    let now = Now { unix_ms: 0, monotonic_ms: 0 };
    let study = sweep::study::Study::new(settings);
    let oracle = setup.oracle(&landscape.space);
    let search = Search::new(study, oracle, setup.stopping(), Box::new(Anything), LEASE_MS, now);
    let mut simulation = Simulation { search, landscape, now, calls: 0 };
    simulation.run();
    simulation.result()
}

/// No worker is ever lost.
const LEASE_MS: u64 = 1 << 40;

/// Every assignment can be trained.
struct Anything;

impl Planner for Anything {
    fn plan(
        &self,
        _hyperparameters: &HyperParameters,
        _stage: Option<&Stage>,
    ) -> std::result::Result<Specification, String> {
        Ok(Specification::default())
    }
}

struct Simulation {
    search: Search,
    landscape: Landscape,
    now: Now,
    calls: u64,
}

/// A worker's training, and when it has its next epoch behind it.
struct Training {
    id: AttemptId,
    /// Of the worker that has it.
    instance: u64,
    curve: Curve,
    epoch: u32,
}

impl Simulation {
    /// Until the epochs are used up or there is nothing left to do.
    fn run(&mut self) {
        let mut workers: [Option<Training>; WORKERS.len()] = Default::default();
        let mut ready_ms = [0; WORKERS.len()];
        let mut epochs = 0;
        while epochs < BUDGET {
            let (worker, at_ms) =
                (0..).zip(ready_ms).min_by_key(|(_, at_ms)| *at_ms).expect("there are workers");
            if at_ms == u64::MAX {
                return;
            }
            self.now = Now { unix_ms: at_ms, monotonic_ms: at_ms };
            let worker: usize = worker;
            if workers[worker].is_none() {
                workers[worker] = self.acquire(worker);
            }
            match &mut workers[worker] {
                None => ready_ms[worker] = u64::MAX,
                Some(training) => {
                    epochs += 1;
                    ready_ms[worker] += WORKERS[worker];
                    if !self.train_an_epoch(training) {
                        workers[worker] = None;
                    }
                }
            }
        }
    }

    fn acquire(&mut self, worker: usize) -> Option<Training> {
        let instance = worker as u64 + 1;
        let worker = Worker { name: format!("worker-{worker}"), instance, ..Worker::default() };
        let reply = self.ask(|reply_to| Event::Acquire { reply_to, worker });
        let Some(Reply::Assigned { id, .. }) = reply else { return None };
        let trial = &self.search.study().trials[id.trial.0 as usize];
        let curve = self.landscape.curve(&trial.hyperparameters);
        Some(Training { id, instance, curve, epoch: 0 })
    }

    /// Returns whether the training goes on.
    fn train_an_epoch(&mut self, training: &mut Training) -> bool {
        training.epoch += 1;
        let (id, instance, epoch) = (training.id, training.instance, training.epoch);
        let metrics = [("loss", training.curve.measured(epoch))].into_iter().collect();
        let measurements = vec![Measurement { epoch, metrics, seconds: 1.0 }];
        let report = |reply_to| Event::Report { reply_to, id, instance, measurements };
        let reply = self.ask(report);
        if reply != Some(Reply::Continue) {
            return false;
        }
        if epoch == EPOCHS {
            let outcome = Outcome::Finished;
            self.ask(|reply_to| Event::Complete { reply_to, id, instance, outcome });
        }
        epoch < EPOCHS
    }

    fn ask(&mut self, event: impl FnOnce(ReplyTo) -> Event) -> Option<Reply> {
        self.calls += 1;
        let reply_to = ReplyTo(self.calls);
        let decision = self.search.decide(self.now, event(reply_to));
        decision.replies.into_iter().find(|(to, _)| *to == reply_to).map(|(_, reply)| reply)
    }

    fn result(&self) -> Result {
        let study = self.search.study();
        let best = study.best().expect("trials have ended");
        let attempt = best.executions[0].current().expect("it was trained");
        let (measurement, _) = attempt.best(&study.settings.objective).expect("it was measured");
        let curve = self.landscape.curve(&best.hyperparameters);
        let completed =
            study.trials.iter().filter(|trial| trial.state == TrialState::Completed).count();
        Result {
            regret: curve.error(measurement.epoch) - LOWEST_END,
            trials: study.trials.len(),
            completed,
        }
    }
}

/// Which networks are good, and which learn fast.
struct Landscape {
    space: Space,
    best: [f64; 4],
    seed: u64,
}

impl Landscape {
    fn new(seed: u64) -> Self {
        let range =
            |min, max, sampling| Numerical { min, max, step: None, sampling, default: None };
        let kinds = [
            ("learning_rate", Kind::Float(range(1e-4, 1e-1, Sampling::Log))),
            ("weight_decay", Kind::Float(range(1e-6, 1e-2, Sampling::Log))),
            ("dropout", Kind::Float(range(0.0, 0.6, Sampling::Linear))),
            ("momentum", Kind::Float(range(0.0, 0.99, Sampling::Linear))),
        ];
        let hyperparameters = kinds.map(|(name, kind)| HyperParameter {
            name: name.to_owned(),
            kind,
            when: Vec::new(),
        });
        let space = Space { hyperparameters: hyperparameters.to_vec(), ..Space::default() };
        let mut random = StdRng::seed_from_u64(seed);
        let best = std::array::from_fn(|_| random.random_range(0.2..0.8));
        Self { space, best, seed }
    }

    /// The same for the same assignment.
    fn curve(&self, assignment: &HyperParameters) -> Curve {
        const WEIGHTS: [f64; 4] = [1.0, 0.6, 0.4, 0.3];
        let positions: Vec<f64> = self
            .space
            .hyperparameters
            .iter()
            .zip(assignment.iter())
            .map(|(declared, (_, value))| {
                let position = declared.kind.probability_of(self.space.rules, value);
                position.expect("it was drawn from this space")
            })
            .collect();
        let distances = positions.iter().zip(self.best).map(|(position, best)| position - best);
        let squares = distances.zip(WEIGHTS).map(|(distance, weight)| weight * distance * distance);
        let end = LOWEST_END + squares.sum::<f64>().min(START - LOWEST_END);
        let digest = assignment.digest();
        let own = u64::from_le_bytes(digest[..8].try_into().expect("eight of sixteen bytes"));
        let mut random = StdRng::seed_from_u64(self.seed ^ own);
        let slowness = 0.5 * (1.0 - positions[0]) + 0.5 * random.random::<f64>();
        Curve { end, half_epochs: 0.5 * 16.0_f64.powf(slowness), noise: random }
    }
}

/// How one network's error falls.
struct Curve {
    end: f64,
    half_epochs: f64,
    noise: StdRng,
}

impl Curve {
    fn error(&self, epoch: u32) -> f64 {
        let left = |epoch: u32| 2.0_f64.powf(-f64::from(epoch) / self.half_epochs);
        let share = (left(epoch) - left(EPOCHS)) / (1.0 - left(EPOCHS));
        self.end + (START - self.end) * share
    }

    fn measured(&mut self, epoch: u32) -> f64 {
        // Box and Muller's normal number.
        let radius = (-2.0 * (1.0 - self.noise.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.noise.random::<f64>();
        self.error(epoch) + NOISE * radius * angle.cos()
    }
}
