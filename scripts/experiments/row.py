"""A line of the table of ../train-experiments: what one file's study came to.

Its numbers are those of the run's own tables, of `sweep check` and of `sweep
prepare`, and the peak is what GNU time said of the worker.
"""

import csv
import json
import math
import sys
from pathlib import Path

MIB = 2**20
COLUMNS = [
    ("file", 13), ("parameters", 11), ("trainable", 11), ("examples", 8), ("data", 6),
    ("trials", 6), ("seconds", 7), ("val_accuracy", 12), ("estimate", 8), ("peak", 6),
]


def line(cells):
    cells = zip(cells, COLUMNS)
    return " | ".join(
        str(cell).ljust(width) if name == "file" else str(cell).rjust(width)
        for cell, (name, width) in cells
    ).join(["| ", " |"])


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main():
    if len(sys.argv) == 1:
        print(line(name for name, _ in COLUMNS))
        print(line("-" * width for _, width in COLUMNS))
        return
    name, folder = sys.argv[1], Path(sys.argv[2])
    checked = json.loads((folder / "check.json").read_text())
    prepared = json.loads((folder / "prepared.json").read_text())
    trials = rows(folder / "runs" / name / "trials.csv")
    measurements = rows(folder / "runs" / name / "measurements.csv")
    states = {trial["state"] for trial in trials}
    assert states == {"completed"}, f"{name}: trials are {states}"
    others = {"trial", "execution", "attempt", "epoch", "seed", "dataset", "sweep_version"}
    for row in measurements:
        for metric, value in row.items():
            assert metric in others or math.isfinite(float(value)), f"{name}: {metric} is {value}"
    examples, shape = prepared["total"]["examples"], prepared["input_shape"]
    # `sweep check` proposes on, whatever `max_trials` says.
    estimate = max(trial["memory_bytes"] for trial in checked["trials"][: len(trials)])
    peak_kib = max(int(text) for text in (folder / "peak.txt").read_text().split())
    parameters = checked["model"]["parameters"]
    print(line([
        name,
        parameters["total"],
        parameters["trainable"],
        examples,
        round(4 * examples * math.prod(shape) / MIB),
        len(trials),
        f"{sum(float(row['seconds']) for row in measurements):.1f}",
        f"{max(float(row['val_accuracy']) for row in measurements):.3f}",
        round(estimate / MIB),
        round(peak_kib / 1024),
    ]))


main()
