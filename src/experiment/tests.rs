//! Good files, overrides, and what a run keeps.

mod algorithms;
mod conditional;
mod data;
mod messages;
mod networks;
mod objective;
mod shipped;
mod stopping;

use proptest::prelude::*;
use sweep_proto::v1::layer::Kind as Layer;
use sweep_proto::v1::optimizer::Kind as Optimizer;

use self::conditional::CONDITIONAL;
use super::*;
use crate::data::known_ahead;
use crate::space::{Kind, Numerical, Sampling, Value};
use crate::study::{Direction, Objective};

const FILE: &str = "\
study: small
objective: val_accuracy
search: {algorithm: random, max_trials: 5}
space:
  units: {int: [16, 128], step: 16}
  act: {choice: [relu, elu]}
  lr: {float: [0.001, 0.1], sampling: log}
data:
  audio: clips
  classes: [a, b]
  features: {mel: {n_mels: 64, frames: 64}}
  split: {test: 0.2}
train:
  epochs: 3
  optimizer: {adam: {learning_rate: $lr}}
model:
  - conv2d: {filters: $units, kernel: 3, activation: $act}
  - flatten
  - dense: {units: classes, activation: softmax}
";

const INPUT: [u32; 3] = [64, 64, 1];

fn parse(text: &str, overrides: &Overrides) -> Result<Experiment, ExperimentError> {
    let document = Document::parse(Path::new("x.yaml"), text.to_owned())?;
    Experiment::from_document(document, overrides)
}

