//! Conditions, repetitions, and assignments that the file gives.

use super::*;
use crate::space::{Condition, Rules};

pub(super) const CONDITIONAL: &str = "\
study: small
objective: val_accuracy
search: {algorithm: random, max_trials: 5, seed: 1}
space:
  shape: {choice: [plain, deep]}
  depth: {int: [1, 3], when: {shape: deep}}
  units_{i}: {int: [16, 64], step: 16, repeat: depth}
  use_dropout: {boolean: false}
  rate: {float: [0.1, 0.4], step: 0.1, when: {use_dropout: true}}
  slope:
    - {float: [0.5, 0.9], step: 0.2, when: {shape: deep, use_dropout: [true]}}
    - {float: [0.1, 0.3], when: {shape: plain}}
  lr: {float: [0.001, 0.1], sampling: log}
data:
  audio: clips
  classes: [a, b]
  features: {mel: {n_mels: 64, frames: 64}}
train:
  epochs: 3
  optimizer: {adam: {learning_rate: $lr}}
model:
  - flatten
  - repeat:
      times: $depth
      layers:
        - dense: {units: \"$units_{i}\", name: \"wide_{i}\"}
        - {dropout: 0.5, when: {use_dropout: true}}
    when: {shape: deep}
  - dropout: $rate
    when: {use_dropout: true}
  - {batch_norm: , when: {shape: plain}}
  - {dropout: $slope, when: {shape: plain}}
  - dense: {units: classes, activation: softmax}
";

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn condition(parent: &str, values: Vec<Value>) -> Condition {
    Condition { parent: parent.to_owned(), values }
}

/// The space completed from some of its values.
fn completed(experiment: &Experiment, values: &[(&str, Value)]) -> HyperParameters {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    experiment.space.completed(&values.collect())
}

fn names_of_layers(experiment: &Experiment, assignment: &HyperParameters) -> Vec<String> {
    let (model, _) = experiment.specify(assignment, &INPUT, &classes(2)).expect("a good network");
    model.layers.into_iter().map(|layer| layer.name).collect()
}

#[test]
fn conditions_and_repetitions_become_hyperparameters() {
    let experiment = good(CONDITIONAL);
    assert_eq!(experiment.warnings, []);
    assert_eq!(experiment.check(&INPUT, &classes(2)), Ok(()));
    let when: Vec<(&str, &[Condition])> = experiment
        .space
        .hyperparameters
        .iter()
        .map(|hyperparameter| (hyperparameter.name.as_str(), hyperparameter.when.as_slice()))
        .collect();
    let deep = || condition("shape", vec![text("deep")]);
    let at_least =
        |least: i64| vec![condition("depth", (least..=3).map(Value::Int).collect::<Vec<_>>())];
    let expected = [
        ("shape", vec![]),
        ("depth", vec![deep()]),
        ("units_1", at_least(1)),
        ("units_2", at_least(2)),
        ("units_3", at_least(3)),
        ("use_dropout", vec![]),
        ("rate", vec![condition("use_dropout", vec![Value::Bool(true)])]),
        ("slope", vec![deep(), condition("use_dropout", vec![Value::Bool(true)])]),
        ("slope", vec![condition("shape", vec![text("plain")])]),
        ("lr", vec![]),
    ];
    assert_eq!(when.len(), expected.len());
    for ((name, when), (expected_name, expected)) in when.into_iter().zip(&expected) {
        assert_eq!((name, when), (*expected_name, expected.as_slice()));
    }
}

#[test]
fn repetitions_that_are_always_made_have_no_condition() {
    let text = FILE.replace(
        "  lr:",
        "  \"depth\": {choice: [4, 2]}\n  u/{i}.x: {boolean: true, repeat: depth}\n  lr:",
    );
    let experiment = good(&text);
    let when = |name: &str| experiment.space.named(name).next().map(|known| known.when.clone());
    assert_eq!((when("u/1.x"), when("u/2.x")), (Some(vec![]), Some(vec![])));
    let four = vec![condition("depth", vec![Value::Int(4)])];
    assert_eq!((when("u/3.x"), when("u/4.x")), (Some(four.clone()), Some(four)));
    assert_eq!(when("u/5.x"), None);
}

#[test]
fn conditions_of_what_is_repeated_are_numbered() {
    let file = FILE.replace(
        "  lr:",
        "  depth: {int: [1, 2]}
  act_{i}: {choice: [relu, tanh], repeat: depth}
  bias_{i}: {boolean: true, repeat: depth, when: {\"act_{i}\": tanh}}
  lr:",
    );
    let experiment = good(&file);
    let bias = experiment.space.named("bias_2").next().expect("a second one");
    let expected =
        [condition("depth", vec![Value::Int(2)]), condition("act_2", vec![text("tanh")])];
    assert_eq!(bias.when, expected);
}

#[test]
fn only_layers_that_exist_are_read() {
    let experiment = good(CONDITIONAL);
    let plain = completed(&experiment, &[("shape", text("plain"))]);
    assert_eq!(names_of_layers(&experiment, &plain), ["flatten", "batch_norm", "dropout", "dense"]);
    let deep = [("shape", text("deep")), ("depth", Value::Int(2)), ("units_2", Value::Int(48))];
    let deep = completed(&experiment, &deep);
    assert_eq!(names_of_layers(&experiment, &deep), ["flatten", "wide_1", "wide_2", "dense"]);
    let (model, _) = experiment.specify(&deep, &INPUT, &classes(2)).expect("a good network");
    let Some(Layer::Dense(dense)) = model.layers[2].kind else { panic!("a dense layer") };
    assert_eq!(dense.units, 48);
    let mut dropped = [("shape", text("deep")), ("depth", Value::Int(1))].to_vec();
    dropped.push(("use_dropout", Value::Bool(true)));
    let dropped = completed(&experiment, &dropped);
    assert_eq!(
        names_of_layers(&experiment, &dropped),
        ["flatten", "wide_1", "dropout", "dropout_1", "dense"]
    );
    let concrete = serde_json::to_value(experiment.concrete(&deep)).expect("its keys are text");
    let expected = serde_json::json!([
        "flatten",
        {"dense": {"units": 16, "name": "wide_1"}},
        {"dense": {"units": 48, "name": "wide_2"}},
        {"dense": {"units": "classes", "activation": "softmax"}},
    ]);
    assert_eq!(concrete["model"], expected);
}

#[test]
fn a_repetition_may_be_literal_or_none() {
    let layers = "  - flatten
  - repeat: {times: 2, layers: [{dense: 8}, batch_norm]}
  - repeat: {times: 0, layers: [dense]}
  - dense: {units: classes, activation: softmax}
";
    let experiment = with_model(layers);
    let defaults = experiment.space.defaults();
    assert_eq!(
        names_of_layers(&experiment, &defaults),
        ["flatten", "dense", "batch_norm", "dense_1", "batch_norm_1", "dense_2"]
    );
    assert_eq!(networks(layers), Ok(()));
}

#[test]
fn the_line_of_an_impossible_layer_is_the_written_one() {
    let layers = "  - flatten
  - repeat:
      times: 3
      layers:
        - dense: 8
  - max_pool2d
  - dense: {units: classes, activation: softmax}
";
    let (message, _) = networks(layers).expect_err("a pool of a vector");
    assert!(message.starts_with("x.yaml:22: layer 5 `max_pool2d`: "), "{message}");
}

#[test]
fn what_exists_only_sometimes_is_looked_for_everywhere() {
    // At the defaults nothing is wrong; what is wrong shows for one pair of values.
    let wrong = |old: &str, new: &str| {
        assert!(CONDITIONAL.contains(old), "{old}");
        let error = good(&CONDITIONAL.replace(old, new)).check(&INPUT, &classes(2)).expect_err(new);
        (error.to_string(), error.hint.unwrap_or_default())
    };
    assert_eq!(
        wrong("{dropout: 0.5, when: {use_dropout: true}}", "dropout: $slope"),
        (
            "x.yaml:27: `$slope` has no value where `use_dropout` is `false`".to_owned(),
            "give the layer `when: {use_dropout: true}`, or `slope` a value there, too".to_owned()
        )
    );
    assert_eq!(
        wrong("{adam: {learning_rate: $lr}}", "{adam: {learning_rate: $lr, beta_1: $slope}}"),
        (
            "x.yaml:20: `$slope` has no value where `use_dropout` is `false`".to_owned(),
            "give `slope` a value there, too".to_owned()
        )
    );
    assert_eq!(
        wrong("{units: \"$units_{i}\", name", "{units: $units_2, name"),
        (
            "x.yaml:26: `$units_2` has no value where `depth` is `1`".to_owned(),
            "give the layer `when: {depth: [2, 3]}`, or `units_2` a value there, too".to_owned()
        )
    );
    assert_eq!(
        wrong("dropout: 0.5", "dropuot: 0.5"),
        ("x.yaml:27: unknown layer `dropuot`".to_owned(), "did you mean `dropout`?".to_owned())
    );
}

#[test]
fn fix_leaves_conditions_as_they_are() {
    let fixed = |name: &str, value: &str| parse(CONDITIONAL, &fix(name, value));
    let experiment = fixed("rate", "0.3").expect("a good override");
    let rate = experiment.space.named("rate").next().expect("it stays in the space");
    assert_eq!(rate.kind, Kind::Fixed(Value::Float(0.1 + 2.0 * 0.1)));
    assert_eq!(rate.when, [condition("use_dropout", vec![Value::Bool(true)])]);
    let experiment = fixed("units_{i}", "32").expect("a good override");
    let third = experiment.space.named("units_3").next().expect("it stays in the space");
    assert_eq!((&third.kind, third.when.len()), (&Kind::Fixed(Value::Int(32)), 1));
    let experiment = fixed("depth", "2").expect("a good override");
    assert_eq!(experiment.space.named("units_3").count(), 0);
    let experiment = fixed("shape", "plain").expect("a good override");
    assert_eq!(experiment.warnings, [], "what the command line fixes is meant");
    for experiment in [fixed("rate", "0.3"), fixed("units_{i}", "32"), fixed("depth", "2")] {
        let experiment = experiment.expect("a good override");
        assert_eq!(good(&experiment.canonical()).space, experiment.space);
        assert_eq!(experiment.check(&INPUT, &classes(2)), Ok(()));
    }
    for (name, value, message, hint) in [
        (
            "units_2",
            "32",
            "--fix units_2: `units_2` is one of `units_{i}`",
            "fix all of them: --fix 'units_{i}=32'",
        ),
        (
            "units_",
            "32",
            "--fix units_: `units_` is not in the search space",
            "did you mean `units_{i}`?",
        ),
        (
            "slope",
            "0.2",
            "--fix slope: `slope` cannot be `0.2`",
            "it can be a number from 0.5 to 0.9 in steps of 0.2",
        ),
    ] {
        let error = fixed(name, value).expect_err(message);
        assert_eq!((error.to_string().as_str(), error.hint().unwrap_or_default()), (message, hint));
    }
}

#[test]
fn set_reaches_the_new_keys() {
    for (path, value) in [
        ("space.rate.when", "{shape: deep}"),
        ("space.units_{i}.step", "8"),
        ("space.slope[1].float", "[0.2, 0.3]"),
        ("model[1].repeat.times", "1"),
        ("search.first", "[{shape: deep}]"),
        ("search.compat", "keras-tuner-1.4"),
    ] {
        if let Err(error) = parse(CONDITIONAL, &set(path, value)) {
            panic!("{path}={value}: {error}");
        }
    }
    let error = parse(CONDITIONAL, &set("space.rate.when", "{shap: deep}")).expect_err("a slip");
    assert_eq!(
        error.to_string(),
        "--set space.rate.when: space.rate.when.shap: `shap` is not in the search space"
            .replace("space.rate.when.shap: ", "")
    );
    assert_eq!(error.hint(), Some("did you mean `shape`?"));
}

#[test]
fn a_condition_that_never_holds_is_a_warning() {
    let text = CONDITIONAL.replace("use_dropout: {boolean: false}", "use_dropout: {fixed: false}");
    let warnings: Vec<String> = good(&text).warnings.iter().map(Warning::to_string).collect();
    assert_eq!(warnings, ["x.yaml:9: `rate` never has a value: `use_dropout` is always `false`"]);
}

#[test]
fn parents_are_used_if_their_children_are() {
    let text = FILE.replace(
        "  lr: {float: [0.001, 0.1], sampling: log}",
        "  fast: {boolean: true}
  lr: [{float: [0.01, 0.1], when: {fast: true}}, {float: [0.001, 0.01], when: {fast: false}}]
  idle: {boolean: true}
  child: {boolean: true, when: {idle: true}}",
    );
    let warnings: Vec<String> = good(&text).warnings.iter().map(Warning::to_string).collect();
    assert_eq!(warnings, ["x.yaml:9: `idle` is never used", "x.yaml:10: `child` is never used"]);
}

#[test]
fn first_assignments_are_completed_in_the_order_of_the_space() {
    let first = "seed: 1, first: [{rate: 0.2, use_dropout: true}, {shape: deep, depth: 2, \
                 units_2: 64, lr: 0.1}]";
    let experiment = good(&CONDITIONAL.replace("seed: 1", first));
    let given: Vec<String> = experiment
        .search
        .first
        .iter()
        .map(|assignment| serde_json::to_string(&assignment.hyperparameters).expect("JSON"))
        .collect();
    assert_eq!(
        given,
        [
            "{\"shape\":\"plain\",\"use_dropout\":true,\"rate\":0.2,\"slope\":0.1,\"lr\":0.001}",
            "{\"shape\":\"deep\",\"depth\":2,\"units_1\":16,\"units_2\":64,\"use_dropout\":false,\
             \"lr\":0.1}",
        ]
    );
    assert_eq!(experiment.search.first[0].name, None);
    let first = "seed: 1, first: {wide: {lr: 1.0e-1}, \"2nd\": {}}";
    let experiment = good(&CONDITIONAL.replace("seed: 1", first));
    let names: Vec<Option<&str>> =
        experiment.search.first.iter().map(|first| first.name.as_deref()).collect();
    assert_eq!(names, [Some("wide"), Some("2nd")]);
    assert_eq!(good(&experiment.canonical()).search, experiment.search);
}

#[test]
fn a_version_of_keras_tuner_gives_its_rules() {
    assert_eq!(good(CONDITIONAL).space.rules, Rules::Mended);
    for (word, rules) in
        [("keras-tuner-1.4", Rules::KerasTuner14), ("keras-tuner-1.0", Rules::KerasTuner10)]
    {
        let text = CONDITIONAL.replace("seed: 1", &format!("seed: 1, compat: {word}"));
        assert_eq!(good(&text).space.rules, rules);
    }
}

#[test]
fn more_trials_than_assignments_is_a_warning() {
    let warnings = |search: &str| -> Vec<String> {
        let text = FILE
            .replace("max_trials: 5", search)
            .replace("lr: {float: [0.001, 0.1], sampling: log}", "lr: {fixed: 0.01}");
        good(&text).warnings.iter().map(Warning::to_string).collect()
    };
    assert_eq!(warnings("max_trials: 16"), Vec::<String>::new());
    assert_eq!(
        warnings("max_trials: 17"),
        ["x.yaml:3: `max_trials` is 17, but the space has only 16 assignments: all of them are \
          tried"]
    );
    assert_eq!(
        warnings("max_trials: 100, seed: 1, compat: keras-tuner-1.4"),
        ["x.yaml:3: `max_trials` is 100, but the space has only 16 assignments: Keras Tuner ends \
          when it draws too few new ones"]
    );
}

#[test]
fn the_examples_of_the_reference_are_good() {
    let page = include_str!("../../../experiments/README.md");
    let examples: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(example, _)| example))
        .collect();
    let example = |beginning: &str| -> &str {
        examples.iter().find(|example| example.starts_with(beginning)).expect(beginning)
    };
    let space = "space:\n  use_dropout: {boolean: true}\n  lr: {float: [0.001, 0.1]}\n".to_owned()
        + example("  optimizer:")
        + example("  depth:");
    let rest = FILE.split_once("data:").map(|(_, rest)| "data:".to_owned() + rest);
    let rest = rest.expect("the file has data");
    let training = rest.split_once("model:").expect("the file has a model").0;
    let start = "objective: loss\nsearch: {algorithm: random, max_trials: 5}\n";
    let text = format!("{start}{space}{training}{}", example("model:\n"));
    let experiment = good(&text);
    assert_eq!(experiment.check(&INPUT, &classes(2)), Ok(()));
    let nesterov = experiment.space.named("nesterov").next().expect("it is declared");
    let momentum = condition("momentum", vec![Value::Float(0.8), Value::Float(0.9)]);
    assert_eq!(nesterov.when[1], momentum);
    let twice = space.replace("sgd, adam", "sgd, rmsprop").replace(
        "  momentum:  {float: [0.0, 0.9], step: 0.1, when: {optimizer: sgd}}\n",
        example("  momentum:\n"),
    );
    assert_eq!(good(&text.replace(&space, &twice)).space.named("momentum").count(), 2);
}
