//! The files under `experiments/`: each is good without its data, and its
//! networks are those of the studies, layer by layer as Keras counts them.

use std::path::PathBuf;

use serde_json::Value;
use sweep_proto::shape::LayerSummary;

use super::*;
use crate::data::Validation;

/// A shipped file.
struct Shipped {
    /// Without its ending.
    name: &'static str,
    /// A given trial that is the published network, as the defaults are.
    trial: Option<&'static str>,
    /// Weights of the network at the defaults, moving statistics included.
    parameters: u64,
    trainable: u64,
    /// What Keras calls the same network, in `counts.json`.
    keras: Option<&'static str>,
}

const fn shipped(name: &'static str, parameters: u64, trainable: u64) -> Shipped {
    Shipped { name, trial: None, parameters, trainable, keras: None }
}

impl Shipped {
    const fn like(mut self, keras: &'static str) -> Self {
        self.keras = Some(keras);
        self
    }

    const fn named(mut self, trial: &'static str) -> Self {
        self.trial = Some(trial);
        self
    }
}

const FILES: [Shipped; 15] = [
    shipped("cnn", 309_866, 309_866),
    shipped("cnn-baseline", 4_934_730, 4_934_730).like("cnn_baseline"),
    shipped("cnn-images", 16_871_882, 16_871_882).like("cnn_images"),
    shipped("cnn-lstm", 150_734, 150_734).like("cnn_lstm"),
    shipped("cnn-mfcc", 45_514, 45_322).like("cnn_mfcc"),
    shipped("cnn-series", 84_554, 84_362).named("best"),
    shipped("crnn", 39_898, 39_770),
    shipped("crnn-baseline", 507_658, 506_762).like("crnn_reset_before"),
    // The study knows 12 810; the others are MobileNetV2's, and frozen.
    shipped("mobilenet", 2_270_794, 12_810),
    // Keras has one weight more, the number of batches behind `normalization`.
    shipped("mlp-features", 56_764, 56_650).like("mlp_features"),
    shipped("mlp-series", 1_367_370, 1_367_370).like("mlp_mfcc").named("best"),
    shipped("parallel-cnn", 61_071, 61_071).like("parallel_cnn"),
    shipped("quickstart", 13_130, 13_082),
    shipped("resnet-mfcc", 217_226, 216_778).like("resnet_mfcc"),
    shipped("wavenet", 288_142, 288_140).like("wavenet").named("published"),
];

/// Files whose study divides slices at random, as they say.
const LEAKY: [&str; 4] = ["cnn-mfcc", "cnn-series", "mlp-series", "resnet-mfcc"];

const RESCALING: &str = "rescaling";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")
}

fn open(name: &str) -> Experiment {
    read(&folder().join(name).with_extension("yaml"), &Overrides::default()).expect(name)
}

/// The assignment under `first` or `trials` that has this name.
fn given(experiment: &Experiment, name: &str) -> HyperParameters {
    let mut given = experiment.search.first.iter().chain(&experiment.search.trials);
    let given = given.find(|given| given.name.as_deref() == Some(name)).expect("a named trial");
    given.hyperparameters.clone()
}

#[test]
fn all_are_listed_here() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| entry.expect("it can be read").file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    let mut listed = FILES.map(|file| file.name);
    listed.sort_unstable();
    assert_eq!(names, listed);
    let page = include_str!("../../../experiments/README.md");
    for name in listed {
        assert!(page.contains(&format!("`{name}.yaml`")), "{name}");
    }
}

#[test]
fn they_are_good_and_have_their_published_size() {
    for file in FILES {
        let Shipped { name, parameters, trainable, .. } = file;
        let experiment = open(name);
        assert_eq!(experiment.settings.study, name);
        let (shape, classes) = known_ahead(&experiment.data).expect("checkable without the data");
        experiment.check(&shape, &classes).expect(name);
        let defaults = experiment.space.defaults();
        if let Some(trial) = file.trial {
            assert_eq!(given(&experiment, trial), defaults, "{name}");
        }
        let (model, _) = experiment.specify(&defaults, &shape, &classes).expect(name);
        let layers = shape::infer_layers(&model.layers, &shape).expect(name);
        let total = |of: fn(&LayerSummary) -> u64| layers.iter().map(of).sum::<u64>();
        assert_eq!(total(|layer| layer.parameters), parameters, "{name}");
        assert_eq!(total(|layer| layer.trainable), trainable, "{name}");
        if let Some(keras) = file.keras {
            assert_eq!(rows(&layers), rows_of_keras(keras), "{name}");
        }
    }
}

