"""Data that lie where the shipped experiment files look for them, made up.

Called by ../train-experiments. Recordings are there already, made by `sweep
synth`; this is the rest: GTZAN's names of classes, a table of features, pictures,
and weights for MobileNetV2 under torchvision's names and in its shapes. Needs
nothing but Python.
"""

import json
import random
import struct
import sys
import zlib
from array import array
from pathlib import Path

GENRES = [
    "blues", "classical", "country", "disco", "hiphop",
    "jazz", "metal", "pop", "reggae", "rock",
]
COLUMNS = 57
# Of GTZAN's pictures of spectrograms.
WIDTH, HEIGHT = 432, 288


def rename_classes(folder):
    """Made-up classes get the names that the files know."""
    classes = sorted(folder.iterdir())
    assert len(classes) == len(GENRES), classes
    for place, genre in zip(classes, GENRES):
        place.rename(folder / f"renamed-{genre}")
    for genre in GENRES:
        (folder / f"renamed-{genre}").rename(folder / genre)


def write_table(path, clips):
    features = [f"feature_{column}" for column in range(COLUMNS)]
    rows = [["filename", "length", *features, "label"]]
    for number, genre in enumerate(GENRES):
        for clip in range(clips):
            values = [
                f"{10.0 ** (column % 8 - 3) * (number + random.gauss(0, 1)):.6g}"
                for column in range(COLUMNS)
            ]
            rows.append([f"{genre}.{clip:05}.wav", "661794", *values, genre])
    path.write_text("".join(",".join(row) + "\n" for row in rows))


def png(rows):
    """Rows of red, green and blue, as a file."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def write_pictures(folder, clips):
    for number, genre in enumerate(GENRES):
        (folder / genre).mkdir(parents=True)
        for clip in range(clips):
            rows = []
            for row in range(HEIGHT):
                stripe = 20 * number + (40 if row % (8 + 4 * number) < 4 else 0)
                noise = random.randbytes(3 * WIDTH)
                rows.append(bytes(stripe + (value >> 4) for value in noise))
            (folder / genre / f"{genre}{clip:05}.png").write_bytes(png(rows))


def write_weights(path, shapes):
    header, content, start = {}, [], 0
    for name, shape in shapes.items():
        count, inputs = 1, 1
        for axis, size in enumerate(shape):
            count *= size
            inputs *= size if axis else 1
        scale = (2.0 / inputs) ** 0.5
        if len(shape) == 4:
            values = array("f", (random.gauss(0, scale) for _ in range(count)))
        else:
            one = name.endswith((".weight", ".running_var"))
            values = array("f", [1.0 if one else 0.0]) * count
        if sys.byteorder == "big":
            values.byteswap()
        end = start + 4 * count
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
        content.append(values.tobytes())
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(content))


def main():
    folder, clips = Path(sys.argv[1]), int(sys.argv[2])
    random.seed(1)
    rename_classes(folder / "gtzan")
    write_table(folder / "features_30_sec.csv", clips)
    write_pictures(folder / "images", clips)
    counts = Path(__file__).parent.parent / "golden/keras/counts.json"
    shapes = json.loads(counts.read_text())["mobilenet_v2"]["1.0"]["shapes"]
    write_weights(folder / "mobilenet_v2.safetensors", shapes)


main()
