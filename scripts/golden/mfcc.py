"""Writes librosa's MFCCs of the test signal to src/data/testdata/mfcc/.

Run it as mel.py beside it, which writes the signal. cases.json lists what is
computed from the signal, each case with the file that holds librosa's answer,
with time first: [frames, n_mfcc].
"""

import json
from pathlib import Path

import librosa
import numpy as np

TESTDATA = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata"

# `take`: only so many samples, from the 3000th on; `scale`: multiplies them.
CASES = {
    "slices": dict(sample_rate=22050, n_mfcc=13, n_fft=2048, hop_length=512, n_mels=128),
    "default": dict(sample_rate=22050, n_mfcc=20, n_fft=2048, hop_length=512, n_mels=128, take=6000),
    "all": dict(sample_rate=16000, n_mfcc=26, n_fft=400, hop_length=160, n_mels=26),
    "one": dict(sample_rate=22050, n_mfcc=1, n_fft=601, hop_length=300, n_mels=32),
    "quiet": dict(sample_rate=22050, n_mfcc=13, n_fft=1024, hop_length=512, n_mels=40, scale=1e-3),
    "below_amin": dict(sample_rate=22050, n_mfcc=13, n_fft=1024, hop_length=512, n_mels=40, scale=1e-6),
    "silent": dict(sample_rate=22050, n_mfcc=5, n_fft=1024, hop_length=512, n_mels=8, scale=0.0),
}


def mfcc(samples: np.ndarray, case: dict) -> np.ndarray:
    """MFCCs by librosa, [frames, n_mfcc]."""
    samples = samples[3000 : 3000 + case["take"]] if "take" in case else samples
    samples = samples * np.float32(case.get("scale", 1.0))
    coefficients = librosa.feature.mfcc(
        y=samples,
        sr=case["sample_rate"],
        n_mfcc=case["n_mfcc"],
        n_fft=case["n_fft"],
        hop_length=case["hop_length"],
        n_mels=case["n_mels"],
    )
    return np.ascontiguousarray(coefficients.T, dtype=np.float32)


def main() -> None:
    """Writes everything."""
    samples = np.load(TESTDATA / "signal.npy")
    folder = TESTDATA / "mfcc"
    folder.mkdir(exist_ok=True)
    for name, case in CASES.items():
        np.save(folder / f"{name}.npy", mfcc(samples, case))
    (folder / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")


if __name__ == "__main__":
    main()
