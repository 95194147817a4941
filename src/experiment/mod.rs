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

mod assignments;
mod check;
mod compare;
mod conditions;
mod course;
mod data;
mod document;
mod error;
mod extend;
mod kind;
mod layers;
mod locate;
mod metrics;
mod model;
mod names;
mod node;
mod overrides;
mod path;
mod repeat;
mod search;
mod space;
mod template;
#[cfg(test)]
mod tests;
mod train;
mod values;
mod weights;

use std::path::Path;

use sweep_proto::{head, shape, v1};

pub use error::{ExperimentError, Place, SpecifyError, Warning};
pub(crate) use names::nearest;
pub use overrides::{Overrides, ParseOverrideError, parse_override};

use crate::data::{DataSettings, Source};
use crate::oracle::Setup;
use crate::pretrained::WeightsFiles;
use crate::space::{HyperParameters, Kind, Rules, Space, Value};
use crate::study::Settings;
use document::Document;
use error::Fault;
use model::{Classes, Network};
use node::{Node, Scope, Values, missing};
use path::Segment;
use search::Search;
use space::{Declared, Entry};
use template::Used;

/// Fields that may change between runs of one study.
const MAY_CHANGE: [&str; 4] =
    ["search.max_trials", "limits", "train.checkpoint_minutes", "results"];

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
    /// The weights files that were inspected.
    weights: WeightsFiles,
    /// Keys of the `space:` section.
    entries: Vec<Entry>,
    /// What the network depends on.
    in_model: Used,
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
        let Search { mut settings, setup, rules } =
            search::read(&document).map_err(|fault| document.error(fault))?;
        let mut declared = read_space(&document, rules).map_err(|fault| document.error(fault))?;
        for (name, text) in &overrides.fix {
            let fixed = space::fixed(space_section(&document).as_ref(), &declared, name, text)
                .map_err(|fault| ExperimentError::at(Place::Fix(name.clone()), fault))?;
            for (path, value) in fixed {
                document.fix(name, path, template::yaml(&value));
            }
            // Read again, so that a run's copy of the file says exactly the same.
            declared = read_space(&document, rules).map_err(|fault| document.error(fault))?;
        }
        let Declared { space, entries } = declared;
        let data = read_data(&document).map_err(|fault| document.error(fault))?;
        settings.folds =
            data::executions(&document, &data.split).map_err(|fault| document.error(fault))?;
        if let Some(folds) = settings.folds {
            settings.executions_per_trial = folds;
        }
        let mut experiment = Self {
            settings,
            space,
            search: setup,
            data,
            warnings: Vec::new(),
            document,
            weights: WeightsFiles::default(),
            entries,
            in_model: Used::default(),
        };
        let finished = experiment.finish();
        finished.map_err(|fault| experiment.document.error(fault))?;
        Ok(experiment)
    }

    /// The network and the training of one assignment.
    ///
    /// - `input_shape`: shape of one example, channels last
    /// - `classes`: names of the classes, in the order of the network's outputs
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
        classes: &[String],
    ) -> Result<(v1::Model, v1::Training), SpecifyError> {
        let classes = Classes::of(classes);
        let (network, training) = self
            .fill_in(hyperparameters, classes)
            .map_err(|fault| Box::new(self.document.error(fault)))?;
        let mut model = network.model;
        let rows = shape::infer(&model, input_shape, classes.count)?;
        head::check(&model, &rows, training.loss.as_ref(), classes.count)?;
        self.weights.complete(&mut model, &rows)?;
        Ok((model, training))
    }

    /// The network and the training of one assignment, whatever the network is
    /// for: neither shapes nor its end are looked at.
    ///
    /// - `classes`: what `units: classes` stands for
    ///
    /// # Errors
    ///
    /// A value that does not fit where its `$name` stands.
    pub fn unchecked(
        &self,
        hyperparameters: &HyperParameters,
        classes: &[String],
    ) -> Result<(v1::Model, v1::Training), ExperimentError> {
        self.fill_in(hyperparameters, Classes::of(classes))
            .map(|(network, training)| (network.model, training))
            .map_err(|fault| self.document.error(fault))
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
    pub fn check(&self, input_shape: &[u32], classes: &[String]) -> Result<(), ExperimentError> {
        check::check(self, input_shape, classes)
    }

    /// Looks at the weights files that the network may name, so that
    /// [`specify`](Self::specify) knows them.
    ///
    /// - `allow_absent`: whether a file that is not there is a warning, as where
    ///   nothing is going to be trained
    ///
    /// # Errors
    ///
    /// The first file that cannot be read, where it is named.
    pub fn inspect_weights(&mut self, allow_absent: bool) -> Result<Vec<Warning>, ExperimentError> {
        let section = self.document.section("model", Scope::Literal("read as it is written"));
        let named = section.map(|section| weights::named(section.value(), &self.space));
        let mut warnings = Vec::new();
        for weights::Named { file, path } in named.unwrap_or_default() {
            match self.weights.inspect(&file) {
                Ok(()) => {}
                Err(error) if error.is_absent && allow_absent => warnings.push(Warning {
                    place: self.document.place(&path),
                    message: format!("{error}; a study needs it"),
                }),
                Err(error) => {
                    let fault = Fault::new(&path, error.to_string()).self_contained();
                    return Err(self.document.error(fault.hint(error.hint())));
                }
            }
        }
        Ok(warnings)
    }

    /// Where a key of the `data` section stands, for what is found wrong with the
    /// data itself.
    #[must_use]
    pub fn place_in_data(&self, key: &str) -> Place {
        self.document.place(&[Segment::key("data"), Segment::key(key)])
    }

    /// What to say where rows that belong together come to lie in several parts.
    #[must_use]
    pub fn leak(&self) -> Warning {
        let (what, known) = match self.data.source {
            Source::Recordings(_) => ("slices of one recording", "music that it was trained on"),
            Source::Table(_) | Source::Images(_) | Source::Arrays(_) => {
                ("rows of one group", "rows that belong to those that it was trained on")
            }
        };
        let message = format!(
            "{what} come to lie on both sides of the split: the network is tested on {known}, \
             and every `val_` metric looks better than it is; `group: track` \
             keeps them together"
        );
        let path = ["data", "split", "group"].map(Segment::key);
        Warning { place: self.document.place(&path), message }
    }

    /// The sections `train` and `model` of one assignment: every `$name` replaced
    /// by its value, and only the layers that there are.
    #[must_use]
    pub fn concrete(&self, hyperparameters: &HyperParameters) -> serde_yaml::Value {
        let scope = self.scope(hyperparameters);
        let mut concrete = serde_yaml::Mapping::new();
        if let Some(section) = self.document.section("train", scope) {
            concrete.insert("train".into(), template::filled_in(&section));
        }
        if let Some(section) = self.document.section("model", scope) {
            concrete.insert("model".into(), layers::spelled_out_list(&section));
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

    /// Reads `train` and `model` with the defaults of the space, and what the
    /// search asks of both.
    fn finish(&mut self) -> Result<(), Fault> {
        let defaults = self.space.defaults();
        let (train, model) = self.templates(&defaults)?;
        let in_train = template::used_in_training(&train)?.with_parents(&self.space);
        let in_model = template::used_in_model(&model)?.with_parents(&self.space);
        let (_, training) = self.fill_in(&defaults, Classes::UNKNOWN)?;
        self.in_model = in_model;
        self.search.epochs = training.epochs;
        let space = (&self.space, self.entries.as_slice());
        let odd = course::complete(&self.document, space, &mut self.settings, &mut self.search)?;
        self.warnings = self.find_oddities(&in_train);
        if let Some((path, message)) = odd {
            self.warnings.insert(0, Warning { place: self.document.place(&path), message });
        }
        Ok(())
    }

    fn scope<'a>(&'a self, assignment: &'a HyperParameters) -> Scope<'a> {
        Scope::Assignment(Values { space: &self.space, assignment, repetition: None })
    }

    /// Where a layer of an assignment's network is written.
    fn path_of_layer(&self, hyperparameters: &HyperParameters, name: &str) -> Vec<Segment> {
        let network = self.fill_in(hyperparameters, Classes::UNKNOWN);
        let places = network.map(|(network, _)| network.places).unwrap_or_default();
        let place = places.into_iter().find(|(known, _)| known == name);
        place.map_or_else(|| vec![Segment::key("model")], |(_, path)| path)
    }

    fn fill_in(
        &self,
        hyperparameters: &HyperParameters,
        classes: Classes<'_>,
    ) -> Result<(Network, v1::Training), Fault> {
        let (train, model) = self.templates(hyperparameters)?;
        let training = train::read(&train, classes)?;
        Ok((model::read(&model, classes)?, training))
    }

    /// The sections `train` and `model`.
    fn templates<'a>(
        &'a self,
        hyperparameters: &'a HyperParameters,
    ) -> Result<(Node<'a>, Node<'a>), Fault> {
        let scope = self.scope(hyperparameters);
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

    fn find_oddities(&self, in_train: &Used) -> Vec<Warning> {
        let warning = |path: &[Segment], message: String| Warning {
            place: self.document.place(path),
            message,
        };
        let mut warnings = Vec::new();
        for (metric, _) in self.settings.objective.metrics() {
            if !metrics::is_reported(metric) {
                warnings.push(warning(
                    &[Segment::key("objective")],
                    format!("`{metric}` is not a metric that `sweep-worker` reports"),
                ));
            }
        }
        if let Some((rule, knobs)) = &self.search.stopping
            && knobs.whole("min_epochs") >= self.search.epochs
        {
            let path = ["search", "stopping"].map(Segment::key);
            let (rule, epochs) = (rule.name(), self.search.epochs);
            let message = format!(
                "`{rule}` stops nothing: its `min_epochs` is not below the {epochs} epochs"
            );
            warnings.push(warning(&path, message));
        }
        if self.data.leaks() {
            warnings.push(self.leak());
        }
        for entry in &self.entries {
            let place = [Segment::key("space"), Segment::key(&entry.key)];
            let is_used =
                |name: &String| in_train.names.contains(name) || self.in_model.names.contains(name);
            if !entry.names.is_empty() && !entry.names.iter().any(is_used) {
                warnings.push(warning(&place, format!("`{}` is never used", entry.key)));
            }
            for name in &entry.names {
                if let Some((parent, value)) = self.never(name) {
                    warnings.push(warning(
                        &place,
                        format!(
                            "`{name}` never has a value: `{parent}` is always `{}`",
                            compare::flow(&template::yaml(value))
                        ),
                    ));
                }
            }
        }
        warnings
    }

    /// The parent that the file fixes at a value with which no declaration of
    /// `name` is ever active. One that the command line fixes is no oddity.
    fn never<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a Value)> {
        let mut obstacle = None;
        for hyperparameter in self.space.named(name) {
            obstacle = Some(hyperparameter.when.iter().find_map(|condition| {
                let place = [Segment::key("space"), Segment::key(&condition.parent)];
                let mut parents = self.space.named(&condition.parent);
                let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
                match &parent.kind {
                    Kind::Fixed(value) if condition.values.contains(value) => None,
                    Kind::Fixed(value) => match self.document.place(&place) {
                        Place::Fix(_) => None,
                        Place::File { .. } | Place::Set(_) => Some((parent.name.as_str(), value)),
                    },
                    Kind::Int(_) | Kind::Float(_) | Kind::Choice { .. } | Kind::Boolean { .. } => {
                        None
                    }
                }
            })?);
        }
        obstacle
    }
}

fn space_section(document: &Document) -> Option<Node<'_>> {
    document.section("space", Scope::Literal("`$name` may stand only in `train` and `model`"))
}

fn read_space(document: &Document, rules: Rules) -> Result<Declared, Fault> {
    match space_section(document) {
        Some(node) => space::read(&node, rules),
        None => Ok(Declared { space: Space { rules, ..Space::default() }, entries: Vec::new() }),
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
