"""What a study has left, and whether it is what it should have left."""

import csv
import json
import sqlite3

# Columns that say when something was done, by whom, and how often it was begun.
UNSETTLED = {"seconds", "worker", "attempts", "attempt", "started", "ended"}
TABLES = ["trials.csv", "executions.csv", "measurements.csv"]


def query(database, sql):
    """Asks a store without changing it."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def settled(path):
    """A table without its unsettled columns, as text."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    keep = [index for index, name in enumerate(rows[0]) if name not in UNSETTLED]
    return "\n".join(",".join(row[index] for index in keep) for row in rows)


def differences(calm, rough):
    """What is wrong with the run in `rough`, given the undisturbed one in `calm`.

    Both are run directories. Returns a list of sentences, empty where all is well.
    """
    problems = []
    for table in TABLES:
        if not (rough / table).is_file():
            problems.append(f"there is no {table}")
        elif settled(calm / table) != settled(rough / table):
            problems.append(f"{table} differs")
    problems += best_differences(calm / "best", rough / "best")
    problems += leftovers(rough)
    problems += store_problems(rough / "study.db")
    return problems


def best_differences(calm, rough):
    files = lambda folder: {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    if files(calm) != files(rough):
        return [f"best/ holds {sorted(map(str, files(rough)))}, not {sorted(map(str, files(calm)))}"]
    return [f"best/{name} differs" for name in sorted(files(calm))
            if best_content(calm / name) != best_content(rough / name)]


def best_content(path):
    """Which attempt it was that finished is left to chance; all else is not."""
    if path.name != "hyperparameters.json":
        return path.read_bytes()
    description = json.loads(path.read_text())
    del description["attempt"]
    return description


def leftovers(run):
    """Files that nobody needs any more."""
    left = [f"checkpoints/{path.name} is left" for path in (run / "checkpoints").iterdir()]
    left += [f"weights/{path.name} is left" for path in (run / "weights").iterdir()
             if path.suffix == ".tmp"]
    left += [f"{path.name} is left" for path in run.glob("best.*")]
    models = len(list((run / "best").rglob("weights.safetensors")))
    staged = len(list((run / "weights").glob("*.safetensors")))
    if staged > models:
        left.append(f"{staged} staged weights are left for {models} models")
    return left


def store_problems(database):
    problems = []
    integrity = query(database, "PRAGMA integrity_check")
    if integrity != [("ok",)]:
        problems.append(f"the store's integrity: {integrity[:3]}")
    twice = query(database, "SELECT trial, execution, count(*) FROM attempts "
                            "WHERE outcome = 'finished' GROUP BY trial, execution HAVING count(*) > 1")
    if twice:
        problems.append(f"finished twice: {twice}")
    again = query(database, "SELECT trial, execution, attempt, epoch, metric, count(*) "
                            "FROM measurements GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1")
    if again:
        problems.append(f"measured twice: {again[:3]}")
    failed = query(database, "SELECT trial, execution, attempt, message FROM attempts "
                             "WHERE outcome NOT IN ('finished', 'worker_lost', 'released', 'superseded')")
    if failed:
        problems.append(f"attempts that ended badly: {failed[:3]}")
    return problems


def outcomes(database):
    """How often attempts ended how."""
    return dict(query(database, "SELECT coalesce(outcome, 'open'), count(*) FROM attempts GROUP BY 1"))


def most_losses(database):
    """How often the worker of one unfinished execution was lost, at most."""
    rows = query(database, "SELECT trial, execution, sum(outcome = 'worker_lost'), "
                           "sum(outcome = 'finished') FROM attempts GROUP BY trial, execution")
    return max((lost or 0 for _, _, lost, finished in rows if not finished), default=0)
