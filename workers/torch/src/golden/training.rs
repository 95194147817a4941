//! Optimizers, schedules, losses, regularizers and metrics.

use sweep_proto::v1::Function;
use sweep_proto::v1::loss::Kind as LossKind;
use tch::{Device, Kind, Tensor};

use super::{Case, Golden, assert_close, assert_near, cases};
use crate::loss::{Loss, class_weights};
use crate::metrics::{Batch, Scores, Totals};
use crate::network::{Mode, Network};
use crate::optimizer::{self, Optimizer};
use crate::schedule::Schedule;
use crate::testing::{self, activation, model};

/// How far a weight may be from Keras's after all steps.
const TRAJECTORY: f64 = 1e-5;

/// How far a loss may be from Keras's, relative to it.
const RELATIVE: f64 = 1e-4;

const STEPS: u32 = 12;
const STEPS_PER_EPOCH: u64 = 4;

/// Two variables on their way down the sum of `a * (x - b)^2 / 2`.
#[derive(Debug)]
struct Descent {
    optimizer: Optimizer,
    variables: Vec<Tensor>,
    a: Vec<Tensor>,
    b: Vec<Tensor>,
    /// What Keras's variables are after every step, and its learning rates.
    expected: Golden,
    rates: Tensor,
}

impl Descent {
    fn new(golden: &Golden, section: &str, case: &Case) -> (Self, sweep_proto::v1::Training) {
        let training = case.read(2).1;
        let both = |name: &str| {
            let quadratic = golden.below("quadratic").below(name);
            Vec::from(["0", "1"].map(|index| quadratic.get(index).copy()))
        };
        let variables = both("start").into_iter().map(|start| start.set_requires_grad(true));
        let variables: Vec<_> = variables.collect();
        let settings = training.optimizer.expect("every case has one");
        let weights = variables.iter().map(Tensor::shallow_clone).collect();
        let optimizer = Optimizer::new(&settings, weights).expect("it has a meaning");
        let expected = golden.below(section).below(&case.name);
        let rates = expected.get("rates").shallow_clone();
        let (a, b) = (both("a"), both("b"));
        (Self { optimizer, variables, a, b, expected, rates }, training)
    }

    fn step(&mut self, name: &str, learning_rate: f64) {
        let step = self.optimizer.steps() as i64;
        assert_near(
            &format!("{name}: rate {step}"),
            learning_rate,
            self.rates.double_value(&[step]),
            1e-5,
        );
        let terms = self.variables.iter().zip(&self.a).zip(&self.b);
        let terms = terms.map(|((x, a), b)| (a * (x - b).square()).sum(Kind::Float) / 2.0);
        let loss = terms.reduce(|sum, term| sum + term).expect("there are two");
        self.optimizer.step(&loss, learning_rate).expect("small");
        for (index, variable) in self.variables.iter().enumerate() {
            let expected = self.expected.get(&format!("after/{index}")).get(step);
            let name = format!("{name}: variable {index} after step {step}");
            assert_close(&name, &variable.detach(), &expected, TRAJECTORY);
        }
    }
}

#[test]
fn optimizers_walk_as_in_keras() {
    let golden = Golden::read("training.npz");
    for case in cases("optimizers") {
        let (mut descent, training) = Descent::new(&golden, "optimizers", &case);
        let rate = optimizer::learning_rate(&training.optimizer.expect("it has one"));
        let rate = rate.expect("it is known");
        let steps = case.number("steps").unwrap_or(STEPS);
        assert_eq!(descent.rates.size(), [i64::from(steps)]);
        for _ in 0..steps {
            descent.step(&case.name, rate);
        }
    }
}

#[test]
fn schedules_change_the_learning_rate_as_in_keras() {
    let golden = Golden::read("training.npz");
    let schema = testing::schema(true);
    for case in cases("schedules") {
        let (mut descent, training) = Descent::new(&golden, "schedules", &case);
        let base = optimizer::learning_rate(&training.optimizer.expect("it has one"));
        let base = base.expect("it is known");
        let schedule = Schedule::new(base, training.schedule.as_ref(), STEPS_PER_EPOCH, &schema);
        let mut schedule = schedule.expect("it has a meaning");
        for epoch in 1..=training.epochs {
            for _ in 0..STEPS_PER_EPOCH {
                let rate = schedule.learning_rate(epoch, descent.optimizer.steps());
                descent.step(&case.name, rate);
            }
            let monitored = case.get("monitored");
            let value = monitored.map_or(0.0, |values| {
                values[epoch as usize - 1].as_f64().expect("a value an epoch")
            });
            // Both are there; the schedule knows which it follows.
            let scores = Scores { loss: value, accuracy: value, ..Scores::default() };
            schedule.follow(&schema.measured(&scores, &scores, 0.0));
        }
        assert_eq!(descent.optimizer.steps() as i64, descent.rates.size()[0], "{}", case.name);
    }
}

/// The loss of a network that ends with a function.
fn loss(
    settings: &sweep_proto::v1::Loss,
    function: Function,
    outputs: u32,
    weights: Option<Tensor>,
) -> Loss {
    let _guard = testing::seed(1);
    let classes = outputs.max(2);
    let model = model([activation(function)]);
    let network = Network::build(&model, &[outputs], classes, Device::Cpu);
    Loss::of(&mut network.expect("it fits"), settings, classes, weights).expect("it has a meaning")
}

