//! What weights start from: mean, variance and bounds of many draws.

use serde_json::Value;
use tch::{Kind, Tensor};

use super::{cases, folder};
use crate::network::Network;
use crate::testing;

/// How many networks are drawn of each case.
const DRAWS: usize = 100;

#[test]
fn weights_start_as_in_keras() {
    let text = std::fs::read_to_string(folder().join("initializers.json")).expect("it is there");
    let expected: Value = serde_json::from_str(&text).expect("it is JSON");
    let _guard = testing::seed(11);
    for case in cases("initializers") {
        let model = case.read(2).0;
        let networks: Vec<_> = (0..DRAWS)
            .map(|_| Network::of_layers(&model.layers, &case.input()).expect(&case.name))
            .collect();
        let expected = expected["weights"][&case.name].as_object().expect("weights of the case");
        for (weight, expected) in expected {
            let draws: Vec<Tensor> = networks
                .iter()
                .map(|network| {
                    let mut weights = network.weights();
                    let found = weights.find(|(name, _)| name == weight);
                    found.unwrap_or_else(|| panic!("no weight {weight}")).1.detach()
                })
                .collect();
            check(&format!("{}: {weight}", case.name), &draws, expected);
        }
    }
}

/// The numbers of nested lists, in order.
fn flattened(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flattened).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

fn check(name: &str, draws: &[Tensor], expected: &Value) {
    let shape: Vec<i64> = serde_json::from_value(expected["shape"].clone()).expect("a shape");
    assert_eq!(draws[0].size(), shape, "{name}");
    if !expected["always"].is_null() {
        let always = flattened(&expected["always"]);
        let always = Tensor::from_slice(&always).to_kind(Kind::Float).view(shape.as_slice());
        assert!(draws.iter().all(|draw| *draw == always), "{name}");
        return;
    }
    let number = |key: &str| expected[key].as_f64().unwrap_or_else(|| panic!("{name} has {key}"));
    let all = Tensor::stack(draws, 0);
    let (mean, variance) = (all.mean(Kind::Double), all.to_kind(Kind::Double).var(true));
    let (mean, variance) = (mean.double_value(&[]), variance.double_value(&[]));
    let count = all.numel() as f64;
    // Six standard errors of a mean; a twentieth of a variance is more than that here.
    let error = 6.0 * (number("variance") / count).sqrt();
    assert!((mean - number("mean")).abs() < error, "{name}: mean {mean}");
    let ratio = variance / number("variance");
    assert!((0.95..1.05).contains(&ratio), "{name}: variance {variance}");
    let largest = all.abs().max().double_value(&[]);
    match expected["limit"].as_f64() {
        Some(limit) => {
            assert!(largest <= limit * (1.0 + 1e-6), "{name}: {largest} of {limit}");
            assert!(largest > 0.98 * limit, "{name}: {largest} of {limit}");
        }
        // Orthonormal rows or columns: a value is never above 1.
        None => assert!(largest <= 1.0 + 1e-6, "{name}: {largest}"),
    }
}
