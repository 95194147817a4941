"""The experiments that are run: small, and proposing the same trials in the same
order whatever happens (random, grid and list searches do)."""

HEAD = """\
study: toy
objective: val_accuracy
search: {search}
space:
{space}
data:
  synthetic: {{classes: 2, clips: 6, seconds: 0.5}}
  features: {{mel: {{n_fft: 512, hop_length: 512, n_mels: 8, frames: 16}}}}
  split: {{test: 0.2, validation: 0.2, seed: 1}}
train:
  epochs: {epochs}
  batch_size: 4
  checkpoint_minutes: {minutes}
  optimizer: {{adam: {{learning_rate: $learning_rate}}}}
model:
  - flatten
  - dense: {{units: $units, activation: $activation}}
  - dense: {{units: classes, activation: softmax}}
limits: {{max_retries: {retries}}}
results: {{keep_models: {models}}}
"""

WIDE = """\
  units: {int: [4, 64]}
  activation: {choice: [relu, tanh]}
  learning_rate: {float: [1.0e-4, 1.0e-2], sampling: log}"""

GRID = """\
  units: {int: [8, 32], step: 8}
  activation: {choice: [relu, tanh, elu]}
  learning_rate: {fixed: 1.0e-3}"""


def make(rng):
    """Returns an experiment's file, a few words about it, and how many epochs it has."""
    algorithm = rng.choice(["random", "random", "grid", "list"])
    executions = rng.choice([1, 2, 2])
    trials = rng.randint(6, 10) * (3 - executions)
    seed = rng.randint(1, 999)
    common = f"executions_per_trial: {executions}, seed: {seed}"
    space = WIDE
    if algorithm == "random":
        search = f"{{algorithm: random, max_trials: {trials}, {common}}}"
    elif algorithm == "grid":
        space = GRID
        trials = min(trials, 12)
        search = f"{{algorithm: grid, max_trials: {trials}, {common}}}"
    else:
        rows = [assignment(rng, index) for index in range(trials)]
        search = "\n".join(["", "  algorithm: list", f"  executions_per_trial: {executions}",
                            f"  seed: {seed}", "  trials:", *(f"    - {row}" for row in rows)])
    epochs = rng.randint(3, 6)
    minutes = rng.choice(["10", "1.0e-6", "1.0e-3"])
    text = HEAD.format(search=search, space=space, epochs=epochs, minutes=minutes,
                       retries=rng.choice([0, 2]), models=rng.choice([1, 1, 3]))
    return text, f"{algorithm} {trials} x {executions}", trials * executions * epochs


def assignment(rng, index):
    # Different in any case: the index decides.
    units = 4 + index * 3 + rng.randint(0, 2)
    activation = rng.choice(["relu", "tanh"])
    return f"{{units: {units}, activation: {activation}, learning_rate: {rng.choice(['1.0e-3', '2.5e-4'])}}}"
