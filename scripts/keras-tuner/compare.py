"""Compares what `sweep check` proposes with what Keras Tuner's own oracles do.

Called by ../compare-keras-tuner, which sets Keras Tuner up. Every space is
drawn anew from `--seed`; what Keras Tuner proposes for it is compared value for
value, types included, and so is where either says that nothing is left.
"""

import argparse
import copy
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import keras_tuner
import spaces
from keras_tuner.src.tuners.gridsearch import GridSearchOracle
from keras_tuner.src.tuners.randomsearch import RandomSearchOracle

ORACLES = {"random": RandomSearchOracle, "grid": GridSearchOracle}

FILE = """\
study: comparison
objective: val_loss
search: {{algorithm: {algorithm}, compat: keras-tuner-1.4, max_trials: {trials}, seed: {seed}}}
{space}
data:
  synthetic: {{classes: 2, clips: 4, seconds: 1}}
  features: {{mel: {{sample_rate: 8000, n_fft: 256, hop_length: 128, n_mels: 8, frames: 8, db: true}}}}
  split: {{test: 0.25, validation: 0.25, seed: 1}}
train: {{epochs: 1, batch_size: 4, loss: categorical_crossentropy, optimizer: adam}}
model: [flatten, dense: {{units: classes, activation: softmax}}]
"""


def by_keras_tuner(algorithm: str, space: list[dict], seed: int, trials: int) -> list[dict]:
    """What it proposes, up to its end."""
    proposals = []

    class Recorder(ORACLES[algorithm]):
        """Keeps proposals as they are made."""

        def populate_space(self, trial_id):
            answer = super().populate_space(trial_id)
            if answer["status"] == "RUNNING":
                proposals.append(copy.deepcopy(answer["values"]))
            return answer

    with tempfile.TemporaryDirectory() as folder:
        objective = keras_tuner.Objective("val_loss", "min")
        hyperparameters = spaces.in_keras_tuner(space)
        oracle = Recorder(
            objective=objective, max_trials=trials, seed=seed, hyperparameters=hyperparameters
        )
        oracle.verbose = 0
        oracle._set_project_dir(folder, "project")
        while (trial := oracle.create_trial("tuner")).status == "RUNNING":
            oracle.update_trial(trial.trial_id, {"val_loss": 0.0})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
    return proposals


def by_sweep(sweep: str, file: str, trials: int) -> list[dict]:
    """What it proposes, up to its end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison.yaml"
        path.write_text(file)
        command = [sweep, "check", str(path), "--trials", str(trials), "--format", "json"]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if ended.returncode != 0:
        sys.exit(f"{file}\n{ended.stderr}\nerror: sweep refused this file")
    return [trial["hyperparameters"] for trial in json.loads(ended.stdout)["trials"]]


def agree(algorithm: str, space: list[dict], theirs: list[dict], ours: list[dict]) -> bool:
    """Whether both proposed the same."""
    booleans = {
        entry["name"] for entry in space if "choice" in entry and isinstance(entry["choice"][0], bool)
    }

    def same(name: str, their_value, our_value) -> bool:
        if name in booleans and isinstance(our_value, bool):
            return their_value in (0, 1) and bool(their_value) == our_value
        if algorithm == "grid" and isinstance(their_value, float) and isinstance(our_value, int):
            # Its grid over ints with a factor has 2.0 for 2.
            return their_value == our_value
        return type(their_value) is type(our_value) and their_value == our_value

    return len(theirs) == len(ours) and all(
        their.keys() == our.keys() and all(same(name, their[name], our[name]) for name in their)
        for their, our in zip(theirs, ours)
    )


def compare(algorithm: str, count: int, options: argparse.Namespace) -> bool:
    """Prints how many of `count` spaces agree, and the first that does not."""
    rng = random.Random(f"{options.seed} {algorithm}")
    agreed = 0
    differing = ""
    for _ in range(count):
        finite = algorithm == "grid" or rng.random() < 0.25
        space = spaces.draw(rng, finite)
        seed = rng.choice([rng.randint(1, 10), rng.randint(1, 10_000), rng.randint(1, 2**50)])
        file = FILE.format(
            algorithm=algorithm, trials=options.trials, seed=seed, space=spaces.in_file(space)
        )
        ours = by_sweep(options.sweep, file, options.trials)
        theirs = by_keras_tuner(algorithm, space, seed, options.trials)
        if agree(algorithm, space, theirs, ours):
            agreed += 1
        elif not differing:
            differing = "\n".join(
                ["", file, "Keras Tuner:", *map(str, theirs), "", "sweep:", *map(str, ours)]
            )
    print(f"{algorithm}: {agreed} of {count} spaces agree over {options.trials} trials each{differing}")
    return agreed == count


def main() -> None:
    """Exits with 1 where anything differs."""
    parser = argparse.ArgumentParser(description="compares sweep with Keras Tuner")
    parser.add_argument("--sweep", required=True, help="the command")
    parser.add_argument("--spaces", type=int, default=200, help="for random search")
    parser.add_argument("--grids", type=int, default=50, help="spaces for grid search")
    parser.add_argument("--trials", type=int, default=20, help="of each space")
    parser.add_argument("--seed", type=int, default=1, help="of the spaces themselves")
    options = parser.parse_args()
    agreed = [compare("random", options.spaces, options), compare("grid", options.grids, options)]
    sys.exit(0 if all(agreed) else 1)


if __name__ == "__main__":
    main()
