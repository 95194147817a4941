"""Random search spaces, for sweep and for Keras Tuner.

An entry is what an experiment file says about one hyperparameter: `name` and
`when` (parent -> values) beside the type and its options.
"""

import math
import random

NAMES = [
    f"{word}{end}" for word in ("units", "Rate", "act", "depth", "k", "b_1") for end in ("", "_2", "/x")
]
WORDS = ["relu", "tanh", "elu", "sigmoid", "a b", "é", "1", "none"]


def draw(rng: random.Random, finite: bool) -> list[dict]:
    """A space; of few assignments if it is to be `finite`."""
    names = rng.sample(NAMES, rng.randint(1, 3) if finite else rng.randint(2, 10))
    space: list[dict] = []
    for name in names:
        when = condition(rng, space)
        if when and not finite and rng.random() < 0.2:
            space += twice(rng, name, when, space)
        else:
            space.append(entry(rng, name, when, finite))
    if not finite and shared_names(space):
        # Once it has proposed such values, Keras Tuner forgets them or draws them
        # again without a seed (`ensure_active_values`) before it records what was
        # tried. So nothing may be drawn twice there.
        space.append({"name": "continuous", "float": [0.0, 1.0], "when": {}})
    return space


def shared_names(space: list[dict]) -> bool:
    """Whether a name stands there under two conditions."""
    return len({entry["name"] for entry in space}) < len(space)


def entry(rng: random.Random, name: str, when: dict, finite: bool) -> dict:
    """One hyperparameter."""
    kinds = [choice, boolean, fixed, int_linear, int_logarithmic, float_stepped]
    if not finite:
        kinds += [int_linear, int_logarithmic, float_linear, float_stepped]
        kinds += [float_logarithmic, float_logarithmic]
    return {"name": name, **rng.choice(kinds)(rng, finite), "when": when}


def twice(rng: random.Random, name: str, when: dict, space: list[dict]) -> list[dict]:
    """One name under two conditions that exclude each other."""
    parent = next(iter(when))
    values = attainable(next(entry for entry in space if entry["name"] == parent))
    if len(values) < 2:
        return [entry(rng, name, when, finite=False)]
    rng.shuffle(values)
    cut = rng.randint(1, len(values) - 1)
    pair = [{**when, parent: values[:cut]}, {**when, parent: values[cut:]}]
    return [entry(rng, name, condition, finite=False) for condition in pair]


def condition(rng: random.Random, space: list[dict]) -> dict:
    """None, or one on an earlier hyperparameter, or several."""
    when: dict = {}
    names = [entry["name"] for entry in space]
    parents = [entry for entry in space if names.count(entry["name"]) == 1 and attainable(entry)]
    for parent in rng.sample(parents, min(len(parents), rng.choice([0, 0, 1, 1, 2]))):
        values = attainable(parent)
        when[parent["name"]] = rng.sample(values, rng.randint(1, max(1, len(values) - 1)))
    return when


