"""Writes keras.safetensors: what Keras makes of two small networks.

    pip install keras==3.15.1 tensorflow-cpu safetensors
    python workers/torch/golden/generate.py

For each network the file holds its inputs and labels, its initial weights,
its outputs on them, the losses of three steps of Adam over the whole batch,
and the weights after these. The networks are those of src/network/tests.rs.
"""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
from keras import layers
from safetensors.numpy import save_file

STEPS = 3
EXAMPLES = 6
CLASSES = 4


def images():
    """Uneven padding, strides, dilation, an activation before a pool, flatten."""
    return keras.Sequential([
        keras.Input((7, 8, 2)),
        layers.Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="tanh", name="conv2d"),
        layers.MaxPooling2D((2, 3), strides=(1, 2), padding="same"),
        layers.Conv2D(4, 2, dilation_rate=2, padding="same", activation="elu", name="conv2d_1"),
        layers.Conv2D(3, (2, 3), use_bias=False, activation="softmax", name="conv2d_2"),
        layers.Flatten(),
        layers.Dense(5, activation="sigmoid", name="dense"),
        layers.Dense(CLASSES, activation="softmax", name="dense_1"),
    ])


def sequences():
    """Batch normalization, images as sequences, both forms of the GRU."""
    return keras.Sequential([
        keras.Input((6, 5, 1)),
        layers.Conv2D(2, 3, activation="elu", name="conv2d"),
        layers.BatchNormalization(name="batch_norm"),
        layers.Reshape((4, 6)),
        layers.GRU(3, activation="relu", recurrent_activation="softmax", reset_after=False,
                   return_sequences=True, name="gru"),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-2, name="batch_norm_1"),
        layers.GRU(4, return_sequences=True, name="gru_1"),
        layers.Dense(4, activation="relu", name="dense"),
        layers.GRU(3, activation="elu", use_bias=False, reset_after=False, name="gru_2"),
        layers.BatchNormalization(name="batch_norm_2"),
        # Probabilities that need not sum to 1. Without the layer behind it Keras
        # would, on TensorFlow, take the sigmoid's input for that of a softmax.
        layers.Dense(CLASSES, activation="sigmoid", name="dense_1"),
        layers.Flatten(),
    ])


def weights(network):
    return {
        f"{layer.name}/{weight.name}": weight.numpy()
        for layer in network.layers
        for weight in layer.weights
        if "seed" not in weight.name
    }


def record(name, network):
    random = np.random.default_rng(7)
    inputs = random.standard_normal((EXAMPLES, *network.input_shape[1:])).astype("float32")
    labels = random.integers(0, CLASSES, EXAMPLES)
    # Biases of zero would hide where they are added.
    for weight in network.trainable_weights:
        if weight.name in ("bias", "beta"):
            weight.assign(random.uniform(-0.5, 0.5, weight.shape))
    tensors = {"inputs": inputs, "labels": labels.astype("int64")}
    tensors |= {f"before/{key}": value for key, value in weights(network).items()}
    tensors["outputs"] = network(inputs, training=False).numpy()
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.05), loss="categorical_crossentropy"
    )
    targets = keras.utils.to_categorical(labels, CLASSES)
    losses = []
    for _ in range(STEPS):
        network.reset_metrics()
        losses.append(network.train_on_batch(inputs, targets))
    tensors["losses"] = np.array(losses, "float32")
    tensors |= {f"after/{key}": value for key, value in weights(network).items()}
    return {f"{name}/{key}": np.ascontiguousarray(value) for key, value in tensors.items()}


keras.utils.set_random_seed(3)
golden = record("images", images()) | record("sequences", sequences())
path = Path(__file__).with_name("keras.safetensors")
save_file(golden, path, metadata={"keras": keras.__version__})
print(f"{path}: {path.stat().st_size} bytes")
