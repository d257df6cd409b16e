"""Writes the files beside it, with NumPy 2."""

import numpy as np

matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
np.save("matrix.npy", matrix)
np.save("fortran.npy", np.asfortranarray(matrix))
np.save("fortran_cube.npy", np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)))
np.save("big_endian.npy", np.array([[1, -2], [300, 4]], dtype=">i2"))
np.save("bool.npy", np.array([True, False, True]))
np.save("half.npy", np.array([0.5, -np.inf], dtype=np.float16))
np.save("scalar.npy", np.uint64(7))
np.save("empty.npy", np.zeros((0, 3), np.float32))
np.save("bytes.npy", np.array([b"a", b"", b"bcd"]))
np.save("unicode.npy", np.array(["ä", "", "日本"]))
np.save("unicode_big_endian.npy", np.array(["ä", "", "日本"]).astype(">U2"))
with open("version_2.npy", "wb") as file:
    np.lib.format.write_array(file, np.array([1, 2], dtype=np.uint8), version=(2, 0))
arrays = {"w": np.array([[1.5, -2.5]], dtype=np.float32)}
np.savez("stored.npz", np.zeros(1000, np.int64), **arrays)
np.savez_compressed("compressed.npz", np.zeros(1000, np.int64), **arrays)
