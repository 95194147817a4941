"""layers.npz: outputs and gradients of one or a few layers."""

import keras
import numpy as np
import tensorflow as tf
from language import Network
from store import cases, generator_of, save, save_counts, seed_of


def inputs_of(case, random):
    shape = (case.get("batch", 2), *case["input"])
    if "span" in case:
        return random.uniform(-case["span"], case["span"], shape).astype("float32")
    return random.standard_normal(shape).astype("float32")


def gradients(network, inputs, coefficients, training):
    """Output, and gradients of sum(output * coefficients) by name."""
    trainable = network.trainable()
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = network.model(inputs, training=training)
        loss = tf.reduce_sum(output * coefficients)
    by = [inputs, *(weight.value for weight in trainable.values())]
    found = tape.gradient(loss, by)
    names = ["input", *trainable]
    return output.numpy(), {
        f"gradients/{name}": tf.convert_to_tensor(gradient).numpy()
        for name, gradient in zip(names, found, strict=True)
    }


def record(case):
    keras.utils.set_random_seed(seed_of(case["name"]))
    random = generator_of(case["name"])
    network = Network(case["layers"], case["input"])
    arrays = {}
    if "rows" in case:
        rows = random.normal(1.5, 2.0, (case["rows"], *case["input"])).astype("float32")
        for layer in network.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.adapt(rows)
        arrays["rows"] = rows
    network.scatter(random)
    inputs = inputs_of(case, random)
    arrays["input"] = inputs
    arrays |= {f"weights/{name}": values for name, values in network.weights().items()}
    mode = case.get("mode")
    if mode == "inference":
        arrays["output"] = network.model(inputs, training=False).numpy()
        return network, arrays
    shape = network.model(inputs, training=False).shape
    coefficients = random.uniform(-1.0, 1.0, shape).astype("float32")
    arrays["coefficients"] = coefficients
    output, found = gradients(network, inputs, coefficients, training=False)
    arrays |= {"output": output, **found}
    nudged = inputs + random.uniform(-1e-6, 1e-6, inputs.shape).astype("float32")
    _, others = gradients(network, nudged, coefficients, training=False)
    for name, values in found.items():
        # No input sits where a gradient jumps: any library finds the same side.
        assert np.allclose(values, others[name], rtol=1e-3, atol=1e-4), (case["name"], name)
    output_in_training, found = gradients(network, inputs, coefficients, training=True)
    if mode == "training":
        arrays["training/output"] = output_in_training
        arrays |= {f"training/{name}": values for name, values in found.items()}
        for name, values in network.weights().items():
            if not np.array_equal(values, arrays[f"weights/{name}"]):
                arrays[f"training/updated/{name}"] = values
    else:
        assert np.allclose(output_in_training, output), f"{case['name']} needs a mode"
    return network, arrays


def write():
    found, counts = {}, {}
    for case in cases()["layers"]:
        name = case["name"]
        assert name not in counts, name
        network, arrays = record(case)
        counts[name] = network.counts()
        found |= {f"{name}/{key}": values for key, values in arrays.items()}
    save("layers", found)
    save_counts(layers=counts)