fn good(text: &str) -> Experiment {
    match parse(text, &Overrides::default()) {
        Ok(experiment) => experiment,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn with_model(layers: &str) -> Experiment {
    let start = FILE.split("model:").next().expect("the file has a model");
    good(&format!("{start}model:\n{layers}"))
}

/// An activation without options.
fn of(function: v1::Function) -> Option<v1::Activation> {
    Some(v1::Activation { function: function.into(), slope: 0.0 })
}

/// Names for so many classes.
fn classes(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

fn set(path: &str, value: &str) -> Overrides {
    Overrides { set: vec![(path.to_owned(), value.to_owned())], fix: Vec::new() }
}

fn fix(name: &str, value: &str) -> Overrides {
    Overrides { set: Vec::new(), fix: vec![(name.to_owned(), value.to_owned())] }
}

fn networks(layers: &str) -> Result<(), (String, String)> {
    with_model(layers)
        .check(&INPUT, &classes(2))
        .map_err(|error| (error.to_string(), error.hint.unwrap_or_default()))
}

#[test]
fn settings_have_their_defaults() {
    let experiment = good(FILE);
    let objective = Objective::single("val_accuracy", Direction::Max);
    let expected = Settings {
        study: "small".to_owned(),
        objective,
        max_trials: 5,
        executions_per_trial: 1,
        folds: None,
        seed: 0,
        max_retries: 2,
        max_consecutive_failures: 3,
        hours: None,
        epochs: None,
        keep_models: 1,
    };
    assert_eq!(experiment.settings, expected);
    assert_eq!(experiment.warnings, []);
    let (shape, classes) = known_ahead(&experiment.data).expect("frames and classes are given");
    assert_eq!((shape, classes.len()), (INPUT.to_vec(), 2));
    assert_eq!(good(&FILE.replace("study: small", "")).settings.study, "x");
}

#[test]
fn directions_are_inferred_from_names() {
    for (metric, direction) in [
        ("val_loss", Direction::Min),
        ("loss", Direction::Min),
        ("val_mae", Direction::Min),
        ("mean_squared_error", Direction::Min),
        ("val_accuracy", Direction::Max),
        ("macro_f1", Direction::Max),
        ("{metric: bleu, direction: max}", Direction::Max),
        ("{metric: val_loss, direction: max}", Direction::Max),
    ] {
        let text = FILE.replace("objective: val_accuracy", &format!("objective: {metric}"));
        assert_eq!(good(&text).settings.objective.direction, direction, "{metric}");
    }
}

#[test]
fn hyperparameters_keep_type_and_order() {
    let text = FILE.replace(
        "  lr:",
        "  many: {int: [1, 100], sampling: reverse_log, default: 10}
  momentum: {float: [0, 1], step: 0.1}
  flags: {choice: [true, false], default: false}
  sizes: {choice: [1, 2]}
  rates: {choice: [0.5, 1.0]}
  normalize: {boolean: true}
  depth: {fixed: 4}
  conv.1/units-2: {fixed: x}
  lr:",
    );
    let experiment = good(&text);
    let kinds: Vec<(&str, &Kind)> = experiment
        .space
        .hyperparameters
        .iter()
        .map(|hyperparameter| (hyperparameter.name.as_str(), &hyperparameter.kind))
        .collect();
    let choice = |values: Vec<Value>, default| Kind::Choice { values, default };
    let text = |text: &str| Value::Text(text.to_owned());
    let expected = [
        (
            "units",
            Kind::Int(Numerical {
                min: 16,
                max: 128,
                step: Some(16),
                sampling: Sampling::Linear,
                default: None,
            }),
        ),
        ("act", choice(vec![text("relu"), text("elu")], None)),
        (
            "many",
            Kind::Int(Numerical {
                min: 1,
                max: 100,
                step: None,
                sampling: Sampling::ReverseLog,
                default: Some(10),
            }),
        ),
        (
            "momentum",
            Kind::Float(Numerical {
                min: 0.0,
                max: 1.0,
                step: Some(0.1),
                sampling: Sampling::Linear,
                default: None,
            }),
        ),
        ("flags", choice(vec![Value::Bool(true), Value::Bool(false)], Some(Value::Bool(false)))),
        ("sizes", choice(vec![Value::Int(1), Value::Int(2)], None)),
        ("rates", choice(vec![Value::Float(0.5), Value::Float(1.0)], None)),
        ("normalize", Kind::Boolean { default: true }),
        ("depth", Kind::Fixed(Value::Int(4))),
        ("conv.1/units-2", Kind::Fixed(text("x"))),
        (
            "lr",
            Kind::Float(Numerical {
                min: 0.001,
                max: 0.1,
                step: None,
                sampling: Sampling::Log,
                default: None,
            }),
        ),
    ];
    assert_eq!(kinds.len(), expected.len());
    for ((name, kind), (expected_name, expected)) in kinds.into_iter().zip(&expected) {
        assert_eq!((name, kind), (*expected_name, expected));
    }
    let unused: Vec<String> = experiment.warnings.iter().map(Warning::to_string).collect();
    assert_eq!(unused.len(), 8);
    assert_eq!(unused[0], "x.yaml:7: `many` is never used");
}

#[test]
fn an_objective_that_no_worker_reports_is_a_warning() {
    let experiment = good(&FILE.replace("val_accuracy", "val_auc"));
    assert_eq!(
        experiment.warnings[0].to_string(),
        "x.yaml:2: `val_auc` is not a metric that `sweep-worker` reports"
    );
}

#[test]
fn an_assignment_becomes_layers_and_numbers() {
    let experiment = good(FILE);
    let mut assignment = experiment.space.defaults();
    assignment.set("units", Value::Int(48));
    assignment.set("act", Value::Text("elu".to_owned()));
    assignment.set("lr", Value::Float(0.02));
    let (model, training) =
        experiment.specify(&assignment, &INPUT, &classes(2)).expect("a good network");
    let one = Some(v1::Size { height: 1, width: 1 });
    let conv = v1::Conv2d {
        filters: 48,
        kernel: Some(v1::Size { height: 3, width: 3 }),
        strides: one,
        padding: v1::Padding::Valid.into(),
        dilation: one,
        use_bias: true,
        activation: of(v1::Function::Elu),
        kernel_regularizer: None,
    };
    assert_eq!(model.layers[0].kind, Some(Layer::Conv2d(conv)));
    assert_eq!((training.epochs, training.batch_size), (3, 32));
    let Some(Optimizer::Adam(adam)) = training.optimizer.and_then(|optimizer| optimizer.kind)
    else {
        panic!("the optimizer is Adam");
    };
    assert_eq!(
        (adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon),
        (0.02, 0.9, 0.999, 1e-7)
    );
    assert_eq!(training.early_stopping, None);
}

#[test]
fn early_stopping_needs_only_patience() {
    let early_stopping = |options: &str| {
        let train = format!("train:\n  early_stopping: {options}");
        let experiment = good(&FILE.replacen("train:", &train, 1));
        let (_, training) = experiment
            .specify(&experiment.space.defaults(), &INPUT, &classes(2))
            .expect("a good network");
        training.early_stopping.expect("it is there")
    };
    let least = v1::EarlyStopping {
        monitor: "val_loss".to_owned(),
        direction: v1::Direction::Min.into(),
        patience: 4,
        min_delta: 0.0,
        restore_best: false,
    };
    assert_eq!(early_stopping("{patience: 4}"), least);
    let all = v1::EarlyStopping {
        monitor: "f0".to_owned(),
        direction: v1::Direction::Max.into(),
        min_delta: 0.5,
        restore_best: true,
        ..least
    };
    let options = "{monitor: f0, direction: max, patience: 4, min_delta: 0.5, restore_best: true}";
    assert_eq!(early_stopping(options), all);
}

#[test]
fn layers_may_be_words_main_options_or_options() {
    let experiment = with_model(
        "  - conv2d: {filters: 4, kernel: [3, 5], strides: 2, padding: same}
  - conv2d: {filters: 4, kernel: 1, dilation: 2, name: conv2d_1, use_bias: false}
  - conv2d: {filters: $units, kernel: 1}
  - max_pool2d
  - max_pool2d: [2, 4]
  - max_pool2d: {pool: 3, strides: 1}
  - batch_norm:
  - batch_norm: {momentum: 0.9}
  - activation: $act
  - to_sequence
  - gru: {units: 8, return_sequences: true, reset_after: false}
  - gru: 8
  - dropout: 0.5
  - dense: 7
  - dense: classes
  - activation: {activation: softmax, name: probabilities}
",
    );
    let defaults = experiment.space.defaults();
    let (model, _) = experiment.specify(&defaults, &INPUT, &classes(2)).expect("a good network");
    let names: Vec<&str> = model.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "conv2d",
            "conv2d_1",
            "conv2d_2",
            "max_pool2d",
            "max_pool2d_1",
            "max_pool2d_2",
            "batch_norm",
            "batch_norm_1",
            "activation",
            "to_sequence",
            "gru",
            "gru_1",
            "dropout",
            "dense",
            "dense_1",
            "probabilities"
        ]
    );
    let Some(Layer::Pool2d(pool)) = model.layers[4].kind else { panic!("a pool") };
    assert_eq!(pool.pool, Some(v1::Size { height: 2, width: 4 }));
    assert_eq!(pool.strides, pool.pool, "strides are the pool unless said");
    let Some(Layer::Gru(gru)) = model.layers[11].kind else { panic!("a GRU") };
    assert!(!gru.return_sequences && gru.reset_after && gru.use_bias);
    assert_eq!(gru.activation, of(v1::Function::Tanh));
    assert_eq!(gru.recurrent_activation, of(v1::Function::Sigmoid));
}

#[test]
fn an_impossible_network_is_not_a_wrong_file() {
    let experiment = with_model("  - flatten\n  - dense: {units: $units, activation: softmax}\n");
    let mut assignment = experiment.space.defaults();
    assert!(experiment.specify(&assignment, &INPUT, &classes(16)).is_ok());
    assignment.set("units", Value::Int(32));
    match experiment.specify(&assignment, &INPUT, &classes(16)) {
        Err(SpecifyError::Network(error)) => assert_eq!(error.index, 1),
        other => panic!("{other:?}"),
    }
    assignment.set("units", Value::Float(32.0));
    match experiment.specify(&assignment, &INPUT, &classes(16)) {
        Err(SpecifyError::File(error)) => assert_eq!(error.line(), Some(18)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_without_any_working_network_is_refused() {
    let end = "  - flatten\n  - dense: {units: classes, activation: softmax}\n";
    assert_eq!(networks(end), Ok(()));
    let pools = "  - max_pool2d: 16\n  - max_pool2d: 8\n".to_owned() + end;
    assert_eq!(
        networks(&pools),
        Err((
            "x.yaml:18: layer 2 `max_pool2d_1`: pool (8, 8) is larger than its input (4, 4, 1)"
                .to_owned(),
            "use `padding: same`, or pool less before it".to_owned()
        )),
        "no hyperparameter plays a part, so no number of assignments is named"
    );
    let searched = "  - conv2d: {filters: $units, kernel: 65, activation: $act}\n".to_owned() + end;
    assert_eq!(
        networks(&searched),
        Err((
            "x.yaml:17: layer 1 `conv2d`: kernel (65, 65) is larger than its input (64, 64, 1); \
             none of 16 assignments tried gives a network"
                .to_owned(),
            "use `padding: same`, or pool less before it".to_owned()
        ))
    );
    assert_eq!(
        networks("  - flatten\n  - dense: classes\n"),
        Err((
            "x.yaml:18: layer 2 `dense`: gives no probabilities, which \
             `categorical_crossentropy` needs"
                .to_owned(),
            "end the network with `dense: {units: classes, activation: softmax}`".to_owned()
        ))
    );
    assert_eq!(
        networks("  - dense: {units: classes, activation: softmax}\n"),
        Err((
            "x.yaml:17: layer 1 `dense`: gives (64, 64, 2), but the last layer must give one \
             value for each of 2 classes"
                .to_owned(),
            "add `flatten`, a global pool, or a recurrent layer without `return_sequences`, before the last `dense`"
                .to_owned()
        ))
    );
}

#[test]
fn one_working_network_is_enough() {
    // Works for a single pair of values in the middle of the ranges.
    let text = FILE
        .replace("{int: [16, 128], step: 16}", "{int: [1, 60]}")
        .replace("[relu, elu]", "[softmax, relu]")
        .replace(
            "  - dense: {units: classes, activation: softmax}",
            "  - dense: {units: $units, activation: $act}",
        );
    assert!(good(&text).check(&INPUT, &classes(31)).is_ok());
    let error = good(&text).check(&INPUT, &classes(61)).expect_err("no width is 61");
    assert!(
        error.to_string().ends_with("none of 120 assignments tried gives a network"),
        "{error}"
    );
    let text = text.replace("[1, 60]", "[1, 60000]");
    let error = good(&text).check(&INPUT, &classes(61_000)).expect_err("no width is 61000");
    assert!(error.to_string().contains("none of 1031 assignments"), "{error}");
}

#[test]
fn values_at_the_edges_must_fit_where_they_stand() {
    let edge = |old: &str, new: &str| {
        let error = good(&FILE.replace(old, new)).check(&INPUT, &classes(2)).expect_err(new);
        (error.to_string(), error.hint.unwrap_or_default())
    };
    assert_eq!(
        edge("{choice: [relu, elu]}", "{choice: [relu, eluu]}"),
        ("x.yaml:17: unknown activation `eluu`".to_owned(), "did you mean `elu`?".to_owned())
    );
    assert_eq!(
        edge("{int: [16, 128], step: 16}", "{int: [0, 128], step: 16, default: 16}"),
        (
            "x.yaml:17: model[0].conv2d.filters: expected a whole number from 1 to 65536, but \
             `$units` can be the number 0"
                .to_owned(),
            "change `space.units`, or do not use it here".to_owned()
        )
    );
}

#[test]
fn a_space_may_be_empty() {
    for space in ["", "space:\n", "space: {}\n"] {
        let text = format!(
            "objective: loss
search: {{algorithm: random, max_trials: 1}}
{space}data: {{synthetic: {{classes: 3, clips: 4, seconds: 1.5}}, features: mel}}
train: {{epochs: 1, optimizer: {{adam: }}}}
model: [flatten, {{dense: {{units: classes, activation: softmax}}}}]
"
        );
        let experiment = good(&text);
        assert_eq!(experiment.space, Space::default());
        assert_eq!(experiment.check(&INPUT, &classes(3)), Ok(()));
        let (shape, _) = known_ahead(&experiment.data).expect("1.5 s at 22 050 Hz, hop 512");
        assert_eq!(shape, [128, 65, 1]);
    }
}

#[test]
fn set_replaces_adds_and_is_named_in_errors() {
    let experiment = parse(FILE, &set("search.seed", "7")).expect("a good override");
    assert_eq!(experiment.settings.seed, 7);
    let experiment = parse(FILE, &set("space.units", "{fixed: 32}")).expect("a good override");
    assert_eq!(
        experiment.space.named("units").next().map(|units| units.kind.default()),
        Some(Value::Int(32))
    );
    let experiment = parse(FILE, &set("model[0].conv2d.kernel", "[2, 3]")).expect("good");
    assert_eq!(experiment.check(&INPUT, &classes(2)), Ok(()));
    let experiment = parse(FILE, &set("limits.hours", "0.5")).expect("a new section");
    assert_eq!(experiment.settings.hours, Some(0.5));
    for (path, value, message, hint) in [
        (
            "search.max_trials",
            "0",
            "--set search.max_trials: expected a whole number from 1 to 1000000, found the \
             number 0",
            "",
        ),
        (
            "search.max_trails",
            "5",
            "--set search.max_trails: unknown key `max_trails` in `search`",
            "did you mean `max_trials`?",
        ),
        (
            "serach.seed",
            "5",
            "--set serach.seed: unknown section `serach`",
            "did you mean `search`?",
        ),
        (
            "search",
            "{algorithm: random, max_trials: x}",
            "--set search: search.max_trials: expected a whole number from 1 to 1000000, found \
             the text `x`",
            "",
        ),
        (
            "space.units.default",
            "500",
            "--set space.units.default: the default 500 is outside [16, 128]",
            "move the default, or widen the range",
        ),
        (
            "train.optimizer.adam.learning_rate",
            "$lrr",
            "--set train.optimizer.adam.learning_rate: `lrr` is not in the search space",
            "did you mean `lr`?",
        ),
        (
            "model[7].dropout",
            "0.2",
            "--set model[7].dropout: `model` has 3 items, counted from 0",
            "",
        ),
        (
            "study.name",
            "x",
            "--set study.name: `study` is the text `small`, so it has no `name`",
            "",
        ),
        ("data[0]", "x", "--set data[0]: `data` is a mapping, not a list", ""),
        (
            "a..b",
            "x",
            "--set a..b: this is not a path",
            "write it like `search.max_trials` or `model[3].conv2d.filters`",
        ),
        ("search.seed", "null", "--set search.seed: there is no value after `=`", ""),
        (
            "space.x",
            "{fixed: 4",
            "--set space.x: the value is not YAML: did not find expected ',' or '}', while \
             parsing a flow mapping",
            "put the whole argument in quotation marks: --set 'space.x={fixed: 4}'",
        ),
    ] {
        let error = parse(FILE, &set(path, value)).expect_err(message);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint.unwrap_or_default(), hint, "{message}");
        assert_eq!(error.place, Place::Set(path.to_owned()));
    }
}

#[test]
fn fix_takes_a_hyperparameter_out_of_the_search() {
    let experiment = parse(FILE, &fix("act", "elu")).expect("a good override");
    let act = experiment.space.named("act").next().expect("it stays in the space");
    assert_eq!(act.kind, Kind::Fixed(Value::Text("elu".to_owned())));
    assert!(experiment.canonical().contains("act:\n    fixed: elu"), "{}", experiment.canonical());
    for (name, value, message, hint) in [
        ("Act", "elu", "--fix Act: `Act` is not in the search space", "did you mean `act`?"),
        ("act", "gelu", "--fix act: `act` cannot be `gelu`", "it can be `relu` or `elu`"),
        (
            "units",
            "20",
            "--fix units: `units` cannot be `20`",
            "it can be a whole number from 16 to 128 in steps of 16",
        ),
        ("lr", "1", "--fix lr: `lr` cannot be `1`", "it can be a number from 0.001 to 0.1"),
    ] {
        let error = parse(FILE, &fix(name, value)).expect_err(message);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint.unwrap_or_default(), hint);
    }
    let unused = FILE.replace("activation: $act", "activation: relu");
    let experiment = parse(&unused, &fix("act", "elu")).expect("a good override");
    assert_eq!(experiment.warnings[0].to_string(), "--fix act: `act` is never used");
}

#[test]
fn the_canonical_text_reads_back_as_the_same_experiment() {
    let overrides = Overrides { fix: fix("act", "elu").fix, ..set("search.seed", "7") };
    let nameless = FILE.replace("study: small\n", "");
    let experiment = parse(&nameless, &overrides).expect("a good file");
    let text = experiment.canonical();
    let document = Document::parse(Path::new("experiment.yaml"), text.clone()).expect("YAML");
    let again = Experiment::from_document(document, &Overrides::default()).expect("a good file");
    assert_eq!(again.settings, experiment.settings);
    assert_eq!(again.space, experiment.space);
    assert_eq!(again.data, experiment.data);
    assert_eq!(again.canonical(), text);
    assert_eq!(experiment.differences(&text), []);
}

#[test]
fn what_changed_since_a_run_is_listed() {
    let earlier = good(FILE).canonical();
    let overrides = Overrides {
        set: [("search.seed", "3"), ("search.max_trials", "50"), ("limits.hours", "1")]
            .map(|(path, value)| (path.to_owned(), value.to_owned()))
            .into(),
        fix: fix("units", "32").fix,
    };
    let now = parse(FILE, &overrides).expect("a good file");
    let differences = now.differences(&earlier);
    let listed: Vec<(&str, bool)> = differences
        .iter()
        .map(|difference| (difference.text.as_str(), difference.extends))
        .collect();
    assert_eq!(
        listed,
        [
            ("search.seed: absent in the run, 3 now", false),
            ("space.units.int: [16, 128] in the run, absent now", true),
            ("space.units.step: 16 in the run, absent now", true),
            ("space.units.fixed: absent in the run, 32 now", true),
        ]
    );
    assert!(now.differences("{")[0].text.starts_with("the run's file cannot be read: "));
}

#[test]
fn what_is_not_an_experiment_file_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        let error = read(&path, &Overrides::default()).expect_err(name);
        let place = folder.path().display().to_string() + "/";
        (error.to_string().replace(&place, ""), error.hint.unwrap_or_default().replace(&place, ""))
    };
    let whole = "experiments/README.md shows a complete file";
    for ((message, hint), expected, expected_hint) in [
        (text("empty.yaml", b""), "empty.yaml: the file is empty", whole),
        (text("comment.yaml", b"# nothing\n"), "comment.yaml: the file is empty", whole),
        (
            text("list.yaml", b"- a\n- b\n"),
            "list.yaml: expected sections like `search:`, found a list",
            whole,
        ),
        (
            text("text.yaml", b"hello"),
            "text.yaml: expected sections like `search:`, found the text `hello`",
            whole,
        ),
        (
            text("latin.yaml", b"study: x\n# \xe9\n"),
            "latin.yaml:2: this is not UTF-8 text",
            "save the file as UTF-8",
        ),
        (
            text("two.yaml", b"a: 1\n---\nb: 1\n"),
            "two.yaml: this is not YAML: deserializing from YAML containing more than one \
             document is not supported",
            "",
        ),
        (
            text("large.yaml", &vec![b'#'; (1 << 20) + 1]),
            "large.yaml: this is larger than 1 MiB, so it is not an experiment file",
            "",
        ),
    ] {
        assert_eq!(message, expected);
        assert_eq!(hint, expected_hint, "{message}");
    }
    let error = read(folder.path(), &Overrides::default()).expect_err("a folder");
    assert!(error.to_string().ends_with(": this is a folder"), "{error}");
    let error = read(&folder.path().join("emty.yaml"), &Overrides::default()).expect_err("absent");
    assert!(error.to_string().ends_with("emty.yaml: there is no such file"), "{error}");
    let near = folder.path().join("empty.yaml");
    assert_eq!(error.hint, Some(format!("did you mean `{}`?", near.display())));
}

