//! The experiment file: from YAML to a study's settings, its space, its data and
//! templates of its network and training.
//!
//! Reading is strict. Unknown keys, wrong types and values out of range are
//! errors with file, line and field, and with the nearest right name where there
//! is one; nothing starts on a bad file. What is planned but missing is refused
//! as "not built yet" and never ignored.
//!
//! `train` and `model` stay templates until [`Experiment::specify`] fills in an
//! assignment. This module does not know data or workers: shapes and the number
//! of classes are given to it.

mod check;
mod compare;
mod data;
mod document;
mod error;
mod extend;
mod locate;
mod model;
mod names;
mod node;
mod overrides;
mod path;
mod search;
mod space;
mod template;
#[cfg(test)]
mod tests;
mod train;
mod values;

use std::path::Path;

use sweep_proto::shape::{self, ShapeError};
use sweep_proto::v1;

pub use error::{ExperimentError, Place, SpecifyError, Warning};
pub(crate) use names::nearest;
pub use overrides::{Overrides, ParseOverrideError, parse_override};

use crate::data::DataSettings;
use crate::oracle::Setup;
use crate::space::{HyperParameters, Space};
use crate::study::Settings;
use document::Document;
use error::Fault;
use node::{Node, Scope, missing};
use path::Segment;

/// Fields that may change between runs of one study.
const MAY_CHANGE: [&str; 2] = ["search.max_trials", "limits"];

/// An experiment file, read and found sound.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// What decides the study's course.
    pub settings: Settings,
    /// What is searched, in sampling order.
    pub space: Space,
    /// How it is searched.
    pub search: Setup,
    /// The `data:` section.
    pub data: DataSettings,
    /// What is probably a mistake.
    pub warnings: Vec<Warning>,
    document: Document,
    used_in_model: Vec<String>,
}

/// A field in which an experiment differs from the one that a run was made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In one line: `search.seed: 2 in the run, 3 now`.
    pub text: String,
    /// Whether the search goes on with it in another space, and its trials
    /// remain comparable; other differences make another study.
    pub extends: bool,
}

/// Reads an experiment file, with `--set` and `--fix` applied to it.
///
/// # Errors
///
/// The first thing in the file, or in an override, that cannot be used.
pub fn read(path: &Path, overrides: &Overrides) -> Result<Experiment, ExperimentError> {
    Experiment::from_document(Document::open(path)?, overrides)
}

/// Reads an experiment from text, for example the [canonical
/// text](Experiment::canonical) of a run; `name` stands for the file in messages.
///
/// # Errors
///
/// As [`read`].
pub fn parse(text: &str, name: &Path) -> Result<Experiment, ExperimentError> {
    Experiment::from_document(Document::parse(name, text.to_owned())?, &Overrides::default())
}

impl Experiment {
    fn from_document(
        mut document: Document,
        overrides: &Overrides,
    ) -> Result<Self, ExperimentError> {
        for (path, value) in &overrides.set {
            document.set(path, value)?;
        }
        search::check_sections(&document).map_err(|fault| document.error(fault))?;
        let (settings, search) = search::read(&document).map_err(|fault| document.error(fault))?;
        let mut space = read_space(&document).map_err(|fault| document.error(fault))?;
        for (name, text) in &overrides.fix {
            let value = space::fix(&mut space, name, text)
                .map_err(|fault| ExperimentError::at(Place::Fix(name.clone()), fault))?;
            document.fix(name, template::yaml(&value));
        }
        let data = read_data(&document).map_err(|fault| document.error(fault))?;
        let mut experiment = Self {
            settings,
            space,
            search,
            data,
            warnings: Vec::new(),
            document,
            used_in_model: Vec::new(),
        };
        let used_in_train =
            experiment.read_templates().map_err(|fault| experiment.document.error(fault))?;
        experiment.warnings = experiment.find_oddities(&used_in_train);
        Ok(experiment)
    }

    /// The network and the training of one assignment.
    ///
    /// - `input_shape`: shape of one example, channels last
    /// - `classes`: how many classes the network has to tell apart
    ///
    /// # Errors
    ///
    /// [`SpecifyError::Network`] if this assignment's network cannot work;
    /// [`SpecifyError::File`] if a value does not fit where its `$name` stands,
    /// which [`check`](Self::check) finds before a study starts.
    pub fn specify(
        &self,
        hyperparameters: &HyperParameters,
        input_shape: &[u32],
        classes: u32,
    ) -> Result<(v1::Model, v1::Training), SpecifyError> {
        let (model, training) = self
            .fill_in(hyperparameters, classes)
            .map_err(|fault| Box::new(self.document.error(fault)))?;
        shape::infer(&model, input_shape, classes)?;
        if !model::ends_in_softmax(&model) {
            let index = model.layers.len() - 1;
            return Err(SpecifyError::Network(ShapeError {
                index,
                layer: model.layers[index].name.clone(),
                message: "gives no probabilities, which `categorical_crossentropy` needs"
                    .to_owned(),
                hint: Some(
                    "end the network with `dense: {units: classes, activation: softmax}`"
                        .to_owned(),
                ),
            }));
        }
        Ok((model, training))
    }

