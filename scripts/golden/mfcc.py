"""Writes librosa's MFCCs of the test signals to src/data/testdata/mfcc/.

Run it as mel.py beside it, and after it: that writes the signals. cases.json
lists what is computed from them, each case with the file that holds librosa's
answer, with time first: [frames, n_mfcc].
"""

import json
from pathlib import Path

import librosa
import numpy as np
import soundfile
from mel import RATES, power_of

TESTDATA = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata"

# `take`: only so many samples, from the 3000th on; `scale`: multiplies them; `signal`: one of
# signals/, else signal.npy.
CASES = {
    "slices": dict(sample_rate=22050, n_mfcc=13, n_fft=2048, hop_length=512, n_mels=128),
    "default": dict(sample_rate=22050, n_mfcc=20, n_fft=2048, hop_length=512, n_mels=128, take=6000),
    "all": dict(sample_rate=16000, n_mfcc=26, n_fft=400, hop_length=160, n_mels=26),
    "one": dict(sample_rate=22050, n_mfcc=1, n_fft=601, hop_length=300, n_mels=32),
    "quiet": dict(sample_rate=22050, n_mfcc=13, n_fft=1024, hop_length=512, n_mels=40, scale=1e-3),
    "below_amin": dict(sample_rate=22050, n_mfcc=13, n_fft=1024, hop_length=512, n_mels=40, scale=1e-6),
    "silent": dict(sample_rate=22050, n_mfcc=5, n_fft=1024, hop_length=512, n_mels=8, scale=0.0),
}
for rate in RATES:
    CASES[f"speech_{rate}"] = dict(
        sample_rate=rate, n_mfcc=13, n_fft=2048, hop_length=512, n_mels=128, signal=f"speech_{rate}"
    )
for name in ["sines_8000", "chirp_16000", "noise_22050", "clicks_44100", "silence_48000"]:
    rate = int(name.split("_")[1])
    CASES[name] = dict(sample_rate=rate, n_mfcc=13, n_fft=1024, hop_length=512, n_mels=40, signal=name)
OPTION = dict(sample_rate=22050, n_mfcc=13, n_fft=512, hop_length=320, n_mels=26, signal="speech_22050")
CASES |= {
    "lifter": dict(OPTION, lifter=22.0),
    "lifter_small": dict(OPTION, lifter=0.7),
    "window": dict(OPTION, window="hamming", win_length=400),
    "limits": dict(OPTION, fmin=60.0, fmax=7000.0),
    "htk": dict(OPTION, htk=True),
    "amplitude": dict(OPTION, power=1.0),
    "top_db": dict(OPTION, top_db=35.0),
    "top_db_none": dict(OPTION, sample_rate=48000, signal="silence_48000", top_db=None),
    "together": dict(
        sample_rate=16000, n_mfcc=12, n_fft=512, hop_length=160, win_length=400, window="hamming", n_mels=24,
        fmin=20.0, fmax=7600.0, htk=True, power=1.0, lifter=22.0, top_db=60.0, signal="speech_16000",
    ),
}


def mfcc(samples: np.ndarray, case: dict) -> np.ndarray:
    """MFCCs by librosa, [frames, n_mfcc]."""
    samples = samples[3000 : 3000 + case["take"]] if "take" in case else samples
    samples = samples * np.float32(case.get("scale", 1.0))
    # What `mfcc` does itself where `top_db` is 80.
    decibels = librosa.power_to_db(power_of(samples, case), top_db=case.get("top_db", 80.0))
    coefficients = librosa.feature.mfcc(S=decibels, n_mfcc=case["n_mfcc"], lifter=case.get("lifter", 0))
    if "signal" not in case:
        names = ["n_mfcc", "n_fft", "hop_length", "n_mels"]
        direct = librosa.feature.mfcc(y=samples, sr=case["sample_rate"], **{name: case[name] for name in names})
        np.testing.assert_array_equal(coefficients, direct)
    return np.ascontiguousarray(coefficients.T, dtype=np.float32)


def main() -> None:
    """Writes everything."""
    samples = np.load(TESTDATA / "signal.npy")
    folder = TESTDATA / "mfcc"
    folder.mkdir(exist_ok=True)
    for name, case in CASES.items():
        source = samples
        if "signal" in case:
            source, _ = soundfile.read(TESTDATA / "signals" / f"{case['signal']}.wav", dtype="float32")
        np.save(folder / f"{name}.npy", mfcc(source, case))
    (folder / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")


if __name__ == "__main__":
    main()
