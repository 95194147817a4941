//! What Keras makes of the cases in `scripts/golden/keras`, and what this
//! program makes of them. The cases are read by the parser of experiment files.

mod training;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use sweep_proto::v1;
use tch::Tensor;

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

    /// The network, and the training that the options say; what they leave out
    /// has the language's defaults.
    ///
    /// - `classes`: how many there are; they are named by their numbers
    fn read(&self, classes: u32) -> (v1::Model, v1::Training) {
        let mut train = Mapping::new();
        for (key, default) in [("epochs", "1"), ("optimizer", "sgd")] {
            let default = || serde_yaml::from_str(default).expect("it is YAML");
            train.insert(key.into(), self.get(key).cloned().unwrap_or_else(default));
        }
        for key in ["loss", "schedule"] {
            if let Some(value) = self.get(key) {
                train.insert(key.into(), value.clone());
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
