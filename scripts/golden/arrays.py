"""Writes small arrays as NumPy does, to src/data/testdata/arrays/.

Run it as mel.py beside it. Every array of examples has the values
`(7 * i) % 120` at the flat index i of a shape, so that a reader's answer is
known without another file; cases.json lists files, types and shapes.
"""

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

ARRAYS = Path(__file__).resolve().parents[2] / "src" / "data" / "testdata" / "arrays"

TYPES = ["?", "i1", "u1"] + [
    order + name for name in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8") for order in "<>"
]


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The values that all arrays of this shape have."""
    flat = (7 * np.arange(np.prod(shape))) % 120
    return flat.reshape(shape).astype(dtype)


def examples() -> dict[str, dict]:
    """Arrays of all types, orders and ranks."""
    cases = {}

    def save(name: str, array: np.ndarray) -> None:
        np.save(ARRAYS / name, array)
        cases[name] = dict(shape=array.shape, bool=array.dtype == bool)

    for number, dtype in enumerate(TYPES):
        save(f"type_{number}.npy", values((4, 3), dtype))
        save(f"fortran_{number}.npy", np.asfortranarray(values((4, 2, 3), dtype)))
    for shape in [(5, 1), (1, 6), (3, 4, 5), (3, 2, 4, 5), (2, 1, 3, 1)]:
        name = "x".join(map(str, shape))
        save(f"c_{name}.npy", values(shape, "f4"))
        save(f"f_{name}.npy", np.asfortranarray(values(shape, "f4")))
    for version in [(2, 0), (3, 0)]:
        with open(ARRAYS / f"version_{version[0]}.npy", "wb") as file:
            npy.write_array(file, values((4, 3), "f4"), version=version)
        cases[f"version_{version[0]}.npy"] = dict(shape=(4, 3), bool=False)
    return cases


def refused() -> None:
    """Arrays that are no examples and no labels."""
    np.save(ARRAYS / "objects.npy", np.array([[1, "a"]], dtype=object), allow_pickle=True)
    np.save(ARRAYS / "complex.npy", np.zeros((2, 3), "c8"))
    np.save(ARRAYS / "dates.npy", np.zeros((2, 3), "M8[ns]"))
    np.save(ARRAYS / "long.npy", np.zeros((2, 3), "longdouble"))
    np.save(ARRAYS / "records.npy", np.zeros(3, [("a", "f4"), ("b", "i8")]))
    np.save(ARRAYS / "scalar.npy", np.float32(3))
    np.save(ARRAYS / "flat.npy", values((6,), "f4"))
    np.save(ARRAYS / "deep.npy", values((2, 1, 1, 1, 3), "f4"))
    np.save(ARRAYS / "empty.npy", values((0, 3), "f4"))
    np.save(ARRAYS / "hollow.npy", values((3, 0), "f4"))


def labels() -> None:
    """Twelve labels, of three classes, as one may have them."""
    numbers = np.arange(12) % 3
    text = np.array(["blues", "jäzz", "r"])[numbers]
    np.save(ARRAYS / "y_i8.npy", numbers)
    np.save(ARRAYS / "y_f4.npy", numbers.astype(">f4"))
    np.save(ARRAYS / "y_tens.npy", numbers * 5)
    np.save(ARRAYS / "y_column.npy", numbers.reshape(-1, 1).astype("u1"))
    np.save(ARRAYS / "y_text.npy", text)
    np.save(ARRAYS / "y_big_text.npy", text.astype(">U5"))
    np.save(ARRAYS / "y_bytes.npy", np.char.encode(text, "utf-8"))
    np.save(ARRAYS / "y_one_hot.npy", np.eye(3)[numbers])
    np.save(ARRAYS / "y_one_hot_fortran.npy", np.asfortranarray(np.eye(3, dtype="i4")[numbers]))
    np.save(ARRAYS / "y_bool.npy", numbers == 1)
    np.save(ARRAYS / "groups.npy", np.arange(12) // 6 * 3 + numbers)
    np.save(ARRAYS / "groups_text.npy", np.array([f"song {n // 6 * 3 + n % 3}" for n in range(12)]))


def archives() -> None:
    """The same in archives."""
    numbers = np.arange(12) % 3
    x = values((12, 2, 5), "f4")
    groups = np.arange(12) // 6 * 3 + numbers
    np.savez(ARRAYS / "stored.npz", x=x, y=numbers, groups=groups)
    np.savez_compressed(ARRAYS / "deflated.npz", x=x, y=numbers, groups=groups)
    fortran = np.asfortranarray(x)
    np.savez(ARRAYS / "stored_fortran.npz", x=fortran, y=numbers)
    np.savez_compressed(ARRAYS / "deflated_fortran.npz", x=fortran, y=numbers)
    np.savez(ARRAYS / "renamed.npz", X_train=x, y_train=numbers)


def main() -> None:
    """Writes everything."""
    shutil.rmtree(ARRAYS, ignore_errors=True)
    ARRAYS.mkdir(parents=True)
    cases = examples()
    refused()
    labels()
    archives()
    text = json.dumps(cases, indent=1, default=bool)
    (ARRAYS / "cases.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
