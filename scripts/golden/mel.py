"""Writes librosa's mel spectrograms of a test signal to src/data/testdata/.

Run it from anywhere, with the versions in requirements.txt beside it:

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install -r scripts/golden/requirements.txt
    /tmp/golden/bin/python scripts/golden/mel.py

signal.npy is the signal, and signals/ has more of them at several rates, in
WAV files; cases.json lists what is computed from them, each case with the file
that holds librosa's answer; wav/ has the beginning of the signal as soundfile
writes it, in several formats, and what soundfile reads back.
"""

import json
from pathlib import Path

import librosa
import numpy as np
import soundfile
from scipy.signal import lfilter

TESTDATA = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata"
SAMPLES = 12_000

# `take`: only so many samples, from the 3000th on; `scale`: multiplies them; `from`: the signal is
# taken to have this rate and is resampled first; `signal`: one of signals/, else signal.npy.
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

SECONDS = 0.2
RATES = [8000, 16000, 22050, 44100, 48000]

# Every signal once more with librosa's defaults, but for the number of bands.
for rate in RATES:
    CASES[f"speech_{rate}"] = dict(
        sample_rate=rate, n_fft=2048, hop_length=512, n_mels=40, signal=f"speech_{rate}"
    )
for name, rate in [("sines", 8000), ("chirp", 16000), ("noise", 22050), ("clicks", 44100), ("silence", 48000)]:
    CASES[f"{name}_{rate}"] = dict(
        sample_rate=rate, n_fft=1024, hop_length=512, n_mels=32, signal=f"{name}_{rate}"
    )

# Every option, alone and together.
OPTION = dict(sample_rate=22050, n_fft=512, hop_length=320, n_mels=20, signal="speech_22050")
for window in [
    "hamming", "blackman", "blackmanharris", "nuttall", "flattop", "bartlett", "triang", "cosine",
    "bohman", "parzen", "rectangular",
]:
    CASES[f"window_{window}"] = dict(OPTION, window=window)
CASES |= {
    "window_odd": dict(OPTION, n_fft=401, window="triang"),
    "win_length": dict(OPTION, win_length=400),
    "win_length_odd": dict(OPTION, n_fft=513, win_length=300, window="parzen"),
    "fmin": dict(OPTION, fmin=300.0),
    "fmax": dict(OPTION, fmax=4000.0),
    "fmin_fmax": dict(OPTION, n_fft=2048, fmin=1500.5, fmax=3000.0),
    "htk": dict(OPTION, htk=True),
    "htk_fmin": dict(OPTION, htk=True, fmin=125.0, fmax=7500.0),
    "amplitude": dict(OPTION, power=1.0, db=False),
    "power_1": dict(OPTION, power=1.0),
    "power_3": dict(OPTION, power=3.0, db=False),
    "power_half": dict(OPTION, power=0.5),
    "reference": dict(OPTION, reference=1.0),
    "reference_small": dict(OPTION, reference=1e-12),
    "top_db": dict(OPTION, top_db=30.0),
    "top_db_0": dict(OPTION, top_db=0.0),
    "top_db_none": dict(OPTION, signal="silence_48000", sample_rate=48000, top_db=None),
    "together": dict(
        sample_rate=16000, n_fft=512, hop_length=160, win_length=400, window="hamming", n_mels=24,
        fmin=20.0, fmax=7600.0, htk=True, power=1.0, reference=0.1, top_db=60.0, signal="speech_16000",
    ),
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


def signals() -> dict[str, tuple[np.ndarray, int]]:
    """Short signals at several rates, in multiples of 1/32768, by name."""
    rng = np.random.default_rng(1)
    made = {f"speech_{rate}": (speech(rate), rate) for rate in RATES}
    at = {rate: np.arange(round(SECONDS * rate)) / rate for rate in RATES}
    tones = [(0.4, 100.0), (0.1, 440.0), (0.02, 1500.0), (0.001, 3999.0)]
    made["sines_8000"] = (sum(a * np.sin(2 * np.pi * f * at[8000]) for a, f in tones), 8000)
    time = at[16000]
    made["chirp_16000"] = (0.9 * np.sin(2 * np.pi * (20 * time + 7980 / (2 * SECONDS) * time**2)), 16000)
    made["noise_22050"] = (0.3 * rng.standard_normal(len(at[22050])), 22050)
    clicks = np.zeros(len(at[44100]))
    clicks[[0, 1000, 5000, 5003, len(clicks) - 1]] = [0.9, -1.0, 0.5, 0.01, 0.9]
    made["clicks_44100"] = (clicks, 44100)
    silence = np.zeros(len(at[48000]))
    silence[4000:] = rng.integers(-1, 2, len(silence) - 4000) / 32768
    made["silence_48000"] = (silence, 48000)
    return {name: (np.round(np.clip(s, -1, 1 - 2**-15) * 32768) / 32768, rate) for name, (s, rate) in made.items()}


def speech(rate: int) -> np.ndarray:
    """A vowel of rising pitch: glottal pulses and some breath through three formants."""
    count = round(SECONDS * rate)
    phase = np.cumsum(np.linspace(110.0, 170.0, count)) / rate
    source = np.diff(np.floor(phase), prepend=0.0) + 0.002 * np.random.default_rng(2).standard_normal(count)
    for frequency, bandwidth in [(700.0, 90.0), (1220.0, 110.0), (2600.0, 160.0)]:
        radius = np.exp(-np.pi * bandwidth / rate)
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * frequency / rate), radius**2]
        source = lfilter([sum(poles)], poles, source)
    return 0.8 * source / np.abs(source).max()