def attainable(entry: dict) -> list:
    """Values that a condition may name; none for a continuous or a long range."""
    if "choice" in entry:
        return list(dict.fromkeys(entry["choice"]))
    if "boolean" in entry:
        return [True, False]
    if "fixed" in entry:
        return [entry["fixed"]]
    if "int" in entry:
        low, high = entry["int"]
        if entry.get("sampling", "linear") == "linear":
            values = range(low, high + 1, entry.get("step", 1))
        else:
            values = range(low, low if "step" in entry else high + 1)
        return list(values) if len(values) <= 20 else []
    if "step" in entry and "sampling" not in entry:
        low, high = entry["float"]
        count = int((high - low) // entry["step"] + 1)
        return [low + index * entry["step"] for index in range(count)] if count <= 20 else []
    return []


def choice(rng: random.Random, finite: bool) -> dict:
    """A choice of any type, sometimes with a value twice: Keras Tuner's grid would never end there."""
    values = rng.choice(
        [
            lambda: rng.sample(WORDS, rng.randint(1, 4)),
            lambda: rng.sample(range(-3, 50), rng.randint(1, 5)),
            lambda: [
                rng.choice([0.1, 0.25, 1.0, 1e-5, 3e16, rng.random()]) for _ in range(rng.randint(1, 4))
            ],
            lambda: rng.sample([True, False], rng.randint(1, 2)),
        ]
    )()
    if finite:
        values = list(dict.fromkeys(values))
    elif rng.random() < 0.1:
        values.append(rng.choice(values))
    return {"choice": values, **default(rng, lambda: rng.choice(values))}


def boolean(rng: random.Random, finite: bool) -> dict:
    """True or false."""
    return {"boolean": rng.random() < 0.5}


def fixed(rng: random.Random, finite: bool) -> dict:
    """Always the same, of any type."""
    return {"fixed": rng.choice([4, -1, 0.5, 1e-7, True, False, "same", "2"])}


def int_linear(rng: random.Random, finite: bool) -> dict:
    """Whole numbers, with steps or without."""
    low = rng.randint(-20, 100)
    span = rng.randint(0, 4) if finite else rng.choice([rng.randint(0, 20), rng.randint(0, 500), 10**9])
    step = {"step": rng.randint(1, 20)} if rng.random() < 0.5 else {}
    return {"int": [low, low + span], **step, **default(rng, lambda: rng.randint(low, low + span))}


def int_logarithmic(rng: random.Random, finite: bool) -> dict:
    """Whole numbers on a logarithmic scale, either way round."""
    low = rng.choice([1, 2, rng.randint(1, 50)])
    factor = rng.randint(2, 10)
    high = rng.choice([low, low * factor ** rng.randint(1, 4), low + rng.randint(0, 5000)])
    step = {"step": factor} if finite or rng.random() < 0.5 else {}
    return {
        "int": [low, high],
        **logarithmic(rng),
        **step,
        **default(rng, lambda: rng.randint(low, high)),
    }


def float_linear(rng: random.Random, finite: bool) -> dict:
    """A continuous range."""
    low = round(rng.uniform(-2, 2), rng.randint(0, 6))
    high = low + rng.choice([0.0, 1.0, rng.random(), 1e6 * rng.random()])
    return {"float": [low, high], **default(rng, lambda: rng.uniform(low, high))}


def float_stepped(rng: random.Random, finite: bool) -> dict:
    """Steps that reach the end of the range, as far as decimal fractions do, or not."""
    step = rng.choice([0.1, 0.2, 0.05, 0.25, 0.3, 0.01, 1.0, rng.uniform(0.01, 1)])
    low = rng.choice([0.0, 0.1, 1.0, -0.5, rng.random()])
    steps = rng.randint(0, 4) if finite else rng.randint(0, 30)
    high = rng.choice(
        [low + steps * step, round(low + steps * step, 2), low + (steps + rng.random()) * step]
    )
    return {"float": [low, max(low, high)], "step": step}


def float_logarithmic(rng: random.Random, finite: bool) -> dict:
    """Real numbers on a logarithmic scale, either way round, with a factor or without."""
    low = rng.choice([1e-5, 1e-4, 1e-3, 0.01, 1.0, rng.random() + 0.001])
    factor = rng.choice([10, 10.0, 2, 1.5, rng.uniform(1.1, 5)])
    high = rng.choice([low, low * factor ** rng.randint(0, 5), low * rng.uniform(1, 1000)])
    step = {"step": factor} if rng.random() < 0.5 else {}
    between = default(rng, lambda: min(high, low * math.exp(rng.random() * math.log(high / low))))
    return {"float": [low, high], **logarithmic(rng), **step, **between}


def logarithmic(rng: random.Random) -> dict:
    """One of the two logarithmic samplings."""
    return {"sampling": rng.choice(["log", "reverse_log"])}


def default(rng: random.Random, value) -> dict:
    """A default now and then."""
    return {"default": value()} if rng.random() < 0.3 else {}


def in_file(space: list[dict]) -> str:
    """The `space:` section of an experiment file."""
    lines = []
    for name in dict.fromkeys(entry["name"] for entry in space):
        same = [e for e in space if e["name"] == name]
        same = [yaml({key: e[key] for key in e if key != "name" and e[key] != {}}) for e in same]
        lines.append(f"  {name}: " + (same[0] if len(same) == 1 else f"[{', '.join(same)}]"))
    return "\n".join(["space:", *lines]) + "\n"


def yaml(value) -> str:
    """A value in YAML's flow style; floats in full."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def in_keras_tuner(space: list[dict]):
    """Keras Tuner's `HyperParameters`."""
    from keras_tuner.src.engine import conditions
    from keras_tuner.src.engine import hyperparameters as hp

    def built(entry: dict):
        when = [conditions.Parent(parent, values) for parent, values in entry["when"].items()]
        given = {key: entry[key] for key in ("step", "sampling", "default") if key in entry}
        given |= {"name": entry["name"], "conditions": when}
        if "int" in entry:
            return hp.hp_types.Int(min_value=entry["int"][0], max_value=entry["int"][1], **given)
        if "float" in entry:
            return hp.hp_types.Float(min_value=entry["float"][0], max_value=entry["float"][1], **given)
        if "choice" in entry:
            return hp.hp_types.Choice(values=entry["choice"], **given)
        if "boolean" in entry:
            return hp.hp_types.Boolean(default=entry["boolean"], **given)
        return hp.hp_types.Fixed(value=entry["fixed"], **given)

    hyperparameters = hp.HyperParameters()
    hyperparameters.merge([built(entry) for entry in space])
    return hyperparameters
