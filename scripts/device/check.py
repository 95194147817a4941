"""What holds on the device that workers train on here.

    check.py PROGRAMS EXPERIMENT

Runs small studies of EXPERIMENT in the present folder, with the `sweep` and the
`sweep-worker` in PROGRAMS, and compares what they measured. Called by
../check-device. Where there is a GPU and Python has torch, also trains with
examples that stay on the disk, because something else has the GPU's memory.
"""

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS, EXPERIMENT = Path(sys.argv[1]), sys.argv[2]
TRIALS, EPOCHS = 3, 6
PREEMPTIONS = 4

# Takes all but 1 GiB of the GPU's memory, says so, and keeps it until its stdin ends.
HOLD = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(free - (1 << 30), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""


def command(study, *options):
    settings = [f"study={study}", f"search.max_trials={TRIALS}", f"train.epochs={EPOCHS}", *options]
    sets = [word for setting in settings for word in ("--set", setting)]
    return [PROGRAMS / "sweep", EXPERIMENT, *sets, "--progress", "lines"]


def local(study, *options, code=0):
    """Runs a study with a worker of its own."""
    words = [*command(study, *options), "--local-workers", "1"]
    words += ["--worker-program", PROGRAMS / "sweep-worker"]
    ended = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ended.returncode != code:
        sys.exit(f"{study}: exit code {ended.returncode}\n{ended.stderr[-4000:]}")


def preempted():
    """Runs a study whose workers are told to leave, again and again."""
    words = [*command("preempted"), "--local-workers", "0", "--listen", "127.0.0.1:0"]
    sweep = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in sweep.stderr:
        if found := re.search(r"--coordinator (\S+)", line):
            break
    else:
        sys.exit("sweep does not listen")
    # The last one may come when the study is over and its coordinator gone.
    worker = [PROGRAMS / "sweep-worker", "--coordinator", found.group(1), "--give-up-after", "5"]
    told = 0
    while sweep.poll() is None:
        running = subprocess.Popen(worker, stderr=subprocess.PIPE, text=True)
        if told < PREEMPTIONS:
            for line in running.stderr:
                if ": started" in line:
                    time.sleep(0.5)
                    running.send_signal(signal.SIGTERM)
                    told += 1
                    break
        _, said = running.communicate()
        if running.returncode != 0 and sweep.poll() is None:
            sys.exit(f"a worker ended with {running.returncode}\n{said[-4000:]}")
    if sweep.returncode != 0:
        sys.exit(f"preempted: exit code {sweep.returncode}")
    with open("runs/preempted/trials.csv", newline="") as file:
        return sum(int(row["attempts"]) for row in csv.DictReader(file)) - TRIALS


def streamed():
    """Runs a study while the GPU has little room; whether it could be tried."""
    python = [sys.executable, "-c", HOLD]
    with subprocess.Popen(python, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as holder:
        if holder.stdout.readline() != "held\n":
            return False
        local("streamed")
        holder.stdin.close()
    return True


def measurements(study):
    with open(f"runs/{study}/measurements.csv", newline="") as file:
        return list(csv.DictReader(file))


def log(study):
    return (Path("runs") / study / "logs" / "local-1.log").read_text()


def device():
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return "no GPU"


local("first")
local("second")
local("bf16", "train.precision=bf16")
# Its one trial cannot be trained, which ends the command with exit code 3.
local("large", "search.max_trials=1", "model[0].conv2d.filters=65536",
      "model[4].conv2d.filters=65536", code=3)
again = preempted()
names = {"second": "a second run", "bf16": "bf16", "preempted": f"with {again} attempts more"}
if streamed():
    names["streamed"] = "examples read from their file"

first = measurements("first")
print(device())
for metric in ("loss", "val_loss", "val_accuracy"):
    for study, name in names.items():
        rows = measurements(study)
        assert len(rows) == len(first), (study, len(rows), len(first))
        off = max(abs(float(a[metric]) - float(b[metric])) for a, b in zip(first, rows))
        print(f"{metric}: {name}: differs by {off:.3g}")
for study in ("first", *names):
    seconds = sum(float(row["seconds"]) for row in measurements(study))
    print(f"seconds of training, {study}: {seconds:.2f}")
if "streamed" in names:
    print(f"streamed, the worker said: {log('streamed').strip() or 'nothing'}")
with open("runs/large/trials.csv", newline="") as file:
    trial = next(csv.DictReader(file))
print(f"a network that does not fit: {trial['state']}, {trial['error'] or 'no error'}")
