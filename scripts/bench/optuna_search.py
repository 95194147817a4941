"""Writes Optuna's regrets on the functions of scripts/bench/search/functions.rs.

    pip install -r scripts/bench/requirements.txt
    python scripts/bench/optuna_search.py optuna.json --seeds 20

scripts/bench-search does both, and hands the file to the benchmark. The
functions are defined once more here; what is changed there is changed here.
"""

import argparse
import json
import math
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna

EVALUATIONS = 100
# Studies for each seed, as in scripts/bench/search/main.rs, which says why.
STUDIES_PER_SEED = {"Optuna random": 10, "Optuna TPE": 5, "Optuna TPE, as it comes": 5}

SAMPLERS = {
    "Optuna random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "Optuna TPE": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True
    ),
    "Optuna TPE, as it comes": lambda seed: optuna.samplers.TPESampler(seed=seed),
}


def cube(dimensions, low, high):
    return lambda trial: [trial.suggest_float(f"x{i + 1}", low, high) for i in range(dimensions)]


def branin(trial):
    x, y = trial.suggest_float("x1", -5, 10), trial.suggest_float("x2", 0, 15)
    bend = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HEIGHTS = [1.0, 1.2, 3.0, 3.2]
WIDTHS = [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
]
CENTRES = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def hartmann6(trial):
    xs = cube(6, 0, 1)(trial)
    return -sum(
        height * math.exp(-sum(w * (x - c) ** 2 for x, w, c in zip(xs, widths, centres)))
        for height, widths, centres in zip(HEIGHTS, WIDTHS, CENTRES)
    )


def rosenbrock4(trial):
    xs = cube(4, -5, 10)(trial)
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(xs, xs[1:]))


def ackley5(trial):
    xs = cube(5, -32.768, 32.768)(trial)
    squares = sum(x * x for x in xs) / len(xs)
    waves = sum(math.cos(2 * math.pi * x) for x in xs) / len(xs)
    return -20 * math.exp(-0.2 * math.sqrt(squares)) - math.exp(waves) + 20 + math.e


def network(trial):
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam", "rmsprop"])
    magnitude = math.log10(trial.suggest_float("learning_rate", 1e-5, 1.0, log=True))
    if optimizer == "sgd":
        momentum = trial.suggest_float("momentum", 0.0, 0.99)
        loss = 0.25 * (magnitude + 1.5) ** 2 + 2 * (momentum - 0.9) ** 2
    elif optimizer == "adam":
        loss = 0.05 + 0.2 * (magnitude + 3) ** 2
    else:
        loss = 0.1 + 0.2 * (magnitude + 3.5) ** 2
    layers = trial.suggest_int("layers", 1, 4)
    widths = 0.0
    for layer in range(1, layers + 1):
        units = trial.suggest_int(f"units_{layer}", 16, 256, step=16)
        widths += (math.log2(units) - (8 - min(layer, 3))) ** 2
    loss += 0.1 * (layers - 3) ** 2 + 0.1 * widths / layers
    if trial.suggest_categorical("dropout", [False, True]):
        loss += 3 * (trial.suggest_float("dropout_rate", 0.0, 0.6) - 0.3) ** 2
    else:
        loss += 0.15
    return loss


# Name: function and minimum.
FUNCTIONS = {
    "branin": (branin, 0.39788735772973816),
    "hartmann6": (hartmann6, -3.322368011415515),
    "rosenbrock4": (rosenbrock4, 0.0),
    "ackley5": (ackley5, 0.0),
    "network": (network, 0.0),
}


def regret(case):
    function, sampler, seed = case
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    objective, minimum = FUNCTIONS[function]
    study.optimize(objective, n_trials=EVALUATIONS)
    return study.best_value - minimum


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()

    # As it comes, TPE differs only where hyperparameters are conditional.
    pairs = [
        (function, sampler)
        for sampler in SAMPLERS
        for function in FUNCTIONS
        if sampler != "Optuna TPE, as it comes" or function == "network"
    ]
    results = []
    with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for function, sampler in pairs:
            studies = arguments.seeds * STUDIES_PER_SEED[sampler]
            cases = [(function, sampler, seed) for seed in range(studies)]
            results.append(
                {
                    "function": function,
                    "algorithm": sampler,
                    "evaluations": EVALUATIONS,
                    "regrets": list(pool.map(regret, cases)),
                }
            )
    arguments.out.write_text(json.dumps({"version": optuna.__version__, "results": results}))


if __name__ == "__main__":
    main()
