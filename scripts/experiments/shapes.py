"""Compares what `sweep prepare` made of an experiment's data with what was published.

Called by ../train-experiments with a name, the JSON of `sweep prepare`, and the
number of clips of a class.
"""

import json
import sys
from pathlib import Path

MEL, SERIES, MFCC, MOSAIC = (128, 660, 1), (130, 13, 1), (130, 13, 1), (80, 80, 1)
# Shape of an example, classes, examples of a clip. Studies A to E, in this order.
PUBLISHED = {
    "cnn-baseline": (MEL, 10, 1),
    "crnn-baseline": (MEL, 10, 1),
    "cnn": (MEL, 10, 1),
    "crnn": (MEL, 10, 1),
    "mlp-series": (SERIES, 10, 9),
    "cnn-series": (SERIES, 10, 9),
    "wavenet": ((66150, 1), 10, 10),
    "mlp-features": ((57,), 10, 1),
    "cnn-images": ((256, 256, 3), 10, 1),
    "mobilenet": ((256, 256, 3), 10, 1),
    "cnn-mfcc": (MFCC, 10, 10),
    "resnet-mfcc": (MFCC, 10, 10),
    "parallel-cnn": (MOSAIC, 8, 15),
    "cnn-lstm": (MOSAIC, 8, 15),
}


def main():
    name, path, clips = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    prepared = json.loads(path.read_text())
    shape = tuple(prepared["input_shape"])
    examples, classes = prepared["total"]["examples"], len(prepared["classes"])
    if name in PUBLISHED:
        published = PUBLISHED[name]
        found = (shape, classes, examples / (clips * classes))
        assert found == published, f"{name}: shape, classes, examples of a clip are {found}, not {published}"
    print(f"{name:13}  {str(shape):14}  {classes:2} classes  {examples:6} examples")


main()
