"""networks.npz: what a few steps of training make of small networks."""

import keras
import numpy as np
import train
from language import Network
from store import cases, generator_of, save, save_counts, seed_of

STEPS = 10


def built(case):
    name = f"{case['name']}/weights/{case.get('seed', 0)}"
    keras.utils.set_random_seed(seed_of(name))
    network = Network(case["layers"], case["input"], case["classes"])
    # Few units are dead from the beginning so.
    network.scatter(generator_of(name), spread=0.2)
    return network


def trained(case, inputs, targets, batches):
    """Losses of the steps, and the network after them."""
    network = built(case)
    network.model.compile(
        optimizer=train.optimizer(case["train"]["optimizer"]),
        loss=train.loss(case["train"]["loss"]),
    )
    losses = []
    for rows in batches:
        network.model.reset_metrics()
        losses.append(network.model.train_on_batch(inputs[rows], targets[rows]))
    return np.array(losses), network


def record(case):
    random = generator_of(case["name"])
    examples, classes = case["examples"], case["classes"]
    # In eighths, which compress well.
    inputs = np.round(random.standard_normal((examples, *case["input"])) * 8) / 8
    inputs = inputs.astype("float32")
    labels = np.arange(examples) % classes
    random.shuffle(labels)
    targets = keras.utils.to_categorical(labels, classes)
    batches = np.stack([
        random.permutation(examples)[: case["train"]["batch_size"]]
        for _ in range(case.get("steps", STEPS))
    ])
    before = built(case)
    losses, after = trained(case, inputs, targets, batches)
    arrays = {"inputs": inputs, "labels": labels, "batches": batches, "losses": losses}
    arrays["output/before"] = before.model(inputs, training=False).numpy()
    arrays["output/after"] = after.model(inputs, training=False).numpy()
    arrays |= {f"before/{name}": values for name, values in before.weights().items()}
    arrays |= {f"after/{name}": values for name, values in after.weights().items()}
    check(case, inputs, targets, batches, losses, before, after)
    return after, arrays


def check(case, inputs, targets, batches, losses, before, after):
    """Every weight must have moved, and inputs a little off must hardly change
    what comes out: any library's rounding then changes it as little."""
    for name in after.trainable():
        moved = np.abs(after.weights()[name] - before.weights()[name])
        assert np.mean(moved > 1e-5) > 0.5, f"{case['name']}: {name} hardly moves"
    random = generator_of(case["name"] + "/nudge")
    nudge = random.uniform(-1e-6, 1e-6, inputs.shape).astype("float32")
    others, network = trained(case, inputs + nudge, targets, batches)
    losses_off = np.max(np.abs(others - losses) / losses)
    off = {
        name: np.max(np.abs(values - after.weights()[name]))
        for name, values in network.weights().items()
    }
    worst = max(off, key=off.get)
    print(
        f"  {case['name']}: losses from {losses[0]:.4f} to {losses[-1]:.4f}; nudged, they are off"
        f" by {losses_off:.1e}, {worst} by {off[worst]:.1e}"
    )
    assert losses_off < 1e-5 and off[worst] < 1e-4, case["name"]


def write():
    found, counts = {}, {}
    for case in cases()["networks"]:
        name = case["name"]
        assert name not in counts, name
        network, arrays = record(case)
        counts[name] = network.counts()
        found |= {f"{name}/{key}": values for key, values in arrays.items()}
    save("networks", found)
    published = {
        case["name"]: Network(case["layers"], case["input"], case["classes"]).counts(True)
        for case in cases()["published"]
    }
    save_counts(networks=counts, published=published)
