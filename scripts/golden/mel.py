"""Writes librosa's mel spectrograms of a test signal to src/data/testdata/.

Run it from anywhere, with the versions in requirements.txt beside it:

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install -r scripts/golden/requirements.txt
    /tmp/golden/bin/python scripts/golden/mel.py

signal.npy is the signal; cases.json lists what is computed from it, each case
with the file that holds librosa's answer; wav/ has the beginning of the signal
as soundfile writes it, in several formats, and what soundfile reads back.
"""

import json
from pathlib import Path

import librosa
import numpy as np
import soundfile

TESTDATA = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata"
SAMPLES = 12_000

# `take`: only so many samples, from the 3000th on; `scale`: multiplies them; `from`: the signal is
# taken to have this rate and is resampled first.
CASES = {
    "default": dict(sample_rate=22050, n_fft=2048, hop_length=1024, n_mels=128),
    "dense": dict(sample_rate=22050, n_fft=1024, hop_length=256, n_mels=64),
    "power": dict(sample_rate=22050, n_fft=1024, hop_length=512, n_mels=40, db=False),
    "speech": dict(sample_rate=16000, n_fft=400, hop_length=160, n_mels=40),
    "odd": dict(sample_rate=22050, n_fft=601, hop_length=300, n_mels=32),
    "sparse": dict(sample_rate=22050, n_fft=256, hop_length=1000, n_mels=20),
    "empty_bands": dict(sample_rate=22050, n_fft=256, hop_length=512, n_mels=128),
    "quiet": dict(sample_rate=22050, n_fft=1024, hop_length=512, n_mels=40, scale=1e-6),
    "silent": dict(sample_rate=22050, n_fft=1024, hop_length=512, n_mels=8, scale=0.0),
    "short": dict(sample_rate=22050, n_fft=2048, hop_length=512, n_mels=64, take=1500),
    "down": dict(sample_rate=22050, n_fft=1024, hop_length=512, n_mels=64, **{"from": 44100}),
    "up": dict(sample_rate=22050, n_fft=1024, hop_length=512, n_mels=64, **{"from": 16000}),
}

FORMATS = {
    "pcm_u8": ("WAV", "PCM_U8"),
    "pcm_16": ("WAV", "PCM_16"),
    "pcm_24": ("WAVEX", "PCM_24"),
    "pcm_32": ("WAV", "PCM_32"),
    "float": ("WAV", "FLOAT"),
    "double": ("WAVEX", "DOUBLE"),
    "alaw": ("WAV", "ALAW"),
    "ulaw": ("WAV", "ULAW"),
}


def signal() -> np.ndarray:
    """Silence, three tones, a chirp, noise, a decaying click."""
    rng = np.random.default_rng(0)
    part = SAMPLES // 5
    time = np.arange(part) / 22050
    duration = part / 22050
    tones = sum(a * np.sin(2 * np.pi * f * time) for a, f in [(0.5, 220), (0.2, 1234.5), (0.05, 7000)])
    chirp = 0.7 * np.sin(2 * np.pi * (50 * time + (9000 - 50) / (2 * duration) * time**2))
    noise = 0.2 * rng.standard_normal(part)
    click = np.exp(-np.arange(part) / 60) * np.sin(2 * np.pi * 3000 * time)
    return np.concatenate([np.zeros(part), tones, chirp, noise, click]).astype(np.float32)


def mel(samples: np.ndarray, case: dict) -> np.ndarray:
    """Mel spectrogram by librosa, [n_mels, frames]."""
    samples = samples[3000 : 3000 + case["take"]] if "take" in case else samples
    samples = samples * np.float32(case.get("scale", 1.0))
    rate = case["sample_rate"]
    if "from" in case:
        samples = librosa.resample(samples, orig_sr=case["from"], target_sr=rate)
    power = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=case["n_fft"], hop_length=case["hop_length"], n_mels=case["n_mels"]
    )
    return librosa.power_to_db(power, ref=np.max) if case.get("db", True) else power


def main() -> None:
    """Writes everything."""
    samples = signal()
    (TESTDATA / "wav").mkdir(parents=True, exist_ok=True)
    np.save(TESTDATA / "signal.npy", samples)
    for name, case in CASES.items():
        np.save(TESTDATA / f"{name}.npy", np.ascontiguousarray(mel(samples, case), dtype=np.float32))
    (TESTDATA / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")

    stereo = np.stack([samples[2400:2800], 0.5 * samples[4800:5200]], axis=1)
    for name, (container, subtype) in FORMATS.items():
        path = TESTDATA / "wav" / f"{name}.wav"
        soundfile.write(path, stereo, 22050, format=container, subtype=subtype)
        mono, _ = librosa.load(path, sr=None, mono=True)
        np.save(TESTDATA / "wav" / f"{name}.npy", mono)


if __name__ == "__main__":
    main()
