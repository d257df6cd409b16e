"""Lets NumPy and TensorFlow write files for Tidemill, and read what it made of them.

    files.py make FOLDER
    files.py check FOLDER WRITTEN

WRITTEN is what the example `rewrite_files` makes of FOLDER: every array and event, read and written
again. It must hold the same.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

DTYPES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]


def arrays():
    """Arrays of every type, shape and layout."""
    random = np.random.default_rng(1)
    for dtype in DTYPES:
        for shape in [(), (0,), (5,), (2, 3), (2, 0, 3), (1, 2, 3, 4)]:
            numbers = np.asarray(random.integers(0, 100, shape)).astype(dtype)
            label = f"{dtype}_{'x'.join(map(str, shape)) or 'scalar'}".replace("?", "bool")
            yield label, numbers
    numbers = random.standard_normal((3, 4, 5))
    yield "fortran", np.asfortranarray(numbers)
    yield "big_endian", numbers.astype(">f8")
    yield "big_endian_fortran", np.asfortranarray(numbers.astype(">f4"))
    yield "special", np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324])
    yield "bytes", np.array([b"a", b"", b"longer"])
    yield "rows_of_bytes", np.array([[b"a", b"bc"], [b"def", b""]])


def make(folder):
    made = dict(arrays())
    for name, array in made.items():
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "stored.npz", **made)
    np.savez_compressed(folder / "compressed.npz", **made)
    with tf.io.TFRecordWriter(str(folder / "records.tfrecord")) as writer:
        for length in [0, 1, 7, 100_000]:
            writer.write(bytes(range(256)) * (length // 256) + bytes(length % 256))
    with tf.Graph().as_default():
        writer = tf.compat.v1.summary.FileWriter(str(folder / "v1"))
        for step in range(20):
            value = tf.compat.v1.Summary.Value(tag="loss", simple_value=1.0 / (step + 1))
            writer.add_summary(tf.compat.v1.Summary(value=[value]), step)
        writer.close()
    writer = tf.summary.create_file_writer(str(folder / "v2"))
    with writer.as_default():
        for step in range(20):
            tf.summary.write("scope/accuracy", tf.constant(step / 20), step)
    writer.close()
    # Files of events are told by their place, so that they lie beside the others.
    for version in ["v1", "v2"]:
        [events] = (folder / version).iterdir()
        events.rename(folder / f"{version}.tfevents")
        (folder / version).rmdir()


def scalars(path):
    found = []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            tensor = tf.make_ndarray(value.tensor).item() if value.HasField("tensor") else None
            found.append((event.step, event.wall_time, value.tag, value.simple_value, tensor))
    return found


def check_same(left, right, name):
    # Bytes of another length are padded.
    kinds = (left.dtype.kind, right.dtype.kind)
    if left.dtype.newbyteorder("=") != right.dtype.newbyteorder("=") and kinds != ("S", "S"):
        raise AssertionError(f"{name} is {right.dtype}, not {left.dtype}")
    native = lambda array: array.astype(array.dtype.newbyteorder("="))
    same = left.shape == right.shape and native(left).tobytes() == native(right).tobytes()
    if not same and not (kinds == ("S", "S") and np.array_equal(left, right)):
        raise AssertionError(f"{name} is {right}, not {left}")


def check(folder, written):
    counts = {"npy": 0, "npz": 0, "tfrecord": 0, "tfevents": 0}
    for path in sorted(folder.iterdir()):
        kind, other = path.suffix[1:], written / path.name
        if kind == "npy":
            check_same(np.load(path), np.load(other), path.name)
        elif kind == "npz":
            ours, theirs = np.load(other), np.load(path)
            assert sorted(ours.files) == sorted(theirs.files), path.name
            for name in theirs.files:
                check_same(theirs[name], ours[name], f"{path.name}: {name}")
        elif kind == "tfrecord":
            read = lambda file: list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
            assert read(path) == read(other), path.name
        else:
            [events] = other.iterdir()
            assert len(scalars(path)) == 20 and scalars(path) == scalars(events), path.name
        counts[kind] += 1
    print(f"NumPy {np.__version__}, TensorFlow {tf.__version__}: the same are", counts)


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*map(Path, sys.argv[2:]))
