"""Writes what Keras makes of the cases in cases.yaml."""

import importlib
import os
import sys

# Before anything imports Keras: the backend that defines it, on one thread of
# the CPU, without the library that reorders sums.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

PARTS = ["layers", "networks", "training", "initializers", "mobilenet"]

for part in sys.argv[1:] or PARTS:
    importlib.import_module(part).write()
