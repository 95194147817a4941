"""The table of scripts/compare-splits, in Markdown.

    splits.py RUNS SEEDS NAME...

Accuracies are of the slices or songs to validate on after the last epoch, so that
no epoch is chosen by them: the mean over the seeds, and from the least to the most.
"""

import csv
import sys
from pathlib import Path

GROUPS = {"none": "leaky", "track": "grouped"}
METRICS = {"val_accuracy": "slices validated on", "val_track_accuracy": "their songs"}


def last_epoch(run: Path) -> dict[str, str]:
    with open(run / "measurements.csv", newline="") as file:
        return max(csv.DictReader(file), key=lambda row: int(row["epoch"]))


def main() -> None:
    runs, seeds, *names = sys.argv[1:]
    columns = ["slices trained on", *METRICS.values()]
    print("| network | split | " + " | ".join(columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    for name in names:
        for group, split in GROUPS.items():
            rows = [
                last_epoch(Path(runs) / f"{name}-{group}-{seed}")
                for seed in range(1, int(seeds) + 1)
            ]
            cells = []
            for metric in ["accuracy", *METRICS]:
                values = [float(row[metric]) for row in rows]
                mean = sum(values) / len(values)
                cells.append(f"{mean:.3f} ({min(values):.3f} – {max(values):.3f})")
            print(f"| `{name}` | {split} | " + " | ".join(cells) + " |")


main()
