"""Writes what Keras Tuner 1.0.2 draws to src/space/testdata/.

Only its hyperparameters and oracles are used, so TensorFlow is a stand-in here:

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install numpy==2.4.6 six==1.17.0
    /tmp/golden/bin/pip download --no-deps --no-binary :all: -d /tmp/golden keras-tuner==1.0.2
    tar -xzf /tmp/golden/keras-tuner-1.0.2.tar.gz -C /tmp/golden
    /tmp/golden/bin/python scripts/golden/keras_tuner_1_0_2.py /tmp/golden/keras-tuner-1.0.2

`searches`: random searches, each with its space, its seed, the values and
`_seed_state` of every trial, and whether it gave up before `max_trials`.
`draws`: single hyperparameters, with what seeds 1, 2, 3, ... give.
`tables`: single hyperparameters, with [probability, value] and [value,
probability] pairs.
"""

import json
import sys
import types
from pathlib import Path
from unittest import mock

TESTDATA = Path(__file__).resolve().parents[2] / "src" / "space" / "testdata"


def stand_in() -> None:
    """Lets 1.0.2 be imported without TensorFlow, and without its generated protocol."""

    def deserialize(config, module_objects):
        return module_objects[config["class_name"]](**config["config"])

    tensorflow = mock.MagicMock()
    tensorflow.keras.utils.deserialize_keras_object = deserialize
    sys.modules["tensorflow"] = tensorflow
    root = Path(sys.argv[1]) / "kerastuner"
    for name in ("kerastuner", "kerastuner.engine", "kerastuner.protos", "kerastuner.tuners"):
        # Without running its `__init__`, which imports everything.
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    tuner = types.SimpleNamespace(MultiExecutionTuner=object)
    stand_ins = {
        "utils": mock.MagicMock(),
        "engine.multi_execution_tuner": tuner,
        "protos.kerastuner_pb2": mock.MagicMock(),
    }
    for name, module in stand_ins.items():
        parent, _, child = f"kerastuner.{name}".rpartition(".")
        sys.modules[f"kerastuner.{name}"] = module
        setattr(sys.modules[parent], child, module)


def every_type(hp) -> None:
    """All types and samplings, with steps where 1.0.2 allows them; all sorts of conditions."""
    hp.Int("int", 1, 8)
    hp.Int("int_step", -3, 100, step=7)
    hp.Int("int_linear", 0, 30, sampling="linear")
    hp.Int("int_log", 1, 500, sampling="log")
    hp.Int("int_reverse_log", 2, 90, sampling="reverse_log")
    hp.Float("float", -1.5, 2.0)
    hp.Float("float_step", 0.0, 1.0, step=0.1)
    hp.Float("float_step_beyond", 0.5, 2.0, step=0.4, default=0.9)
    hp.Float("float_log", 1e-5, 1e-1, sampling="log")
    hp.Float("float_reverse_log", 0.5, 50.0, sampling="reverse_log")
    hp.Choice("text", ["relu", "tanh", "elu", "sigmoid", "selu"], default="elu")
    hp.Choice("numbers", [3, 1, 2])
    hp.Choice("floats", [0.1, 1e-05, 1.0])
    hp.Choice("flags", [True, False])
    hp.Boolean("boolean")
    hp.Fixed("fixed", 4)
    with hp.conditional_scope("boolean", [True]):
        hp.Float("momentum", 0.0, 0.9, step=0.1)
        hp.Choice("variant", ["a", "b"])
        with hp.conditional_scope("variant", ["b"]):
            hp.Int("nested", 1, 5)
    with hp.conditional_scope("numbers", [1, 3]):
        hp.Int("shared", 10, 20)
    with hp.conditional_scope("numbers", [2]):
        hp.Int("shared", 100, 200, step=50)
    hp.Int("last", 1, 1000)


def crnn(hp) -> None:
    """Ajufo's search over the CRNN, 2020: published with seed 2."""
    activations = ["relu", "tanh", "elu", "sigmoid"]
    for number in range(1, 5):
        hp.Int(f"conv_units_{number}", 16, 128, step=16)
        hp.Choice(f"Conv{number}_activation", activations, default="elu")
    for number in range(1, 3):
        hp.Int(f"gru_units_{number}", 16, 128, step=16)
        hp.Choice(f"GRU{number}_activation", activations, default="relu")
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)


def three(hp) -> None:
    """Soon exhausted."""
    hp.Choice("c", ["x", "y", "z"])


def twelve(hp) -> None:
    """Given up before all twelve have come."""
    hp.Int("a", 0, 5)
    hp.Boolean("b")


