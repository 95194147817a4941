"""Writes small images, and what Pillow makes of them, to src/data/testdata/images/.

Run it as mel.py beside it. cases.json lists what is computed: each case with
the file it is computed from, the size (height, width) and the channels of the
result, and the file that holds Pillow's answer.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

IMAGES = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata" / "images"

CASES = {
    "down": dict(file="rgba.png", size=[8, 12], channels=3),
    "up": dict(file="rgba.png", size=[50, 45], channels=3),
    "uneven": dict(file="rgb.png", size=[27, 9], channels=3),
    "same": dict(file="rgb.png", size=[23, 31], channels=3),
    "weighed": dict(file="rgb.png", size=[23, 31], channels=1),
    "gray_down": dict(file="gray.png", size=[7, 10], channels=1),
    "gray_rgb": dict(file="gray.png", size=[7, 10], channels=3),
    "palette": dict(file="palette.png", size=[16, 16], channels=3),
    "jpeg": dict(file="smooth.jpg", size=[16, 20], channels=3),
    "jpeg_gray": dict(file="gray.jpg", size=[16, 20], channels=1),
}


def sources() -> dict[str, Image.Image]:
    """Noise, in which every error shows, and for JPEG a smooth picture."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (23, 31, 4), dtype=np.uint8)
    y, x = np.mgrid[0:48, 0:64] / 64
    waves = [np.sin(3 * x + 2 * y), np.cos(4 * x), np.sin(5 * y)]
    smooth = np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)
    rgb = Image.fromarray(noise[..., :3])
    return {
        "rgba.png": Image.fromarray(noise),
        "rgb.png": rgb,
        "gray.png": Image.fromarray(noise[..., 0]),
        "palette.png": rgb.quantize(16),
        "smooth.jpg": Image.fromarray(smooth),
        "gray.jpg": Image.fromarray(smooth[..., 0]),
    }


def main() -> None:
    """Writes everything."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, image in sources().items():
        image.save(IMAGES / name)
    for name, case in CASES.items():
        height, width = case["size"]
        image = Image.open(IMAGES / case["file"]).convert("RGB" if case["channels"] == 3 else "L")
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        np.save(IMAGES / f"{name}.npy", np.asarray(resized).reshape(height, width, case["channels"]))
    (IMAGES / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")


if __name__ == "__main__":
    main()