/// Name, shape and number of weights of each layer that is not for the input's scale,
/// which is a matter of the data.
fn rows(layers: &[LayerSummary]) -> Vec<(String, Vec<u32>, u64)> {
    let row = |layer: &LayerSummary| {
        let counted = layer.parameters + u64::from(layer.kind == "Normalization");
        (layer.name.clone(), layer.output_shape.clone(), counted)
    };
    layers.iter().map(row).filter(|(name, ..)| name != RESCALING).collect()
}

fn rows_of_keras(network: &str) -> Vec<(String, Vec<u32>, u64)> {
    let counts: Value =
        serde_json::from_str(include_str!("../../../scripts/golden/keras/counts.json"))
            .expect("the generator writes JSON");
    let layers = counts["published"][network]["layers"].clone();
    let layers: Vec<Value> = serde_json::from_value(layers).expect("a list of layers");
    let row = |mut layer: Value| -> (String, Vec<u32>, u64) {
        let mut field = |name: &str| layer[name].take();
        let row = (field("name"), field("output_shape"), field("parameters"));
        serde_json::from_value(serde_json::json!(row)).expect("name, shape and number")
    };
    layers.into_iter().map(row).filter(|(name, ..)| name != RESCALING).collect()
}

/// Whoever runs a leaky study as it was published is told so, once. Nothing else
/// in the files is odd.
#[test]
fn only_the_leaky_ones_have_a_warning() {
    for file in FILES {
        let experiment = open(file.name);
        let warnings: Vec<&str> =
            experiment.warnings.iter().map(|warning| warning.message.as_str()).collect();
        if LEAKY.contains(&file.name) {
            let [warning] = warnings[..] else { panic!("{}: {warnings:?}", file.name) };
            assert!(warning.starts_with("slices of one recording come to lie on both sides"));
        } else {
            assert_eq!(warnings, [""; 0], "{}", file.name);
        }
    }
}

/// The weights are for the user to get; `sweep check` says so.
#[test]
fn only_mobilenet_names_a_weights_file() {
    for file in FILES {
        let warnings = open(file.name).inspect_weights(true).expect(file.name);
        // Where somebody has put the file there, it has been looked at.
        assert!(warnings.len() <= usize::from(file.name == "mobilenet"), "{}", file.name);
    }
}

/// The study of 2020 validates on the tail of its training clips, as Keras's
/// `validation_split` has it; no other one does.
#[test]
fn the_search_study_validates_on_the_tail() {
    for file in FILES {
        let split = open(file.name).data.split;
        if ["cnn", "cnn-baseline", "crnn", "crnn-baseline"].contains(&file.name) {
            let found = (split.test, split.validation, split.seed);
            assert_eq!(found, (0.2, Validation::Tail(0.1), 42), "{}", file.name);
        } else {
            assert!(matches!(split.validation, Validation::Share(_)), "{}", file.name);
        }
    }
}

#[test]
fn every_given_trial_has_a_network() {
    let mut given = 0;
    for file in FILES {
        let experiment = open(file.name);
        let (shape, classes) = known_ahead(&experiment.data).expect("checkable without the data");
        for trial in experiment.search.first.iter().chain(&experiment.search.trials) {
            let network = experiment.specify(&trial.hyperparameters, &shape, &classes);
            network.unwrap_or_else(|error| panic!("{}, {:?}: {error}", file.name, trial.name));
            given += 1;
        }
    }
    assert_eq!(given, 1 + 13 + 10, "of wavenet, mlp-series and cnn-series");
}
