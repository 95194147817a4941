"""What holds on the device that workers train on here.

    check.py PROGRAMS EXPERIMENT

Runs small studies of EXPERIMENT in the present folder, with the `sweep` and the
`sweep-worker` in PROGRAMS, and compares what they measured. Called by
../check-device. Where there is a GPU and Python has torch, also trains with
examples that stay on the disk, because something else has the GPU's memory.
"""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS, EXPERIMENT = Path(sys.argv[1]), sys.argv[2]
TRIALS, EPOCHS = 3, 6
PREEMPTIONS = 4

# Takes all but 1.2 GiB of the GPU's memory, says so, and keeps it until its stdin ends.
HOLD = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(free - (1200 << 20), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""

# Half a GiB of examples, which do not fit there beside CUDA's own memory.
LARGE = ("data.synthetic.clips=400", "data.features.mel.hop_length=256",
         "data.features.mel.frames=512", "search.max_trials=1", "train.epochs=3")


def command(study, *options):
    settings = [f"study={study}", f"search.max_trials={TRIALS}", f"train.epochs={EPOCHS}", *options]
    sets = [word for setting in settings for word in ("--set", setting)]
    return [PROGRAMS / "sweep", EXPERIMENT, *sets, "--progress", "lines"]


def local(study, *options, code=0):
    """Runs a study with a worker of its own."""
    words = [*command(study, *options), "--local-workers", "1"]
    words += ["--worker-program", PROGRAMS / "sweep-worker"]
    ended = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                           env=os.environ | {"SWEEP_LOG": "info"})
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
        local("streamed", *LARGE)
        holder.stdin.close()
    local("resident", *LARGE)
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
pairs = [("first", "second"), ("first", "bf16"), ("first", "preempted")]
if streamed():
    pairs.append(("resident", "streamed"))

print(device())
print(f"preempted: {again} attempts more")
for one, other in pairs:
    rows = list(zip(measurements(one), measurements(other), strict=True))
    for metric in ("loss", "val_loss", "val_accuracy"):
        off = max(abs(float(a[metric]) - float(b[metric])) for a, b in rows)
        at_first = abs(float(rows[0][0][metric]) - float(rows[0][1][metric]))
        print(f"{one} and {other}: {metric} differs by {off:.3g}, after an epoch by {at_first:.3g}")
    seconds = [sum(float(row["seconds"]) for row in side) for side in zip(*rows)]
    print(f"{one} and {other}: {seconds[0]:.2f} and {seconds[1]:.2f} s of training")
if Path("runs/streamed").exists():
    print(f"streamed, the worker said: {log('streamed').strip() or 'nothing'}")
with open("runs/large/trials.csv", newline="") as file:
    trial = next(csv.DictReader(file))
print(f"a network that does not fit: {trial['state']}, {trial['error'] or 'no error'}")