def search(name: str, declare, seed: int, trials: int) -> dict:
    """A random search."""
    from kerastuner.engine import hyperparameters, oracle
    from kerastuner.tuners.randomsearch import RandomSearchOracle

    space = hyperparameters.HyperParameters()
    declare(space)
    searched = RandomSearchOracle(
        oracle.Objective("loss", "min"), trials, seed=seed, hyperparameters=space
    )
    # Nothing is written there: its file system is the stand-in's.
    searched._directory, searched._project_name = "folder", "project"
    made = []
    for number in range(trials):
        trial = searched.create_trial(str(number))
        if trial.status != "RUNNING":
            break
        made.append(
            {"values": dict(trial.hyperparameters.values), "seed_state_after": searched._seed_state}
        )
    configurations = [configuration(hp) for hp in space.space]
    booleans = [entry["config"]["name"] for entry in configurations if entry["class_name"] == "Boolean"]
    for entry in configurations:
        for condition in entry["config"]["conditions"]:
            # 1.0.2 stores 1 for True; its Boolean gives True, which Python takes for the same.
            if condition["config"]["name"] in booleans:
                condition["config"]["values"] = [bool(value) for value in condition["config"]["values"]]
    return {
        "name": name,
        "space": configurations,
        "seed": seed,
        "trials": made,
        "gave_up": len(made) < trials,
    }


def configuration(hp) -> dict:
    """A hyperparameter as Keras Tuner stores it."""
    from kerastuner.engine import hyperparameters

    return hyperparameters.serialize(hp)


def ranges() -> list:
    """Ranges whose steps end at their maximum, near it, and not at all; and continuous ones."""
    from kerastuner.engine.hyperparameters import Boolean, Choice, Float, Int

    return [
        Int("hp", 1, 8),
        Int("hp", 0, 10, step=4),
        Int("hp", 5, 5),
        Int("hp", 1, 100, sampling="log"),
        Int("hp", 1, 100, sampling="reverse_log"),
        Float("hp", 0.0, 1.0, step=0.1),
        Float("hp", 0.0, 0.5, step=0.1),
        Float("hp", 0.0, 1.0, step=0.3),
        Float("hp", 0.7, 3.1, step=0.01),
        Float("hp", 1e-3, 1.0, sampling="log"),
        Float("hp", 1e-3, 1.0, sampling="reverse_log"),
        Choice("hp", [10, 20, 30, 40, 50, 60, 70]),
        Choice("hp", [0.5]),
        Boolean("hp"),
    ]


def draws() -> list[dict]:
    """What single seeds give."""
    return [
        {"hp": configuration(hp), "values": [hp.random_sample(seed) for seed in range(1, 41)]}
        for hp in ranges()
    ]


def tables() -> list[dict]:
    """Between probabilities and values."""
    from kerastuner.engine.hyperparameters import cumulative_prob_to_value, value_to_cumulative_prob

    listed = []
    for hp in ranges():
        probabilities = [0.0, 0.05, 0.125, 0.25, 0.3, 0.5, 0.65, 0.9, 0.95, 0.999999]
        values = [cumulative_prob_to_value(probability, hp) for probability in probabilities]
        table = {"hp": configuration(hp), "p2v": list(zip(probabilities, values))}
        # 1.0.2 divides by zero there.
        distinct = dict.fromkeys(values)
        is_point = getattr(hp, "min_value", 0) == getattr(hp, "max_value", 1)
        table["v2p"] = (
            [] if is_point else [(value, value_to_cumulative_prob(value, hp)) for value in distinct]
        )
        listed.append(table)
    return listed


def main() -> None:
    """Writes everything."""
    stand_in()
    searches = [search("crnn", crnn, 2, 20)]
    searches += [search("every type", every_type, seed, 10) for seed in (1, 7, 123_456)]
    searches += [search("three", three, seed, 10) for seed in range(1, 13)]
    searches += [search("twelve", twelve, seed, 20) for seed in range(1, 7)]
    golden = {"searches": searches, "draws": draws(), "tables": tables()}
    path = TESTDATA / "keras-tuner-1.0.2.json"
    path.write_text(
        "{\n" + ",\n".join(f"{json.dumps(key)}: {lines(part)}" for key, part in golden.items()) + "\n}\n"
    )


def lines(part: list[dict]) -> str:
    """One element a line."""
    return "[\n" + ",\n".join(json.dumps(element) for element in part) + "\n]"


if __name__ == "__main__":
    main()
