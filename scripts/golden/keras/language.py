"""The network language, built with Keras.

A layer is a word, a word with its main option, or a word with options. Layers
get the names that the product gives them: the first of a word is `gru`, the
next `gru_1`, counted through all branches in the order in which they are
written. The layer within `bidirectional` has no name of its own.
"""

import keras
import tensorflow as tf
from keras import layers as k

tf.config.experimental.enable_op_determinism()
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

MERGES = {"concatenate": "concat", "sum": "sum", "multiply": "mul", "average": "ave"}

# The option that may stand alone.
MAIN = {
    "dense": "units",
    "max_pool1d": "pool",
    "avg_pool1d": "pool",
    "max_pool2d": "pool",
    "avg_pool2d": "pool",
    "dropout": "rate",
    "spatial_dropout1d": "rate",
    "spatial_dropout2d": "rate",
    "gaussian_noise": "stddev",
    "reshape": "shape",
    "permute": "dims",
    "gru": "units",
    "lstm": "units",
    "simple_rnn": "units",
    "rescaling": "scale",
    "normalization": "axis",
    "concatenate": "axis",
}

CONVOLUTIONS = {
    "conv1d": k.Conv1D,
    "conv2d": k.Conv2D,
    "depthwise_conv2d": k.DepthwiseConv2D,
    "separable_conv2d": k.SeparableConv2D,
}

POOLS = {
    "max_pool1d": k.MaxPooling1D,
    "avg_pool1d": k.AveragePooling1D,
    "max_pool2d": k.MaxPooling2D,
    "avg_pool2d": k.AveragePooling2D,
}

RECURRENT = {"gru": k.GRU, "lstm": k.LSTM, "simple_rnn": k.SimpleRNN}

# What has Keras's class and, if any, Keras's options.
OTHERS = {
    "dense": k.Dense,
    "global_avg_pool1d": k.GlobalAveragePooling1D,
    "global_max_pool1d": k.GlobalMaxPooling1D,
    "global_avg_pool2d": k.GlobalAveragePooling2D,
    "global_max_pool2d": k.GlobalMaxPooling2D,
    "batch_norm": k.BatchNormalization,
    "layer_norm": k.LayerNormalization,
    "dropout": k.Dropout,
    "spatial_dropout1d": k.SpatialDropout1D,
    "spatial_dropout2d": k.SpatialDropout2D,
    "gaussian_noise": k.GaussianNoise,
    "flatten": k.Flatten,
    "permute": k.Permute,
    "rescaling": k.Rescaling,
    "normalization": k.Normalization,
    "add": k.Add,
}


def split(entry):
    """Word and options of a layer as it is written; an option alone has its name."""
    word, value = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
    if word in ("activation", "parallel", "residual", "repeat"):
        return word, value
    if value is None:
        value = {}
    if not isinstance(value, dict):
        value = {MAIN[word]: value}
    return word, dict(value)


def activation(value):
    if isinstance(value, str):
        return keras.activations.get(value)
    slope = value["leaky_relu"]
    if isinstance(slope, dict):
        slope = slope["slope"]
    return lambda inputs: keras.activations.leaky_relu(inputs, slope)


def size(value):
    return tuple(value) if isinstance(value, list) else value


def regularizer(value):
    return keras.regularizers.L1L2(l1=value.get("l1", 0.0), l2=value.get("l2", 0.0))


