"""Reading the cases, writing what Keras makes of them."""

import json
import zlib
from pathlib import Path

import numpy as np
import yaml

FOLDER = Path(__file__).resolve().parent


def cases():
    return yaml.safe_load((FOLDER / "cases.yaml").read_text())


def seed_of(name):
    """A case's seed depends on nothing but its name, so cases come and go freely."""
    return zlib.crc32(name.encode())


def generator_of(name):
    return np.random.default_rng(seed_of(name))


def save(name, arrays):
    """Writes arrays as float32, integers as int64, each at least a vector."""
    found = {}
    for key, array in arrays.items():
        array = np.atleast_1d(np.asarray(array))
        kind = "int64" if np.issubdtype(array.dtype, np.integer) else "float32"
        if array.dtype == np.float16:
            kind = "float16"
        found[key] = np.ascontiguousarray(array.astype(kind))
        assert np.isfinite(found[key]).all(), key
    path = FOLDER / f"{name}.npz"
    np.savez_compressed(path, **found)
    print(f"{path.name}: {len(found)} arrays, {path.stat().st_size} bytes")


def save_json(name, value):
    path = FOLDER / name
    path.write_text(pretty(value) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def save_counts(**sections):
    """Replaces sections of counts.json."""
    path = FOLDER / "counts.json"
    counts = json.loads(path.read_text()) if path.exists() else {}
    counts |= sections
    save_json("counts.json", dict(sorted(counts.items())))


def pretty(value, indent=""):
    """JSON with one line for whatever fits into one, and for every list of scalars."""
    line = json.dumps(value)
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    plain = not isinstance(value, dict) and not any(isinstance(i, (dict, list)) for i in nested)
    if plain or len(indent) + len(line) <= 100:
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {pretty(item, inner)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        rows = [pretty(item, inner) for item in value]
        opening, closing = "[", "]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(rows) + f"\n{indent}{closing}"