    /// Refuses a file that can never work, before anything starts.
    ///
    /// Each hyperparameter is put at its extremes with the others at their
    /// defaults; then networks are tried until one works: all of a small space,
    /// a fixed sample of a large one.
    ///
    /// # Errors
    ///
    /// A value that does not fit where its `$name` stands, or the reason why
    /// none of the networks tried can work.
    pub fn check(&self, input_shape: &[u32], classes: u32) -> Result<(), ExperimentError> {
        check::check(self, input_shape, classes)
    }

    /// Where a key of the `data` section stands, for what is found wrong with the
    /// data itself.
    #[must_use]
    pub fn place_in_data(&self, key: &str) -> Place {
        self.document.place(&[Segment::key("data"), Segment::key(key)])
    }

    /// The sections `train` and `model` of one assignment, with every `$name`
    /// replaced by its value.
    #[must_use]
    pub fn concrete(&self, hyperparameters: &HyperParameters) -> serde_yaml::Value {
        let mut concrete = serde_yaml::Mapping::new();
        for name in ["train", "model"] {
            if let Some(section) = self.document.section(name, Scope::Assignment(hyperparameters)) {
                let value = template::filled_in(section.value(), hyperparameters);
                concrete.insert(name.into(), value);
            }
        }
        concrete.into()
    }

    /// The whole file as YAML, overrides and the name of the study included:
    /// `experiment.yaml` of a run.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.document.canonical(&self.settings.study)
    }

    /// What differs from an [earlier text](Self::canonical). The number of trials
    /// and the limits may change between runs and are not compared.
    #[must_use]
    pub fn differences(&self, earlier: &str) -> Vec<Difference> {
        let earlier = match serde_yaml::from_str(earlier) {
            Ok(earlier) => earlier,
            Err(error) => {
                let text = format!("the run's file cannot be read: {error}");
                return vec![Difference { text, extends: false }];
            }
        };
        let now = self.document.named(&self.settings.study);
        let names = extend::only_in_one(&earlier, &now);
        compare::differences(&earlier, &now, &MAY_CHANGE)
            .into_iter()
            .map(|changed| Difference {
                extends: extend::extends(&changed, &names),
                text: changed.line,
            })
            .collect()
    }

    /// Reads `train` and `model` with the defaults of the space.
    ///
    /// Returns the hyperparameters that `train` uses.
    fn read_templates(&mut self) -> Result<Vec<String>, Fault> {
        let defaults = self.space.defaults();
        let (train, model) = self.templates(&defaults)?;
        let used_in_train = template::used(&train, &self.space)?;
        let used_in_model = template::used(&model, &self.space)?;
        // Any number of classes will do to find what is misspelt.
        self.fill_in(&defaults, 2)?;
        self.used_in_model = used_in_model;
        Ok(used_in_train)
    }

    fn fill_in(
        &self,
        hyperparameters: &HyperParameters,
        classes: u32,
    ) -> Result<(v1::Model, v1::Training), Fault> {
        let (train, model) = self.templates(hyperparameters)?;
        let training = train::read(&train)?;
        Ok((model::read(&model, classes)?, training))
    }

    /// The sections `train` and `model`.
    fn templates<'a>(
        &'a self,
        hyperparameters: &'a HyperParameters,
    ) -> Result<(Node<'a>, Node<'a>), Fault> {
        let scope = Scope::Assignment(hyperparameters);
        let section = |name, hint: &str| {
            self.document
                .section(name, scope)
                .ok_or_else(|| missing(&self.document.root(scope), name, "the file").hint(hint))
        };
        Ok((
            section("train", "write `train: {epochs: 25, optimizer: adam}`")?,
            section("model", "list the layers, the last one `dense: {units: classes, ...}`")?,
        ))
    }

    fn find_oddities(&self, used_in_train: &[String]) -> Vec<Warning> {
        let warning = |path: &[Segment], message: String| Warning {
            place: self.document.place(path),
            message,
        };
        let mut warnings = Vec::new();
        for (metric, _) in self.settings.objective.metrics() {
            if !search::REPORTED.contains(&metric) {
                warnings.push(warning(
                    &[Segment::key("objective")],
                    format!("`{metric}` is not a metric that `sweep-worker` reports"),
                ));
            }
        }
        for hyperparameter in &self.space.hyperparameters {
            let name = &hyperparameter.name;
            if !used_in_train.contains(name) && !self.used_in_model.contains(name) {
                warnings.push(warning(
                    &[Segment::key("space"), Segment::key(name)],
                    format!("`{name}` is never used"),
                ));
            }
        }
        warnings
    }
}

fn read_space(document: &Document) -> Result<Space, Fault> {
    let scope = Scope::Literal("`$name` may stand only in `train` and `model`");
    match document.section("space", scope) {
        Some(node) => space::read(&node),
        None => Ok(Space::default()),
    }
}

fn read_data(document: &Document) -> Result<DataSettings, Fault> {
    let scope = Scope::Literal("searching features is not built yet; write a value, not `$name`");
    let section = document.section("data", scope);
    let node = section.ok_or_else(|| {
        missing(&document.root(scope), "data", "the file").hint("write `data: {audio: DIR}`")
    })?;
    data::read(&node)
}
