//! Functions to minimize, each with its search space and its known minimum.
//!
//! `optuna_search.py` has the same ones; what is changed here is changed there.

use std::f64::consts::{E, PI, TAU};

use sweep::space::{
    Condition, HyperParameter, HyperParameters, Kind, Numerical, Sampling, Space, Value,
};

/// A function of an assignment.
pub(crate) struct Function {
    /// As it is called in `optuna_search.py`.
    pub(crate) name: &'static str,
    pub(crate) space: Space,
    pub(crate) minimum: f64,
    at: fn(&HyperParameters) -> f64,
}

impl Function {
    /// How far an assignment is from the minimum.
    pub(crate) fn regret(&self, assignment: &HyperParameters) -> f64 {
        (self.at)(assignment) - self.minimum
    }
}

/// Four that are well known, and one of a network's hyperparameters.
pub(crate) fn all() -> [Function; 5] {
    let cube = |dimensions: usize, min: f64, max: f64| {
        space((1..=dimensions).map(|index| number(&format!("x{index}"), min, max)))
    };
    [
        Function {
            name: "branin",
            space: space([number("x1", -5.0, 10.0), number("x2", 0.0, 15.0)]),
            minimum: 0.397_887_357_729_738_16,
            at: |assignment| branin(&numbers(assignment)),
        },
        Function {
            name: "hartmann6",
            space: cube(6, 0.0, 1.0),
            minimum: -3.322_368_011_415_515,
            at: |assignment| hartmann6(&numbers(assignment)),
        },
        Function {
            name: "rosenbrock4",
            space: cube(4, -5.0, 10.0),
            minimum: 0.0,
            at: |assignment| rosenbrock(&numbers(assignment)),
        },
        Function {
            name: "ackley5",
            space: cube(5, -32.768, 32.768),
            minimum: 0.0,
            at: |assignment| ackley(&numbers(assignment)),
        },
        Function { name: "network", space: network_space(), minimum: 0.0, at: network },
    ]
}

fn space(hyperparameters: impl IntoIterator<Item = HyperParameter>) -> Space {
    Space { hyperparameters: hyperparameters.into_iter().collect(), ..Space::default() }
}

fn hyperparameter(name: &str, kind: Kind) -> HyperParameter {
    HyperParameter { name: name.to_owned(), kind, when: Vec::new() }
}

fn number(name: &str, min: f64, max: f64) -> HyperParameter {
    let range = Numerical { min, max, step: None, sampling: Sampling::Linear, default: None };
    hyperparameter(name, Kind::Float(range))
}

fn numbers(assignment: &HyperParameters) -> Vec<f64> {
    assignment.iter().map(|(name, _)| float(assignment, name)).collect()
}

fn branin(x: &[f64]) -> f64 {
    let bend = x[1] - 5.1 / (4.0 * PI * PI) * x[0] * x[0] + 5.0 / PI * x[0] - 6.0;
    bend * bend + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos() + 10.0
}

fn hartmann6(x: &[f64]) -> f64 {
    const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const WIDTHS: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const CENTRES: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let hill = |index: usize| {
        let squares = x
            .iter()
            .zip(WIDTHS[index])
            .zip(CENTRES[index])
            .map(|((x, width), centre)| width * (x - centre) * (x - centre));
        HEIGHTS[index] * (-squares.sum::<f64>()).exp()
    };
    -(0..4).map(hill).sum::<f64>()
}

fn rosenbrock(x: &[f64]) -> f64 {
    let valley = |pair: &[f64]| {
        let (bend, rest) = (pair[1] - pair[0] * pair[0], 1.0 - pair[0]);
        100.0 * bend * bend + rest * rest
    };
    x.windows(2).map(valley).sum()
}

fn ackley(x: &[f64]) -> f64 {
    let mean = |term: fn(f64) -> f64| x.iter().copied().map(term).sum::<f64>() / x.len() as f64;
    let bowl = -20.0 * (-0.2 * mean(|x| x * x).sqrt()).exp();
    bowl - mean(|x| (TAU * x).cos()).exp() + 20.0 + E
}

/// Optimizer, learning rate, momentum only of SGD, one to four layers with
/// widths of their own, dropout with a rate where there is any.
fn network_space() -> Space {
    let when = |hyperparameter: HyperParameter, parent: &str, values: Vec<Value>| HyperParameter {
        when: vec![Condition { parent: parent.to_owned(), values }],
        ..hyperparameter
    };
    let rate =
        Numerical { min: 1e-5, max: 1.0, step: None, sampling: Sampling::Log, default: None };
    let whole = |min, max, step| {
        let sampling = Sampling::Linear;
        Kind::Int(Numerical { min, max, step: Some(step), sampling, default: None })
    };
    let optimizers = ["sgd", "adam", "rmsprop"].map(|name| Value::Text(name.to_owned()));
    let units = |layer: i64| {
        let units = hyperparameter(&format!("units_{layer}"), whole(16, 256, 16));
        when(units, "layers", (layer..=4).map(Value::Int).collect())
    };
    space([
        hyperparameter("optimizer", Kind::Choice { values: optimizers.to_vec(), default: None }),
        hyperparameter("learning_rate", Kind::Float(rate)),
        when(number("momentum", 0.0, 0.99), "optimizer", vec![optimizers[0].clone()]),
        hyperparameter("layers", whole(1, 4, 1)),
        units(1),
        units(2),
        units(3),
        units(4),
        hyperparameter("dropout", Kind::Boolean { default: false }),
        when(number("dropout_rate", 0.0, 0.6), "dropout", vec![Value::Bool(true)]),
    ])
}

/// 0 at three layers of 128, 64 and 32, dropout of 0.3, and SGD with momentum
/// 0.9 at a learning rate of 10^-1.5; Adam at 10^-3 comes close.
fn network(assignment: &HyperParameters) -> f64 {
    let square = |x: f64| x * x;
    let magnitude = float(assignment, "learning_rate").log10();
    let optimizer = match assignment.get("optimizer") {
        Some(Value::Text(name)) if name == "sgd" => {
            0.25 * square(magnitude + 1.5) + 2.0 * square(float(assignment, "momentum") - 0.9)
        }
        Some(Value::Text(name)) if name == "adam" => 0.05 + 0.2 * square(magnitude + 3.0),
        Some(_) | None => 0.1 + 0.2 * square(magnitude + 3.5),
    };
    let layers = float(assignment, "layers");
    let widths: f64 = (1..=layers as u32)
        .map(|layer| {
            let units = float(assignment, &format!("units_{layer}"));
            square(units.log2() - (8.0 - f64::from(layer).min(3.0)))
        })
        .sum();
    let dropout = match assignment.get("dropout") {
        Some(Value::Bool(true)) => 3.0 * square(float(assignment, "dropout_rate") - 0.3),
        Some(_) | None => 0.15,
    };
    optimizer + 0.1 * square(layers - 3.0) + 0.1 * widths / layers + dropout
}

/// Value of a hyperparameter that is a number.
pub(crate) fn float(assignment: &HyperParameters, name: &str) -> f64 {
    match assignment.get(name) {
        Some(Value::Float(value)) => *value,
        Some(Value::Int(value)) => *value as f64,
        other => panic!("`{name}` is {other:?}"),
    }
}