def power_of(samples: np.ndarray, case: dict) -> np.ndarray:
    """Mel spectrogram by librosa, in power, [n_mels, frames]."""
    names = ["n_fft", "hop_length", "win_length", "window", "n_mels", "fmin", "fmax", "htk", "power"]
    options = {name: case[name] for name in names if name in case}
    return librosa.feature.melspectrogram(y=samples, sr=case["sample_rate"], **options)


def mel(samples: np.ndarray, case: dict) -> np.ndarray:
    """Mel spectrogram by librosa, [n_mels, frames]."""
    samples = samples[3000 : 3000 + case["take"]] if "take" in case else samples
    samples = samples * np.float32(case.get("scale", 1.0))
    rate = case["sample_rate"]
    if "from" in case:
        samples = librosa.resample(samples, orig_sr=case["from"], target_sr=rate)
    power = power_of(samples, case)
    if not case.get("db", True):
        return power
    return librosa.power_to_db(power, ref=case.get("reference", np.max), top_db=case.get("top_db", 80.0))


def main() -> None:
    """Writes everything."""
    samples = signal()
    (TESTDATA / "wav").mkdir(parents=True, exist_ok=True)
    np.save(TESTDATA / "signal.npy", samples)
    (TESTDATA / "signals").mkdir(exist_ok=True)
    sources = {None: samples}
    for name, (values, rate) in signals().items():
        sources[name] = values.astype(np.float32)
        soundfile.write(TESTDATA / "signals" / f"{name}.wav", sources[name], rate, subtype="PCM_16")
    for name, case in CASES.items():
        computed = mel(sources[case.get("signal")], case)
        np.save(TESTDATA / f"{name}.npy", np.ascontiguousarray(computed, dtype=np.float32))
    (TESTDATA / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")

    stereo = np.stack([samples[2400:2800], 0.5 * samples[4800:5200]], axis=1)
    for name, (container, subtype) in FORMATS.items():
        path = TESTDATA / "wav" / f"{name}.wav"
        soundfile.write(path, stereo, 22050, format=container, subtype=subtype)
        mono, _ = librosa.load(path, sr=None, mono=True)
        np.save(TESTDATA / "wav" / f"{name}.npy", mono)


if __name__ == "__main__":
    main()
