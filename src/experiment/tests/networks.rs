//! Branches, activations with options, losses, optimizers and schedules.

use sweep_proto::v1::{bidirectional, class_weights, loss, optimizer, parallel, schedule};

use super::*;

/// Words, and how branches are nested: `[a | b] join`.
fn outline(layers: &[v1::Layer]) -> String {
    let words = layers.iter().map(|layer| match &layer.kind {
        Some(Layer::Parallel(parallel)) => {
            let branches: Vec<String> =
                parallel.branches.iter().map(|branch| outline(&branch.layers)).collect();
            format!("[{}] {}", branches.join(" | "), layer.name)
        }
        _ => layer.name.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn network(layers: &str) -> v1::Model {
    let experiment = with_model(layers);
    experiment.unchecked(&experiment.space.defaults(), &classes(2)).expect("it can be read").0
}

fn training(options: &str) -> v1::Training {
    let experiment = good(&FILE.replacen("train:", &format!("train:\n  {options}"), 1));
    experiment.unchecked(&experiment.space.defaults(), &classes(2)).expect("it can be read").1
}

#[test]
fn branches_nest_and_are_named_in_the_order_of_writing() {
    let model = network(
        "  - conv2d: {filters: 4, kernel: 3, padding: same}
  - residual:
      layers:
        - conv2d: {filters: 4, kernel: 3, padding: same}
        - repeat: {times: 2, layers: [batch_norm, {activation: relu}]}
      name: block
  - parallel:
      - [conv2d: {filters: 2, kernel: 1}, flatten]
      - - parallel: [[], [{batch_norm: {}}]]
        - add
        - flatten
      - [{flatten: , when: {act: elu}}, {flatten: , when: {act: relu}}]
  - concatenate: {axis: 1, name: joined}
  - residual: {layers: [dense: 5], shortcut: [dense: 5]}
",
    );
    assert_eq!(
        outline(&model.layers),
        "conv2d [conv2d_1 batch_norm activation batch_norm_1 activation_1 | ] block \
         [conv2d_2 flatten | [ | batch_norm_2] add flatten_1 | flatten_2] joined \
         [dense | dense_1] add_1"
    );
    let Some(Layer::Parallel(joined)) = &model.layers[2].kind else { panic!("branches") };
    assert_eq!(joined.merge, Some(parallel::Merge::Concatenate(v1::Concatenate { axis: 1 })));
}

#[test]
fn a_layer_in_a_branch_is_found_in_the_file() {
    let experiment = with_model(
        "  - flatten
  - parallel:
      - [dense: 3]
      - - dense: 3
        - conv2d: {filters: 2, kernel: 3}
  - concatenate
  - dense: {units: classes, activation: softmax}
",
    );
    let error = experiment.check(&INPUT, &classes(2)).expect_err("a matrix for an image");
    assert!(error.to_string().starts_with("x.yaml:21: layer 4 `conv2d`: "), "{error}");
}

#[test]
fn hyperparameters_stand_in_branches_too() {
    let text = FILE.replace(
        "  - flatten\n",
        "  - residual: {layers: [{conv2d: {filters: $units, kernel: 1}}], shortcut: [conv2d: {filters: $units, kernel: 1}]}
  - parallel: [[dropout: $rate], []]
  - add
  - flatten\n",
    );
    let text = text.replace("  lr:", "  rate: {float: [0, 0.5]}\n  depth: {int: [1, 2]}\n  lr:");
    let experiment = good(&text);
    let warnings: Vec<String> = experiment.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["x.yaml:8: `depth` is never used"]);
    assert_eq!(experiment.check(&INPUT, &classes(2)), Ok(()));
    let concrete = experiment.concrete(&experiment.space.defaults());
    let layer = serde_json::to_string(&concrete["model"][1]).expect("it is JSON");
    assert_eq!(
        layer,
        r#"{"residual":{"layers":[{"conv2d":{"filters":16,"kernel":1}}],"shortcut":[{"conv2d":{"filters":16,"kernel":1}}]}}"#
    );
}

#[test]
fn activations_have_options() {
    let activation = |text: &str| {
        let model = network(&format!("  - activation: {text}\n"));
        let Some(Layer::Activation(activation)) = model.layers[0].kind else { panic!("{text}") };
        (activation.function(), activation.slope)
    };
    assert_eq!(activation("gelu"), (v1::Function::Gelu, 0.0));
    assert_eq!(activation("leaky_relu"), (v1::Function::LeakyRelu, 0.2));
    assert_eq!(activation("{leaky_relu: 0.3}"), (v1::Function::LeakyRelu, 0.3));
    assert_eq!(activation("{leaky_relu: {slope: $lr}}"), (v1::Function::LeakyRelu, 0.001));
    assert_eq!(activation("{activation: {leaky_relu: 0.1}}"), (v1::Function::LeakyRelu, 0.1));
}

#[test]
fn defaults_are_those_of_keras() {
    let model = network("  - bidirectional: {lstm: 3}\n  - depthwise_conv2d: {kernel: [2, 3]}\n");
    let Some(Layer::Bidirectional(layer)) = model.layers[0].kind else { panic!("both ways") };
    assert_eq!(layer.merge(), v1::Join::Concatenate);
    let lstm = v1::Lstm {
        units: 3,
        activation: of(v1::Function::Tanh),
        recurrent_activation: of(v1::Function::Sigmoid),
        unit_forget_bias: true,
        use_bias: true,
        ..v1::Lstm::default()
    };
    assert_eq!(layer.layer, Some(bidirectional::Layer::Lstm(lstm)));
    let Some(Layer::DepthwiseConv2d(conv)) = model.layers[1].kind else { panic!("depthwise") };
    assert_eq!((conv.depth_multiplier, conv.use_bias), (1, true));

    let least = training("batch_size: 1");
    let smoothing = v1::CategoricalCrossentropy { label_smoothing: 0.0 };
    let loss = loss::Kind::CategoricalCrossentropy(smoothing);
    assert_eq!(least.loss, Some(v1::Loss { kind: Some(loss) }));
    assert_eq!((least.precision(), least.top_k), (v1::Precision::F32, 3));
    assert_eq!((least.schedule, least.class_weights), (None, None));
}

#[test]
fn every_optimizer_and_schedule_can_be_named() {
    let optimizer = |options: &str| {
        let text = FILE.replace("{adam: {learning_rate: $lr}}", options);
        let text = text.replace("{filters: $units,", "{name: \"$act\", filters: $units,");
        let experiment = good(&text);
        let (_, training) = experiment
            .unchecked(&experiment.space.defaults(), &classes(2))
            .expect("it can be read");
        training.optimizer.expect("there is one")
    };
    assert_eq!(
        optimizer("sgd").kind,
        Some(optimizer::Kind::Sgd(v1::Sgd { learning_rate: 0.01, momentum: 0.0, nesterov: false }))
    );
    let clipped = optimizer("{rmsprop: {centered: true, global_clipnorm: 1.5}}");
    assert_eq!(clipped.clipping, Some(optimizer::Clipping::GlobalClipnorm(1.5)));
    let rmsprop =
        v1::RmsProp { learning_rate: 1e-3, rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: true };
    assert_eq!(clipped.kind, Some(optimizer::Kind::Rmsprop(rmsprop)));
    let Some(optimizer::Kind::Adamw(adamw)) = optimizer("{adamw: {learning_rate: $lr}}").kind
    else {
        panic!("AdamW")
    };
    assert_eq!((adamw.learning_rate, adamw.weight_decay), (0.001, 0.004));

    let schedule = |text| training(&format!("schedule: {text}")).schedule.and_then(|one| one.kind);
    assert_eq!(
        schedule("{exponential: {factor: 0.95}}"),
        Some(schedule::Kind::Exponential(v1::Exponential { hold: 0, factor: 0.95 }))
    );
    assert_eq!(
        schedule("cosine"),
        Some(schedule::Kind::Cosine(v1::Cosine { epochs: 3, warmup: 0, minimum: 0.0 }))
    );
    let Some(schedule::Kind::Plateau(plateau)) = schedule("plateau") else { panic!("plateau") };
    assert_eq!((plateau.factor, plateau.patience, plateau.min_delta), (0.1, 10, 1e-4));

    let weights = training("class_weight: {class 1: 2.5}").class_weights.and_then(|one| one.kind);
    let given = v1::Weights { values: vec![1.0, 2.5] };
    assert_eq!(weights, Some(class_weights::Kind::Given(given)));
}

#[test]
fn a_weights_file_of_another_network_is_refused_before_a_study() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = crate::pretrained::testing::file(folder.path(), |_| {});
    let text = |alpha: &str, weights: &str| {
        let model = format!(
            "  - mobilenet_v2: {{alpha: {alpha}, weights: {weights}}}
  - global_avg_pool2d
  - dense: {{units: classes, activation: softmax}}
"
        );
        let start = FILE.split("model:").next().expect("the file has a model");
        good(
            &format!("{start}model:\n{model}")
                .replace("lr: {float", "alpha: {choice: [0.35, 0.1]}\n  lr: {float"),
        )
    };
    let check = |experiment: &mut Experiment| {
        experiment.inspect_weights(false)?;
        experiment.check(&[64, 64, 3], &classes(2))
    };
    assert_eq!(check(&mut text("0.1", &file)), Ok(()));
    // One of the values works.
    assert_eq!(check(&mut text("$alpha", &file)), Ok(()));
    let error = check(&mut text("1.0", &file)).expect_err("the file is of another one");
    let expected = format!(
        "x.yaml:18: layer 1 `mobilenet_v2`: the weights file `{file}` is of another model: its \
         tensor `features.0.0.weight` has the shape [8, 3, 3, 3], where `alpha` 1 needs \
         [32, 3, 3, 3]"
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    let error = check(&mut text("1.0", "no/such.file")).expect_err("it is absent");
    let expected = "x.yaml:18: the weights file `no/such.file` cannot be read: ";
    assert!(error.to_string().starts_with(expected), "{error}");
    let absent = text("1.0", "no/such.file").inspect_weights(true).expect("a warning");
    assert_eq!(absent.len(), 1);
}

#[test]
fn layers_that_scale_have_axes_and_a_range() {
    let kind = |layer: &str| {
        let model = network(&format!("  - {layer}\n  - flatten\n  - dense: {{units: classes}}\n"));
        model.layers.into_iter().next().and_then(|layer| layer.kind).expect("it has one")
    };
    let axes = |axes: &[i32]| Some(v1::Axes { axes: axes.to_vec() });
    for (written, expected) in [
        ("normalization", None),
        ("normalization: -1", None),
        ("normalization: none", axes(&[])),
        ("normalization: {axis: 2}", axes(&[2])),
        ("normalization: {axis: [3, 1]}", axes(&[3, 1])),
    ] {
        let expected = Layer::Normalization(v1::Normalization { axes: expected });
        assert_eq!(kind(written), expected, "{written}");
    }
    let scaling = |axes, low, high| Layer::MinMaxScaling(v1::MinMaxScaling { axes, low, high });
    assert_eq!(kind("min_max_scaling"), scaling(None, 0.0, 1.0));
    let written = "min_max_scaling: {axis: none, range: [-1, 1]}";
    assert_eq!(kind(written), scaling(axes(&[]), -1.0, 1.0));
}