class Network:
    """A Keras model and its layers by the product's names."""

    def __init__(self, layers, shape, classes=None):
        self.classes = classes
        self.taken = set(explicit_names(layers))
        self.layers = []
        inputs = keras.Input(tuple(shape))
        self.model = keras.Model(inputs, self.chain(inputs, layers))

    def chain(self, values, layers):
        """Applies layers one after the other; a list of values waits for its join."""
        for entry in layers:
            values = self.apply(values, *split(entry))
        return values

    def apply(self, values, word, options):
        if word == "parallel":
            return [self.chain(values, branch) for branch in options]
        if word == "repeat":
            for _ in range(options["times"]):
                values = self.chain(values, options["layers"])
            return values
        if word == "residual":
            main = self.chain(values, options["layers"])
            shortcut = self.chain(values, options.get("shortcut", []))
            return self.apply([main, shortcut], "add", {})
        if word == "activation":
            layer = k.Activation(activation(options), name=self.name(word))
        else:
            name = options.pop("name", None) or self.name(word)
            layer = self.layer(word, options, values, name)
        self.layers.append(layer)
        return layer(values)

    def name(self, word):
        name, number = word, 0
        while name in self.taken:
            number += 1
            name = f"{word}_{number}"
        self.taken.add(name)
        return name

    def layer(self, word, options, values, name):
        options = self.translated(options)
        if word in CONVOLUTIONS:
            options["kernel_size"] = options.pop("kernel")
            if "dilation" in options:
                options["dilation_rate"] = options.pop("dilation")
            if word in ("depthwise_conv2d", "separable_conv2d"):
                kernel = options.pop("kernel_regularizer", None)
                options["depthwise_regularizer"] = kernel
                if word == "separable_conv2d":
                    options["pointwise_regularizer"] = kernel
            return CONVOLUTIONS[word](**options, name=name)
        if word in POOLS:
            options["pool_size"] = options.pop("pool", 2)
            return POOLS[word](**options, name=name)
        if word in RECURRENT:
            return RECURRENT[word](**options, name=name)
        if word == "bidirectional":
            merge = MERGES[options.pop("merge", "concatenate")]
            (inner, settings), = options.items()
            inner = self.layer(*split({inner: settings}), values, "forward")
            return k.Bidirectional(inner, merge_mode=merge, name=name)
        if word == "reshape":
            return k.Reshape(options["shape"], name=name)
        if word == "to_sequence":
            height, width, channels = values.shape[1:]
            return k.Reshape((height, width * channels), name=name)
        if word == "concatenate":
            return k.Concatenate(axis=options.get("axis", -1), name=name)
        if word == "spec_augment":
            # Keras has no such layer; in inference it does nothing.
            return k.Identity(name=name)
        return OTHERS[word](**options, name=name)

    def translated(self, options):
        found = {}
        for option, value in options.items():
            if option in ("activation", "recurrent_activation"):
                value = activation(value)
            elif option == "kernel_regularizer":
                value = regularizer(value)
            elif option == "units" and value == "classes":
                value = self.classes
            elif option == "axis" and value == "none":
                value = None
            elif option in ("kernel", "strides", "dilation", "pool", "shape", "dims"):
                value = size(value)
            found[option] = value
        return found

    def variables(self):
        """All weights by name, layer by layer: `gru/kernel`, `bidirectional/forward/bias`."""
        found = {}
        for layer in self.layers:
            parts = {layer.name: layer}
            if isinstance(layer, k.Bidirectional):
                parts = {
                    f"{layer.name}/forward": layer.forward_layer,
                    f"{layer.name}/backward": layer.backward_layer,
                }
            for name, part in parts.items():
                for weight in part.weights:
                    # Normalization counts nothing that is adapted at once.
                    if not (isinstance(part, k.Normalization) and weight.name == "count"):
                        found[f"{name}/{weight.name}"] = weight
        return found

    def weights(self):
        return {name: weight.numpy() for name, weight in self.variables().items()}

    def trainable(self):
        return {name: weight for name, weight in self.variables().items() if weight.trainable}

    def scatter(self, random, spread=0.5):
        """Gives what Keras starts at zeros and ones values that show where they act.

        - `random`: a numpy generator
        - `spread`: how far from there, at most
        """
        for name, weight in self.variables().items():
            match name.rsplit("/", 1)[1]:
                case "bias" | "beta" | "moving_mean":
                    weight.assign(random.uniform(-spread, spread, weight.shape))
                case "gamma" | "moving_variance":
                    weight.assign(random.uniform(1 - spread, 1 + spread, weight.shape))

    def counts(self, each_layer=False):
        """Numbers of parameters and the output's shape, as Keras reports them."""
        trainable = sum(
            int(tf.size(weight.value)) for weight in self.model.trainable_weights
        )
        found = {
            "output_shape": list(self.model.output_shape[1:]),
            "total": self.model.count_params(),
            "trainable": trainable,
        }
        if each_layer:
            found["layers"] = [
                {
                    "name": layer.name,
                    "output_shape": list(layer.output.shape[1:]),
                    "parameters": layer.count_params(),
                }
                for layer in self.layers
            ]
        return found


def explicit_names(layers):
    """The names that are given in the file; no other layer may take them."""
    for entry in layers:
        word, options = split(entry)
        if word == "parallel":
            for branch in options:
                yield from explicit_names(branch)
        elif word in ("repeat", "residual"):
            yield from explicit_names(options["layers"])
            yield from explicit_names(options.get("shortcut", []))
        elif word != "activation" and "name" in options:
            yield options["name"]