#[test]
fn a_deep_file_is_refused_without_a_crash() {
    let error = parse(&"[".repeat(100_000), &Overrides::default()).expect_err("not YAML");
    assert!(error.to_string().starts_with("x.yaml"), "{error}");
    let deep = format!("a: {}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let error = parse(&deep, &Overrides::default()).expect_err("too deep");
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[test]
fn the_example_of_the_reference_is_good() {
    let page = include_str!("../../experiments/README.md");
    let example = page
        .split_once("```yaml\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(example, _)| example)
        .expect("the page has an example");
    let experiment = good(example);
    assert_eq!(experiment.warnings, []);
    let (shape, classes) = known_ahead(&experiment.data).expect("frames and classes are given");
    assert_eq!(experiment.check(&shape, &classes), Ok(()));
}

/// Pieces of which files are made, right and wrong ones.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "$units",
        "$",
        "classes",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "\n  ",
        ", ",
        "&a",
        "*a",
        "!t ",
        "? ",
        "null",
        "~",
        ".inf",
        "-0",
        "1e400",
        "99999999999999999999",
        "0x1F",
        "\"",
        "'",
        "|\n",
        "study",
        "search: ",
        "space:\n",
        "int: [1, 2]",
        "model:",
        "conv2d",
        "when: {act: relu}",
        "when: ",
        "repeat: depth",
        "{i}",
        "units_{i}",
        "$units_{i}",
        "repeat: {times: $depth, layers: [",
        "trials: ",
        "first: [{units: 16}]",
        "compat: keras-tuner-1.4",
        "\t",
        "#",
        "é",
    ];
    prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => ".{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..30)) {
        let _ = parse(&pieces.concat(), &Overrides::default());
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        start in 0..FILE.len(),
        length in 0_usize..20,
        pieces in proptest::collection::vec(piece(), 0..3),
    ) {
        let end = (start + length).min(FILE.len());
        let text = format!("{}{}{}", &FILE[..start], pieces.concat(), &FILE[end..]);
        if let Ok(experiment) = parse(&text, &Overrides::default()) {
            let _ = experiment.check(&INPUT, &classes(2));
            prop_assert_eq!(good(&experiment.canonical()).space, experiment.space);
        }
    }

    #[test]
    fn no_change_of_a_conditional_file_makes_it_panic(
        start in 0..CONDITIONAL.len(),
        length in 0_usize..20,
        pieces in proptest::collection::vec(piece(), 0..3),
    ) {
        let end = (start + length).min(CONDITIONAL.len());
        let text = format!("{}{}{}", &CONDITIONAL[..start], pieces.concat(), &CONDITIONAL[end..]);
        if let Ok(experiment) = parse(&text, &Overrides::default()) {
            let _ = experiment.check(&INPUT, &classes(2));
            prop_assert_eq!(good(&experiment.canonical()).space, experiment.space);
        }
    }

    #[test]
    fn no_override_makes_it_panic(path in "[a-z.\\[\\]0-9]{0,12}", value in ".{0,12}") {
        let _ = parse(FILE, &set(&path, &value));
        let _ = parse(FILE, &set(&format!("space.units.{path}"), &value));
        let _ = parse(FILE, &fix("units", &value));
        let _ = parse(FILE, &fix("lr", &value));
        let _ = parse(CONDITIONAL, &fix("slope", &value));
        let _ = parse(CONDITIONAL, &fix("units_{i}", &value));
        let _ = parse(CONDITIONAL, &set(&format!("space.rate.when{path}"), &value));
    }
}
