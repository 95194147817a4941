"""How fast recordings become datasets, beside librosa.

`scripts/bench-features` runs this. Clips of 30 s of noise, WAV of 16 bits at
22050 Hz, become mel spectrograms in decibels of 128 bands and 660 frames, or
ten slices of 13 MFCCs each. `sweep prepare` is measured as a process from its
start to its end with an empty cache: reading and hashing the files, decoding,
computing, splitting, writing. librosa's time is that of loading and computing
in a process that is warm, and nothing is written.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

RATE = 22_050
SAMPLES = 661_794
CLIPS = 200
MANY = 1000
MAX_MEMORY_MB = 300
TARGETS = {1: 4.0, 2: 8.0}

FEATURES = {
    "mel": ("mel 128x660", "", "{mel: {n_fft: 2048, hop_length: 1024, n_mels: 128, frames: 660}}"),
    "mfcc": (
        "mfcc 10x130x13",
        "  clip: 30\n  slice: {seconds: 3}\n",
        "{mfcc: {n_mfcc: 13, n_fft: 2048, hop_length: 512}}",
    ),
}

EXPERIMENT = """\
study: bench
objective: val_loss
search: {{algorithm: random, max_trials: 1, seed: 1}}
space: {{units: {{int: [1, 8]}}}}
data:
  audio: {audio}
{slices}  features: {features}
train: {{epochs: 1, batch_size: 8, loss: categorical_crossentropy, optimizer: {{sgd: {{learning_rate: 0.1}}}}}}
model:
  - flatten
  - dense: {{units: classes, activation: softmax}}
"""


def make_clips(folder: Path) -> tuple[Path, Path]:
    """Folders of `CLIPS` and of `MANY` clips in two classes; the latter are the former again and again."""
    few, many = folder / "clips", folder / "many"
    for clips in (few, many):
        shutil.rmtree(clips, ignore_errors=True)
        for name in "ab":
            (clips / name).mkdir(parents=True)
    noise = random.Random(0)
    for clip in range(CLIPS):
        path = few / "ab"[clip % 2] / f"{clip:03}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, SAMPLES, "NONE", ""))
            file.writeframes(noise.randbytes(2 * SAMPLES))
        for again in range(clip, MANY, CLIPS):
            os.link(path, many / path.parent.name / f"{again:03}.wav")
    return few, many


def prepare(sweep: Path, clips: Path, kind: str, threads: int) -> tuple[float, float]:
    """Prepares from nothing; returns seconds, and the greatest use of memory in MB."""
    _, slices, features = FEATURES[kind]
    with tempfile.TemporaryDirectory(dir=clips.parent) as folder:
        experiment = Path(folder) / "bench.yaml"
        experiment.write_text(EXPERIMENT.format(audio=clips, slices=slices, features=features))
        environment = dict(os.environ, SWEEP_CACHE=f"{folder}/cache", RAYON_NUM_THREADS=str(threads))
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sweep, "prepare", experiment], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"`sweep prepare` failed:\n{said.decode()}")
        return seconds, usage.ru_maxrss / 1024


def librosa(python: Path, clips: Path, kind: str) -> float:
    """Seconds that librosa takes for all clips."""
    command = [python, __file__, "--measure", kind, clips]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def measure(kind: str, clips: Path) -> float:
    """The same in this process."""
    import librosa
    import numpy as np

    def mel(path: Path) -> np.ndarray:
        samples, rate = librosa.load(path)
        power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=2048, hop_length=1024)
        return librosa.power_to_db(power, ref=np.max)

    def mfcc(path: Path) -> np.ndarray:
        samples, rate = librosa.load(path, duration=30)
        length = 3 * rate
        slices = [samples[length * n : length * (n + 1)] for n in range(10)]
        return np.stack([librosa.feature.mfcc(y=s, sr=rate, n_mfcc=13).T for s in slices])

    compute, shape = {"mel": (mel, (128, 647)), "mfcc": (mfcc, (10, 130, 13))}[kind]
    paths = sorted(clips.glob("*/*.wav"))
    assert compute(paths[0]).shape == shape
    begin = time.perf_counter()
    for path in paths:
        compute(path)
    return time.perf_counter() - begin


def main() -> None:
    """Prints the table; ends with 1 if a target is missed."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--librosa", type=Path, metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    few, many = make_clips(options.folder)

    times: dict[tuple[str, int], list[float]] = {}
    memory: dict[tuple[str, int], float] = {}
    # Side by side, so that whatever else the machine does befalls all alike.
    for number in range(options.rounds):
        for kind in FEATURES:
            print(f"round {number + 1} of {options.rounds}: {kind}", file=sys.stderr)
            if options.librosa:
                times.setdefault((kind, 0), []).append(librosa(options.librosa, few, kind))
            for threads in TARGETS:
                seconds, megabytes = prepare(options.sweep, few, kind, threads)
                times.setdefault((kind, threads), []).append(seconds)
                memory[kind, threads] = max(megabytes, memory.get((kind, threads), 0))

    missed = False
    print("| features | by | clips/s (median of rounds) | ms a clip, from fastest to slowest round | times librosa's clips/s | wanted | memory |")
    print("|---|---|---|---|---|---|---|")
    for kind, (title, _, _) in FEATURES.items():
        reference = times.get((kind, 0))
        for threads in (0, *TARGETS):
            rounds = [seconds / CLIPS for seconds in times.get((kind, threads), [])]
            if not rounds:
                continue
            by, ratio, wanted, used = "librosa", "", "", ""
            if threads:
                by = f"sweep, {threads} thread{'s' if threads > 1 else ''}"
                used = f"{memory[kind, threads]:.0f} MB"
                if reference:
                    value = statistics.median(reference) / statistics.median(times[kind, threads])
                    ratio, wanted = f"{value:.1f}", f"{TARGETS[threads]:.0f}"
                    missed |= value < TARGETS[threads]
            median = statistics.median(rounds)
            spread = f"{1000 * min(rounds):.2f} to {1000 * max(rounds):.2f}"
            print(f"| {title} | {by} | {1 / median:.0f} | {spread} | {ratio} | {wanted} | {used} |")

    print(f"\n{MANY} clips, {max(TARGETS)} threads:\n")
    for kind, (title, _, _) in FEATURES.items():
        seconds, megabytes = prepare(options.sweep, many, kind, max(TARGETS))
        missed |= megabytes > MAX_MEMORY_MB
        print(f"- {title}: {1000 * seconds / MANY:.2f} ms a clip, {megabytes:.0f} MB of memory (at most {MAX_MEMORY_MB})")
    if missed:
        sys.exit("a target is missed")


if __name__ == "__main__":
    main()