#[test]
fn losses_and_their_gradients_are_those_of_keras() {
    let golden = Golden::read("training.npz");
    for case in cases("losses") {
        let golden = golden.below("losses").below(&case.name);
        // Targets that are no classes are for what sweep does not do.
        let Some(labels) = case.numbers("labels") else { continue };
        let labels = Tensor::from_slice(&labels);
        let outputs = case.number("classes").expect("every case says it");
        let training = case.read(outputs.max(2)).1;
        let weights = training.class_weights.map(|weights| {
            let weights = class_weights(&weights, &labels, outputs.max(2)).expect("one a class");
            assert_close(&case.name, &weights, golden.get("class_weights"), 1e-6);
            weights
        });
        let settings = training.loss.expect("every case has one");
        let check = |function, from: &str| {
            let name = format!("{}: of {from}", case.name);
            let of_classes = weights.as_ref().map(Tensor::shallow_clone);
            let loss = loss(&settings, function, outputs, of_classes);
            let outputs = golden.get(from).copy().set_requires_grad(true);
            let mean = loss.training_mean(&outputs, &labels).expect("shapes fit");
            assert_near(&name, mean.double_value(&[]), golden.value("loss"), RELATIVE);
            let gradient = Tensor::run_backward(&[&mean], &[&outputs], false, false);
            let expected = golden.get(&format!("gradients/{from}"));
            assert_close(
                &name,
                &gradient[0],
                expected,
                1e-5 * expected.abs().max().double_value(&[]).max(1.0),
            );
            if weights.is_none() {
                let unweighted = loss.mean(&outputs, &labels).expect("shapes fit");
                assert_eq!(unweighted.double_value(&[]), mean.double_value(&[]));
            }
        };
        check(Function::Linear, "outputs");
        match settings.kind.expect("it is known") {
            LossKind::CategoricalCrossentropy(_) => check(Function::Softmax, "logits"),
            LossKind::BinaryCrossentropy(_) => check(Function::Sigmoid, "logits"),
            LossKind::MeanSquaredError(_) => {}
        }
    }
}

#[test]
fn regularizers_add_what_they_add_in_keras() {
    let golden = Golden::read("training.npz");
    for case in cases("regularized") {
        let golden = golden.below("regularized").below(&case.name);
        let classes = case.number("classes").expect("every case says it");
        let (model, training) = case.read(classes);
        let shape: Vec<_> = case.numbers("input").expect("every case says it");
        let shape: Vec<_> = shape.iter().map(|&size| u32::try_from(size).expect("small")).collect();
        let guard = testing::seed(1);
        let mut network = Network::build(&model, &shape, classes, Device::Cpu).expect("it fits");
        drop(guard);
        let loss = Loss::of(&mut network, &training.loss.expect("the default"), classes, None);
        let loss = loss.expect("it has a meaning");
        for (name, values) in network.weights() {
            let given = golden.get(&format!("weights/{name}"));
            tch::no_grad(|| values.shallow_clone().copy_(given));
        }
        let outputs = network.forward(golden.get("inputs"), Mode::Training).expect("shapes fit");
        let penalty = network.penalty().expect("small").expect("every case has one");
        assert_near(&case.name, penalty.double_value(&[]), golden.value("penalty"), RELATIVE);
        let mean =
            loss.training_mean(&outputs, golden.get("labels")).expect("shapes fit") + penalty;
        assert_near(&case.name, mean.double_value(&[]), golden.value("loss"), RELATIVE);
        let trainable: Vec<_> =
            network.weights().filter(|(_, values)| values.requires_grad()).collect();
        let weights: Vec<_> = trainable.iter().map(|(_, values)| *values).collect();
        let gradients = Tensor::run_backward(&[&mean], &weights, false, false);
        for ((name, _), gradient) in trainable.iter().zip(gradients) {
            let expected = golden.get(&format!("gradients/{name}"));
            assert_close(&format!("{}: {name}", case.name), &gradient, expected, 1e-5);
        }
    }
}

#[test]
fn metrics_are_those_of_scikit_learn_and_keras() {
    let golden = Golden::read("training.npz");
    for case in cases("metrics") {
        let golden = golden.below("metrics").below(&case.name);
        let outputs = case.number("classes").expect("every case says it");
        let classes = i64::from(outputs.max(2));
        let binary = LossKind::BinaryCrossentropy(sweep_proto::v1::BinaryCrossentropy::default());
        let settings = sweep_proto::v1::Loss { kind: Some(binary) };
        // Its outputs are taken for probabilities.
        let loss = loss(&settings, Function::Linear, outputs, None);
        let scores = |top_k| {
            let mut totals = Totals::new(classes, top_k, None, Device::Cpu).expect("small");
            // In two batches, as in training.
            for half in 0..2 {
                let length = golden.get("labels").size()[0] / 2;
                let of_half = |name: &str| golden.get(name).narrow(0, half * length, length);
                let scores = loss.scores(&of_half("probabilities")).expect("shapes fit");
                let batch = Batch {
                    loss: &Tensor::from(0.0_f32),
                    scores: &scores,
                    labels: &of_half("labels"),
                    tracks: None,
                };
                totals.add(&batch).expect("shapes fit");
            }
            totals.read().expect("small")
        };
        let found = scores(1);
        for (name, value) in [
            ("accuracy", found.accuracy),
            ("precision", found.precision),
            ("recall", found.recall),
            ("f1", found.f1),
            ("recall_variance", found.recall_variance),
        ] {
            assert_near(&format!("{}: {name}", case.name), value, golden.value(name), 1e-6);
        }
        let recalls = Tensor::from_slice(&found.recalls);
        assert_close(&case.name, &recalls, golden.get("recall_of_classes"), 1e-6);
        for k in case.numbers("top_k").expect("every case says it") {
            let name = format!("top_{k}_accuracy");
            let found = scores(k).top_k_accuracy;
            assert_near(&format!("{}: {name}", case.name), found, golden.value(&name), 1e-6);
        }
    }
}
