"""training.npz: optimizers, schedules, losses and metrics without a network."""

from types import SimpleNamespace

import keras
import numpy as np
import sklearn.metrics
import tensorflow as tf
import train
from language import Network
from sklearn.utils.class_weight import compute_class_weight
from store import cases, generator_of, save, seed_of

STEPS = 12
STEPS_PER_EPOCH = 4
EXAMPLES = 6
# The variables side by side: what clips each by itself must differ from what
# clips both together.
SHAPES = [(4,), (2, 3)]


def quadratic():
    random = generator_of("quadratic")
    found = {}
    for index, shape in enumerate(SHAPES):
        found[f"a/{index}"] = random.uniform(0.5, 3.0, shape).astype("float32")
        found[f"b/{index}"] = random.standard_normal(shape).astype("float32")
        found[f"start/{index}"] = random.uniform(-2.0, 2.0, shape).astype("float32")
    return found


class Descent:
    """Variables on their way down the quadratic."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.a, self.b, starts = (
            [quadratic()[f"{key}/{index}"] for index in range(len(SHAPES))]
            for key in ("a", "b", "start")
        )
        self.variables = [keras.Variable(start) for start in starts]
        self.rates = []
        self.after = [[] for _ in SHAPES]

    def step(self):
        self.rates.append(float(self.optimizer.learning_rate))
        gradients = [
            a * (variable.value - b) for a, b, variable in zip(self.a, self.b, self.variables)
        ]
        self.optimizer.apply(gradients, self.variables)
        for after, variable in zip(self.after, self.variables):
            after.append(variable.numpy())

    def arrays(self):
        found = {"rates": np.array(self.rates)}
        return found | {f"after/{i}": np.stack(after) for i, after in enumerate(self.after)}


def optimizers(case):
    descent = Descent(train.optimizer(case["optimizer"]))
    for _ in range(case.get("steps", STEPS)):
        descent.step()
    return descent.arrays()


def schedules(case):
    epochs = case["epochs"]
    _, settings = train.word_and_options(case["optimizer"])
    base = settings["learning_rate"]
    word, options = train.word_and_options(case.get("schedule", "constant"))
    rate, callback = None, keras.callbacks.Callback()
    # Keras counts epochs from 0.
    match word:
        case "exponential":
            callback = keras.callbacks.LearningRateScheduler(
                lambda epoch, rate: rate if epoch < options["hold"] else rate * options["factor"]
            )
        case "step":
            callback = keras.callbacks.LearningRateScheduler(
                lambda epoch: base * options["factor"] ** (epoch // options["every"])
            )
        case "cosine":
            warmup = options.get("warmup", 0)
            rate = keras.optimizers.schedules.CosineDecay(
                0.0 if warmup else base,
                decay_steps=(epochs - warmup) * STEPS_PER_EPOCH,
                alpha=options.get("minimum", 0.0),
                warmup_target=base if warmup else None,
                warmup_steps=warmup * STEPS_PER_EPOCH,
            )
        case "plateau":
            callback = keras.callbacks.ReduceLROnPlateau(
                monitor=options["monitor"],
                mode=options.get("direction", "min"),
                factor=options["factor"],
                patience=options["patience"],
                min_delta=options.get("min_delta", 1e-4),
                cooldown=options.get("cooldown", 0),
                min_lr=options.get("minimum", 0.0),
            )
    optimizer = train.optimizer(case["optimizer"], rate)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    descent = Descent(optimizer)
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        for _ in range(STEPS_PER_EPOCH):
            descent.step()
        logs = {}
        if word == "plateau":
            logs[options["monitor"]] = case["monitored"][epoch]
        callback.on_epoch_end(epoch, logs)
    return descent.arrays()


def losses(case):
    random = generator_of(case["name"])
    classes, labels = case["classes"], case.get("labels")
    examples = len(labels) if labels else EXAMPLES
    logits = random.normal(0.0, 1.5, (examples, classes)).astype("float32")
    arrays = {}
    weights = None
    if labels is None:
        targets = random.standard_normal((examples, classes)).astype("float32")
        arrays["targets"] = targets
    else:
        arrays["labels"] = np.array(labels)
        targets = np.array(labels, "float32")[:, None]
        if classes > 1:
            targets = keras.utils.to_categorical(labels, classes)
        if "class_weight" in case:
            by_class = weights_of_classes(case["class_weight"], labels, max(classes, 2))
            arrays["class_weights"] = by_class
            weights = by_class[labels].astype("float32")
    word, _ = train.word_and_options(case["loss"])
    activation = {
        "categorical_crossentropy": keras.activations.softmax,
        "binary_crossentropy": keras.activations.sigmoid,
        "mean_squared_error": keras.activations.linear,
    }[word]
    loss = train.loss(case["loss"])
    logits, targets = tf.constant(logits), tf.constant(targets)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(targets, activation(logits), sample_weight=weights)
    # Keras takes the logits of what comes out of softmax or sigmoid; from bare
    # probabilities, it clips.
    outputs = tf.constant(activation(logits).numpy())
    with tf.GradientTape() as bare:
        bare.watch(outputs)
        of_outputs = loss(targets, outputs, sample_weight=weights)
    arrays |= {"outputs": outputs, "loss": value, "gradients/outputs": bare.gradient(of_outputs, outputs)}
    np.testing.assert_allclose(value, of_outputs, rtol=1e-5)
    if word != "mean_squared_error":
        arrays |= {"logits": logits, "gradients/logits": tape.gradient(value, logits)}
    np.testing.assert_allclose(value, as_trained(case, arrays, targets, activation), rtol=1e-6)
    return arrays


def weights_of_classes(given, labels, classes):
    if given == "balanced":
        return compute_class_weight("balanced", classes=np.arange(classes), y=np.array(labels))
    return np.array([given.get(label, 1.0) for label in range(classes)])


def as_trained(case, arrays, targets, activation):
    """The loss that a model reports whose outputs are these."""
    start = arrays.get("logits", arrays["outputs"])
    model = keras.Sequential([keras.Input(start.shape[1:]), keras.layers.Activation(activation)])
    model.compile(optimizer="sgd", loss=train.loss(case["loss"]))
    weights = arrays.get("class_weights")
    weights = None if weights is None else dict(enumerate(weights))
    return model.train_on_batch(start.numpy(), targets.numpy(), class_weight=weights)


def regularized(case):
    name = "regularized/" + case["name"]
    keras.utils.set_random_seed(seed_of(name))
    random = generator_of(name)
    network = Network(case["layers"], case["input"], case["classes"])
    network.scatter(random)
    inputs = random.standard_normal((EXAMPLES, *case["input"])).astype("float32")
    labels = random.integers(0, case["classes"], EXAMPLES)
    targets = keras.utils.to_categorical(labels, case["classes"])
    arrays = {"inputs": inputs, "labels": labels}
    arrays |= {f"weights/{name}": values for name, values in network.weights().items()}
    trainable = network.trainable()
    with tf.GradientTape() as tape:
        output = network.model(inputs, training=True)
        entropy = keras.losses.CategoricalCrossentropy()(targets, output)
        penalty = tf.add_n(network.model.losses)
        loss = entropy + penalty
    gradients = tape.gradient(loss, [weight.value for weight in trainable.values()])
    for name, gradient in zip(trainable, gradients, strict=True):
        arrays[f"gradients/{name}"] = gradient
    network.model.compile(optimizer="sgd", loss="categorical_crossentropy")
    np.testing.assert_allclose(loss, network.model.test_on_batch(inputs, targets), rtol=1e-6)
    return arrays | {"loss": loss, "penalty": penalty}


def metrics(case):
    name, classes, examples = case["name"], case["classes"], case["examples"]
    random = generator_of("metrics/" + name)
    counted = max(classes, 2)
    labels = random.integers(0, counted, examples)
    logits = random.standard_normal((examples, counted))
    logits[np.arange(examples), labels] += 1.0
    if name == "class_never_predicted":
        logits[:, 2] -= 9.0
    if name == "class_without_examples":
        labels[labels == 1] = 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = probabilities.astype("float32")
    if classes == 1:
        probabilities = probabilities[:, 1:]
        predicted = (probabilities[:, 0] > 0.5).astype("int64")
    else:
        predicted = probabilities.argmax(axis=1)
    every = dict(labels=np.arange(counted), zero_division=0)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, **every
    )
    arrays = {
        "probabilities": probabilities,
        "labels": labels,
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "precision": precision.mean(),
        "recall": recall.mean(),
        "f1": f1.mean(),
        "precision_of_classes": precision,
        "recall_of_classes": recall,
        "f1_of_classes": f1,
        # Of the classes' recalls, divided by their number.
        "recall_variance": np.var(recall),
    }
    targets = keras.utils.to_categorical(labels, counted)
    for k in case["top_k"]:
        metric = keras.metrics.TopKCategoricalAccuracy(k=k)
        arrays[f"top_{k}_accuracy"] = float(metric(targets, probabilities))
    check_metrics(arrays, targets, predicted, counted)
    return arrays


def check_metrics(arrays, targets, predicted, classes):
    """Keras's own metrics must say the same."""
    predicted = keras.utils.to_categorical(predicted, classes)
    checks = {
        "accuracy": keras.metrics.CategoricalAccuracy(),
        "f1_of_classes": keras.metrics.F1Score(),
        "f1": keras.metrics.F1Score(average="macro"),
    }
    for key, metric in checks.items():
        np.testing.assert_allclose(metric(targets, predicted), arrays[key], atol=1e-6)
    for label in range(classes):
        for key, metric in (("precision", keras.metrics.Precision), ("recall", keras.metrics.Recall)):
            value = metric(class_id=label)(targets, predicted)
            np.testing.assert_allclose(value, arrays[f"{key}_of_classes"][label], atol=1e-6)


def write():
    found = {f"quadratic/{key}": values for key, values in quadratic().items()}
    listed = cases()
    for section in (optimizers, schedules, losses, regularized, metrics):
        for case in listed[section.__name__]:
            for key, values in section(case).items():
                full = f"{section.__name__}/{case['name']}/{key}"
                assert full not in found, full
                found[full] = values
    save("training", found)
