//! Which files are taken, and what is trained. That the arithmetic is
//! torchvision's is for golden values to show.

use std::path::Path;

use sweep_proto::v1::WeightsFile;
use tempfile::TempDir;

use super::file::tests::digest_of;
use super::*;
use crate::testing::{self, floats};

type Tensors = Vec<(String, Tensor)>;

const ALPHA: f64 = 0.1;
const ON_CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

fn options(trainable: bool, weights: Option<WeightsFile>) -> Options {
    Options { alpha: ALPHA, trainable, weights }
}

fn build(options: &Options) -> Result<MobileNetV2, LayerError> {
    let _guard = testing::seed(1);
    MobileNetV2::build(options, Device::Cpu)
}

/// The tensors that torchvision would have written: all weights, and what is
/// passed over.
fn tensors() -> Tensors {
    let network = build(&options(true, None)).expect("small");
    let _guard = testing::seed(2);
    let mut tensors: Tensors = network
        .weights("")
        .into_iter()
        .map(|(name, values)| {
            let name = name.trim_start_matches('/').to_owned();
            (name, values.rand_like().detach() + 0.5)
        })
        .collect();
    let count = Tensor::from_slice(&[7_i64]);
    tensors.push(("features.0.1.num_batches_tracked".to_owned(), count));
    tensors.push(("classifier.1.weight".to_owned(), Tensor::from_slice(&[1.0_f32])));
    tensors
}

fn write(folder: &TempDir, tensors: &[(String, Tensor)]) -> WeightsFile {
    let path = folder.path().join("weights.safetensors");
    Tensor::write_safetensors(tensors, &path).expect("the folder is writable");
    described(&path)
}

fn described(path: &Path) -> WeightsFile {
    WeightsFile { path: path.display().to_string(), digest: digest_of(path) }
}

#[test]
fn weights_come_from_the_file_under_its_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensors = tensors();
    let file = write(&folder, &tensors);
    let network = build(&options(false, Some(file))).expect("the file is whole");
    let weights = network.weights("mobilenet_v2");
    assert_eq!(weights.len(), tensors.len() - 2);
    for ((name, values), (expected_name, expected)) in weights.iter().zip(&tensors) {
        assert_eq!(*name, format!("mobilenet_v2/{expected_name}"));
        assert_eq!(*values, expected);
        assert!(!values.requires_grad());
    }
}

#[test]
fn half_precision_files_are_read_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut tensors = tensors();
    for (_, values) in &mut tensors {
        *values = values.to_kind(Kind::Half);
    }
    let network = build(&options(true, Some(write(&folder, &tensors)))).expect("it is whole");
    let weights = network.weights("mobilenet_v2");
    assert_eq!(weights[0].1.kind(), Kind::Float);
    assert_eq!(floats(weights[0].1), floats(&tensors[0].1));
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = tensors();
    let failure = |file: &WeightsFile| -> String {
        let error = build(&options(false, Some(file.clone()))).expect_err("it cannot be used");
        let text = error.to_string();
        assert!(text.starts_with(&file.path), "{text}");
        text
    };
    let changed = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = whole.iter().map(|(name, it)| (name.clone(), it.copy())).collect();
        change(&mut tensors);
        failure(&write(&folder, &tensors))
    };

    let text = changed(&|tensors| drop(tensors.remove(3)));
    assert!(text.contains("has no tensor `features.0.1.running_mean`"), "{text}");
    let text = changed(&|tensors| tensors[0].1 = Tensor::zeros([8, 3, 1, 1], ON_CPU));
    assert!(
        text.contains("the shape of `features.0.0.weight` is [8, 3, 1, 1] instead of [8, 3, 3, 3]"),
        "{text}"
    );
    let text = changed(&|tensors| tensors[1].1 = tensors[1].1.to_kind(Kind::Int64));
    assert!(text.contains("the values of `features.0.1.weight` are I64"), "{text}");
    let text = changed(&|tensors| tensors.push(("features.99.0".into(), Tensor::from(1.0))));
    assert!(text.contains("has a tensor `features.99.0` that is none of this network"), "{text}");
    let text = changed(&|tensors| {
        for (name, _) in tensors {
            *name = name.trim_start_matches("features.").to_owned();
        }
    });
    assert!(text.contains("has no tensor `features.0.0.weight`; expected are"), "{text}");

    let file = write(&folder, &whole);
    let bytes = std::fs::read(&file.path).expect("just written");
    std::fs::write(&file.path, &bytes[..bytes.len() - 1]).expect("the folder is writable");
    assert!(failure(&file).contains("has changed: its SHA-256 is"));
    let truncated = described(Path::new(&file.path));
    assert!(failure(&truncated).contains("is no whole safetensors file"));
    std::fs::write(&file.path, b"PK").expect("the folder is writable");
    assert!(failure(&described(Path::new(&file.path))).contains("is no whole safetensors file"));
    std::fs::remove_file(&file.path).expect("it is there");
    assert!(failure(&file).contains("No such file"));
}

#[test]
fn what_is_frozen_stays() {
    let input = Tensor::rand([2, 33, 40, 3], ON_CPU);
    for trainable in [false, true] {
        let mut network = build(&options(trainable, None)).expect("small");
        let copies = |network: &MobileNetV2| -> Vec<Vec<f32>> {
            network.weights("").iter().map(|(_, values)| floats(values)).collect()
        };
        let before = copies(&network);
        let inferred = network.forward(&input, Mode::Inference).expect("shapes fit");
        assert_eq!(inferred.size(), [2, 2, 2, 1280]);
        assert_eq!(copies(&network), before);
        let trained = network.forward(&input, Mode::Training).expect("shapes fit");
        assert_eq!(trained.requires_grad(), trainable);
        assert_eq!(trained.allclose(&inferred, 1e-3, 1e-3, false), !trainable);
        assert_eq!(copies(&network) == before, !trainable);
    }
}

#[test]
fn moving_statistics_are_torch_s() {
    let mut network = build(&options(true, None)).expect("small");
    let input = Tensor::rand([2, 4, 4, 3], ON_CPU);
    let first = &network.blocks[0].convolutions[0];
    let images = input.permute([0, 3, 1, 2]).conv2d::<Tensor>(
        &first.weights.kernel,
        None,
        [2, 2],
        [1, 1],
        [1, 1],
        1,
    );
    let dims = [0_i64, 2, 3].as_slice();
    let mean = images.mean_dim(dims, false, Kind::Float) * 0.1;
    let variance = images.var_dim(dims, true, false) * 0.1 + 0.9;
    let _ = network.forward(&input, Mode::Training).expect("shapes fit");
    let weights = &network.blocks[0].convolutions[0].weights;
    assert!(weights.running_mean.allclose(&mean, 1e-5, 1e-6, false));
    assert!(weights.running_variance.allclose(&variance, 1e-5, 1e-6, false));
}

#[test]
fn one_value_of_a_channel_has_no_variance_to_remember() {
    let mut network = build(&options(true, None)).expect("small");
    let input = Tensor::rand([1, 32, 32, 3], ON_CPU);
    let output = network.forward(&input, Mode::Training).expect("shapes fit");
    assert!(output.isfinite().all().int64_value(&[]) == 1);
    for (name, values) in network.weights("") {
        assert!(values.isfinite().all().int64_value(&[]) == 1, "{name}");
    }
}
