"""Compares the arrays of `sweep prepare` with librosa's, recording by recording.

Mel spectrograms are compared in decibels where librosa is above its floor of
-80 dB; MFCCs relative to the recording's largest coefficient. The bands of a
resampled recording that lie above 91 % of the lower Nyquist frequency, where
resamplers' filters fall off, are shown apart.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import librosa
import numpy as np
import soundfile

RATE = 22050
BANDS = dict(sample_rate=RATE, n_fft=2048, hop_length=512, n_mels=128)
FEATURES = {"mel": BANDS, "mfcc": BANDS | {"n_mfcc": 20}}
# Frames that all examples are cut or filled to; what is filled is not compared.
FRAMES = 1300
# Where the flank of soxr's filter begins, as a share of the Nyquist frequency.
PASSBAND = 0.9136


def prepare(sweep: Path, folder: Path, feature: str, place: Path) -> tuple[np.ndarray, list[str], list]:
    """Rows of `x.npy`, the recordings they come from, and what was skipped."""
    options = FEATURES[feature] | {"frames": FRAMES}
    experiment = {
        "study": "compare",
        "objective": "val_accuracy",
        "search": {"algorithm": "random", "max_trials": 1},
        "data": {
            "audio": str(folder),
            "features": {feature: options},
            "split": {"test": 0.0, "validation": 0.5},
        },
        "train": {"epochs": 1, "optimizer": "adam"},
        "model": ["flatten", {"dense": {"units": "classes", "activation": "softmax"}}],
    }
    file = place / "compare.yaml"
    file.write_text(json.dumps(experiment))
    cache = place / feature
    done = subprocess.run([sweep, "prepare", file], env=os.environ | {"SWEEP_CACHE": str(cache)},
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{sweep} prepare failed:\n{done.stderr}")
    (dataset,) = (cache / "datasets").iterdir()
    manifest = json.loads((dataset / "manifest.json").read_text())
    tracks = [track["name"] for track in json.loads((dataset / "tracks.json").read_text())]
    return np.load(dataset / "x.npy"), tracks, manifest["skipped"]


def mel_difference(ours: np.ndarray, samples: np.ndarray, resampled_from: int) -> tuple[float, float]:
    """Largest difference in dB above the floor: below the flank of the filter, and in it."""
    theirs = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=samples, sr=RATE, n_fft=BANDS["n_fft"], hop_length=BANDS["hop_length"], n_mels=BANDS["n_mels"]),
        ref=np.max)
    ours = ours[:, : theirs.shape[1], 0]
    theirs = theirs[:, : ours.shape[1]]
    difference = np.where(theirs > -80, np.abs(ours - theirs), 0)
    lower = min(resampled_from, RATE) / 2
    # Upper ends of the triangles.
    ends = librosa.mel_frequencies(n_mels=BANDS["n_mels"] + 2, fmax=RATE / 2)[2:]
    flank = ends > (PASSBAND * lower if resampled_from != RATE else np.inf)
    return float(difference[~flank].max()), float(difference[flank].max(initial=0))


def mfcc_difference(ours: np.ndarray, samples: np.ndarray) -> float:
    """Largest difference relative to the largest coefficient."""
    theirs = librosa.feature.mfcc(
        y=samples, sr=RATE, n_mfcc=20, n_fft=BANDS["n_fft"], hop_length=BANDS["hop_length"],
        n_mels=BANDS["n_mels"]).T
    ours = ours[: len(theirs), :, 0]
    theirs = theirs[: len(ours)]
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> None:
    """Prints a line a recording, and the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="holds a folder of recordings for each class")
    parser.add_argument("--sweep", type=Path, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    folder = arguments.folder.resolve()
    with tempfile.TemporaryDirectory() as place:
        sweep = arguments.sweep.resolve()
        mel, tracks, skipped = prepare(sweep, folder, "mel", Path(place))
        mfcc, again, _ = prepare(sweep, folder, "mfcc", Path(place))
    assert tracks == again, "the same recordings can be used"

    print(f"{'recording':40} {'from Hz':>8} {'mel, dB':>10} {'in flank':>10} {'mfcc, rel.':>10}")
    worst = {}
    for index, track in enumerate(tracks):
        path = folder / track
        samples, _ = librosa.load(path, sr=RATE, mono=True)
        rate = soundfile.info(path).samplerate
        below, flank = mel_difference(mel[index], samples, rate)
        cepstral = mfcc_difference(mfcc[index], samples)
        print(f"{track:40} {rate:8} {below:10.2e} {flank:10.2e} {cepstral:10.2e}")
        kind = "at the same rate" if rate == RATE else f"from {rate} Hz"
        worst[kind] = np.maximum(worst.get(kind, np.zeros(3)), [below, flank, cepstral])
    for kind, (below, flank, cepstral) in sorted(worst.items()):
        print(f"{'largest ' + kind:49} {below:10.2e} {flank:10.2e} {cepstral:10.2e}")
    for item in skipped:
        print(f"skipped {item['path']}: {item['reason']}")


if __name__ == "__main__":
    main()
