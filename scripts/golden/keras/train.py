"""The `train:` section, built with Keras."""

import keras

CLIPPINGS = ("clipnorm", "clipvalue", "global_clipnorm")


def word_and_options(entry):
    return (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def optimizer(entry, learning_rate=None):
    """An optimizer with the language's options, which are Keras's.

    - `learning_rate`: a schedule that takes the place of the constant
    """
    word, options = word_and_options(entry)
    options = dict(options)
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    made = {
        "sgd": keras.optimizers.SGD,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
    }
    return made[word](**options)


def loss(entry):
    word, options = word_and_options(entry)
    made = {
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "mean_squared_error": keras.losses.MeanSquaredError,
    }
    return made[word](**options)
