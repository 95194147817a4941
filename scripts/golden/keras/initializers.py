"""initializers.json: how weights start, as numbers that say what was drawn."""

import keras
import numpy as np
from language import Network
from store import cases, save_json

DRAWS = 4000


def described(weight, draws):
    """Of one weight: what all its draws have in common."""
    shape = list(weight.shape)
    if np.ptp(draws, axis=0).max() == 0.0:
        return {"shape": shape, "always": draws[0].tolist()}
    found = {
        "shape": shape,
        "mean": float(draws.mean()),
        "variance": float(draws.var()),
        "min": float(draws.min()),
        "max": float(draws.max()),
    }
    if weight.name == "recurrent_kernel":
        # Rows are of length 1, and at right angles to each other.
        products = draws @ draws.transpose(0, 2, 1)
        found["orthogonal_within"] = float(np.abs(products - np.eye(shape[0])).max())
    else:
        *receptive, inputs, outputs = shape
        fans = (inputs + outputs) * np.prod(receptive, dtype=int)
        found["limit"] = float(np.sqrt(6.0 / fans))
        assert max(-found["min"], found["max"]) < found["limit"] * (1 + 1e-6)
    return found


def drawn(network, name):
    """Many draws of one weight, by the initializer that its layer has for it."""
    layer_name, *direction, weight_name = name.split("/")
    layer = next(layer for layer in network.layers if layer.name == layer_name)
    if direction:
        layer = getattr(layer, f"{direction[0]}_layer")
    layer = getattr(layer, "cell", layer)
    weight = network.variables()[name]
    word = weight_name
    if weight_name == "kernel" and isinstance(layer, keras.layers.DepthwiseConv2D):
        word = "depthwise"
    initializer = getattr(layer, f"{word.removesuffix('_kernel')}_initializer")
    if not hasattr(initializer, "seed"):
        # A constant, or what a layer makes of constants.
        return weight, weight.numpy()[None]
    configuration = initializer.get_config()
    draws = [
        type(initializer).from_config(configuration | {"seed": seed})(weight.shape)
        for seed in range(DRAWS)
    ]
    return weight, np.stack(draws)


def write():
    keras.utils.set_random_seed(1)
    found = {}
    for case in cases()["initializers"]:
        network = Network(case["layers"], case["input"])
        found[case["name"]] = {
            name: described(*drawn(network, name)) for name in network.variables()
        }
    save_json("initializers.json", {"draws": DRAWS, "weights": found})
