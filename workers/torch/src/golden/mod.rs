//! What Keras makes of the cases in `scripts/golden/keras`, and what this
//! program makes of them. The cases are read by the parser of experiment files.

mod initial_weights;
mod layers;
mod mobilenet_v2;
mod networks;
mod training;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use sweep_proto::shape::LayerSummary;
use sweep_proto::v1;
use tch::Tensor;

use crate::network::Network;

/// The rest of an experiment file around a case.
const FRAME: &str = "\
study: golden
objective: val_accuracy
search: {algorithm: random, max_trials: 1}
space: {unused: {fixed: 1}}
data:
  audio: clips
  features: {mel: {n_mels: 8, frames: 8}}
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/golden/keras")
}

/// One case of a section.
#[derive(Debug)]
struct Case {
    name: String,
    options: Mapping,
}

/// The cases of a section.
fn cases(section: &str) -> Vec<Case> {
    let text = fs::read_to_string(folder().join("cases.yaml")).expect("it is there");
    let sections: Value = serde_yaml::from_str(&text).expect("it is YAML");
    let cases = sections[section].as_sequence().expect("a list of cases");
    let case = |case: &Value| {
        let options = case.as_mapping().expect("options of a case").clone();
        Case { name: options["name"].as_str().expect("a name").to_owned(), options }
    };
    cases.iter().map(case).collect()
}

impl Case {
    fn get(&self, option: &str) -> Option<&Value> {
        self.options.get(option)
    }

    /// A whole number.
    fn number(&self, option: &str) -> Option<u32> {
        let number = self.get(option)?.as_u64().expect("a whole number");
        Some(number.try_into().expect("a small one"))
    }

    /// Whole numbers.
    fn numbers(&self, option: &str) -> Option<Vec<i64>> {
        let numbers = self.get(option)?.as_sequence().expect("a list").iter();
        Some(numbers.map(|number| number.as_i64().expect("a whole number")).collect())
    }

    /// Shape of an example.
    fn input(&self) -> Vec<u32> {
        let sizes = self.numbers("input").expect("every case says it").into_iter();
        sizes.map(|size| u32::try_from(size).expect("a small one")).collect()
    }

    /// The network, and the training that the options say; what they leave out
    /// has the language's defaults.
    ///
    /// - `classes`: how many there are; they are named by their numbers
    fn read(&self, classes: u32) -> (v1::Model, v1::Training) {
        let mut train = match self.get("train") {
            Some(Value::Mapping(train)) => train.clone(),
            Some(_) | None => Mapping::new(),
        };
        for key in ["epochs", "optimizer", "loss", "schedule"] {
            if let Some(value) = self.get(key) {
                train.insert(key.into(), value.clone());
            }
        }
        for (key, default) in [("epochs", "1"), ("optimizer", "sgd")] {
            if !train.contains_key(key) {
                let default = serde_yaml::from_str(default).expect("it is YAML");
                train.insert(key.into(), default);
            }
        }
        match self.get("class_weight") {
            Some(Value::Mapping(weights)) => {
                let name = |class: &Value| class_name(class.as_u64().expect("a number")).into();
                let weights = weights.iter().map(|(class, weight)| (name(class), weight.clone()));
                train.insert("class_weight".into(), weights.collect::<Mapping>().into());
            }
            Some(word) => drop(train.insert("class_weight".into(), word.clone())),
            None => {}
        }
        let softmax = "[dense: {units: classes, activation: softmax}]";
        let layers = self.get("layers").cloned();
        let layers = layers.unwrap_or_else(|| serde_yaml::from_str(softmax).expect("it is YAML"));
        let mut sections = Mapping::new();
        sections.insert("train".into(), train.into());
        sections.insert("model".into(), layers);
        let text = serde_yaml::to_string(&sections).expect("it was YAML");
        let text = format!("{FRAME}{text}");
        let experiment = match sweep::experiment::parse(&text, Path::new(&self.name)) {
            Ok(experiment) => experiment,
            Err(error) => panic!("{error}\n{text}"),
        };
        let names: Vec<_> = (0..u64::from(classes)).map(class_name).collect();
        experiment.unchecked(&experiment.space.defaults(), &names).expect("it can be read")
    }
}

fn class_name(class: u64) -> String {
    format!("class {class}")
}

/// The arrays of a file by name.
#[derive(Debug)]
struct Golden(HashMap<String, Tensor>);

impl Golden {
    fn read(file: &str) -> Self {
        let arrays = Tensor::read_npz(folder().join(file)).expect("an .npz file");
        Self(arrays.into_iter().collect())
    }

    /// The arrays below a name.
    fn below(&self, name: &str) -> Self {
        let below = self.0.iter().filter_map(|(key, values)| {
            let key = key.strip_prefix(name)?.strip_prefix('/')?;
            Some((key.to_owned(), values.shallow_clone()))
        });
        Self(below.collect())
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no array `{name}`"))
    }

    /// An array of one value.
    fn value(&self, name: &str) -> f64 {
        self.get(name).double_value(&[0])
    }
}

/// Gives a network the weights below a name, all of them and no others.
fn load(network: &Network, golden: &Golden) {
    let mut count = 0;
    for (name, values) in network.weights() {
        let given = golden.get(&name);
        assert_eq!(values.size(), given.size(), "{name}");
        tch::no_grad(|| values.shallow_clone().copy_(given));
        count += 1;
    }
    assert_eq!(count, golden.0.len(), "Keras has other weights: {:?}", golden.0.keys());
}

/// What Keras says of a case's shape and size, in `counts.json`.
fn counts(section: &str, case: &str) -> serde_json::Value {
    let text = fs::read_to_string(folder().join("counts.json")).expect("it is there");
    let counts: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    counts[section][case].clone()
}

/// Compares what is inferred of a case with what Keras says.
fn assert_counts(section: &str, case: &Case, rows: &[LayerSummary]) {
    let name = &case.name;
    let expected = counts(section, name);
    let last = rows.last().expect("there are layers");
    assert_eq!(serde_json::json!(last.output_shape), expected["output_shape"], "{name}");
    let total: u64 = rows.iter().map(|row| row.parameters).sum();
    let trainable: u64 = rows.iter().map(|row| row.trainable).sum();
    // Keras counts in `normalization` a number that nothing depends on.
    let counters = rows.iter().filter(|row| row.kind == "Normalization").count() as u64;
    assert_eq!(Some(total + counters), expected["total"].as_u64(), "{name}");
    assert_eq!(Some(trainable), expected["trainable"].as_u64(), "{name}");
}

/// Compares with Keras's values, which are as far off as f32 lets them be.
fn assert_close(name: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.size(), expected.size(), "{name}");
    let off = (found - expected).abs().max().double_value(&[]);
    assert!(off <= tolerance, "{name} is off by {off}:\n{found}\n{expected}");
}

/// Compares single values, relative to their size.
fn assert_near(name: &str, found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs() / expected.abs().max(1e-6);
    assert!(off <= tolerance, "{name} is {found} instead of {expected}");
}
