//! MobileNetV2 with torchvision's weights against torchvision.

use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest as _, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::mobilenet_v2::Architecture;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{Layer, MobileNetV2, WeightsFile};
use tch::{Kind, Tensor};

use super::{Golden, assert_close, counts};
use crate::network::{Mode, Network};

#[test]
fn a_weights_file_of_torchvision_gives_torchvisions_outputs() {
    let golden = Golden::read("mobilenet_v2.npz");
    let weights = golden.below("weights");
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = weights
        .0
        .iter()
        .map(|(name, values)| {
            let shape = values.size().into_iter().map(|size| size as usize).collect();
            let values = Vec::<f32>::try_from(values.to_kind(Kind::Float).flatten(0, -1));
            let values = values.expect("numbers");
            (name.clone(), shape, values.into_iter().flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("it has this size"))
    });
    let bytes = safetensors::serialize(views, &None).expect("tensors");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, &bytes).expect("the folder is writable");
    let weights = WeightsFile {
        path: path.to_string_lossy().into_owned(),
        digest: hexadecimal(&Sha256::digest(&bytes)),
    };

    let options = MobileNetV2 { alpha: 0.1, trainable: false, weights: Some(weights) };
    let layer =
        Layer { name: "mobilenet_v2".to_owned(), kind: Some(LayerKind::MobilenetV2(options)) };
    let input = golden.get("input").copy().set_requires_grad(true);
    let shape: Vec<u32> = input.size()[1..].iter().map(|&size| size as u32).collect();
    let mut network = Network::of_layers(&[layer], &shape).expect("it is torchvision's");
    assert_eq!(network.trainable().len(), 0, "frozen");
    let output = network.forward(&input, Mode::Training).expect("shapes fit");
    assert_close("output", &output.detach(), golden.get("output"), 1e-4);
    let loss = (output * golden.get("coefficients")).sum(Kind::Float);
    let gradient = Tensor::run_backward(&[&loss], &[&input], false, false);
    assert_close("gradient", &gradient[0], golden.get("gradients/input"), 1e-4);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    for alpha in ["1.0", "0.35", "0.1"] {
        let network = Architecture::new(alpha.parse().expect("a number")).expect("it makes sense");
        let expected = counts("mobilenet_v2", alpha);
        assert_eq!(Some(network.parameters()), expected["total"].as_u64(), "{alpha}");
        assert_eq!(Some(network.trainable()), expected["trainable"].as_u64(), "{alpha}");
        let shapes = expected["shapes"].as_object().expect("shapes by name");
        let tensors = network.tensors();
        for (name, shape) in &tensors {
            assert_eq!(shapes.get(name), Some(&serde_json::json!(shape)), "{alpha}: {name}");
        }
        assert_eq!(shapes.len(), tensors.len(), "{alpha}");
    }
}
