"""Writes tiny recordings in many formats, and what librosa reads, to src/data/testdata/audio/.

Run it as mel.py beside it. cases.json lists the files: each with its rate, its
number of samples, and whether it is lossless; what librosa makes of NAME is in
NAME.npy, mono, at the file's own rate. resample/ has noise, noise.npy, and what
librosa makes of it from one rate to another.
"""

import json
import shutil
from pathlib import Path

import librosa
import numpy as np
import soundfile

AUDIO = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata" / "audio"

# Container, encoding, byte order, rate in Hz, channels.
LOSSLESS = {
    "s8.au": ("AU", "PCM_S8", None, 8000, 1),
    "s16.au": ("AU", "PCM_16", "BIG", 22050, 1),
    "s16_little.au": ("AU", "PCM_16", "LITTLE", 22050, 2),
    "s24.au": ("AU", "PCM_24", None, 44100, 3),
    "s32.au": ("AU", "PCM_32", None, 48000, 2),
    "float.au": ("AU", "FLOAT", None, 16000, 2),
    "double.au": ("AU", "DOUBLE", None, 96000, 1),
    "ulaw.au": ("AU", "ULAW", None, 8000, 2),
    "alaw.au": ("AU", "ALAW", None, 8000, 1),
    "s8.aiff": ("AIFF", "PCM_S8", None, 8000, 1),
    "u8.aiff": ("AIFF", "PCM_U8", None, 11025, 2),
    "s16.aiff": ("AIFF", "PCM_16", None, 44100, 2),
    "s16_little.aiff": ("AIFF", "PCM_16", "LITTLE", 22050, 1),
    "s24.aiff": ("AIFF", "PCM_24", None, 48000, 1),
    "s32.aiff": ("AIFF", "PCM_32", None, 192000, 2),
    "float.aiff": ("AIFF", "FLOAT", None, 22050, 2),
    "double.aiff": ("AIFF", "DOUBLE", None, 22050, 1),
    "ulaw.aiff": ("AIFF", "ULAW", None, 8000, 1),
    "alaw.aiff": ("AIFF", "ALAW", None, 8000, 2),
    "big.wav": ("WAV", "PCM_16", "BIG", 22050, 2),
    "big_float.wav": ("WAV", "FLOAT", "BIG", 22050, 1),
    "long.wav": ("RF64", "PCM_24", None, 44100, 2),
    "six.wav": ("WAVEX", "PCM_16", None, 48000, 6),
    "s8.flac": ("FLAC", "PCM_S8", None, 8000, 1),
    "s16.flac": ("FLAC", "PCM_16", None, 44100, 2),
    "s24.flac": ("FLAC", "PCM_24", None, 96000, 3),
}

LOSSY = {
    "mono.ogg": ("OGG", "VORBIS", None, 22050, 1),
    "stereo.ogg": ("OGG", "VORBIS", None, 44100, 2),
    "mono.mp3": ("MP3", "MPEG_LAYER_III", None, 22050, 1),
    "stereo.mp3": ("MP3", "MPEG_LAYER_III", None, 44100, 2),
    "slow.mp3": ("MP3", "MPEG_LAYER_III", None, 8000, 1),
}

RATES = [(44100, 22050), (22050, 44100), (96000, 16000), (48000, 22050), (16000, 22050), (22050, 16000)]


def signal(frames: int, rate: int, channels: int) -> np.ndarray:
    """Tones that differ from channel to channel, over noise; [frames, channels]."""
    rng = np.random.default_rng(0)
    time = np.arange(frames)[:, None] / rate
    tones = 0.5 * np.sin(2 * np.pi * (200 + 90 * np.arange(channels)) * time)
    return np.clip(tones + 0.05 * rng.standard_normal((frames, channels)), -1, 1)


def without_tag(data: bytes) -> bytes:
    """An MP3 file without its first frame, which only says how long it is."""
    return data[data.index(b"\xff\xfb", 4) :]


def main() -> None:
    """Writes everything."""
    shutil.rmtree(AUDIO, ignore_errors=True)
    AUDIO.mkdir(parents=True)
    for name, (container, subtype, endian, rate, channels) in (LOSSLESS | LOSSY).items():
        frames = 2500 if name in LOSSY else 250
        samples = signal(frames, rate, channels)
        soundfile.write(AUDIO / name, samples, rate, subtype=subtype, endian=endian, format=container)
    tag = b"ID3\x04\0\0" + bytes([0, 0, 1, 72])  # 200 bytes
    (AUDIO / "tagged.mp3").write_bytes(tag + bytes(200) + (AUDIO / "mono.mp3").read_bytes())
    # With a constant bit rate: of others, libsndfile estimates the length.
    untold = AUDIO / "untold.mp3"
    constant = dict(bitrate_mode="CONSTANT", compression_level=0.8)
    soundfile.write(untold, signal(2500, 32000, 2), 32000, format="MP3", **constant)
    untold.write_bytes(without_tag(untold.read_bytes()))

    cases = {}
    for path in sorted(AUDIO.iterdir()):
        samples, rate = librosa.load(path, sr=None, mono=True)
        np.save(path.with_name(path.name + ".npy"), samples)
        cases[path.name] = dict(sample_rate=int(rate), samples=len(samples), exact=path.name in LOSSLESS)
    (AUDIO / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")

    resample = AUDIO / "resample"
    resample.mkdir()
    noise = (0.2 * np.random.default_rng(1).standard_normal(3000)).astype(np.float32)
    np.save(resample / "noise.npy", noise)
    for old, new in RATES:
        np.save(resample / f"{old}-{new}.npy", librosa.resample(noise, orig_sr=old, target_sr=new))


if __name__ == "__main__":
    main()
