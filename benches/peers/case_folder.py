"""A case as a folder that every peer reads, whatever it is written in.

    graph.pb         a GraphDef, with the operations of the training and the initializers
    model.onnx       the same for ONNX, if it is written for it; its inputs are input_0 and so on
    model.tflite     the same for LiteRT, if it can be converted; else why_no.tflite says why not
    manifest         lines `init OPERATION`, `feed TENSOR`, `fetch TENSOR`, `target OPERATION`
    feed_N.npy       the value for the N-th `feed` line
    parameter_N.npy  the first value of the N-th trainable variable, or the N-th constant of a frozen graph
    expected_N.npy   the value fetched by the N-th run; a training has two, any other case has one
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


def aligned(array):
    """The same array where every peer takes it without copying it."""
    room = np.empty(array.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@dataclass
class CaseFolder:
    path: Path
    initializers: list = field(default_factory=list)
    feeds: list = field(default_factory=list)
    fetch: str = ""
    targets: list = field(default_factory=list)

    @classmethod
    def read(cls, path):
        case = cls(Path(path))
        for line in (case.path / "manifest").read_text().splitlines():
            match line.split():
                case ["init", name]:
                    case.initializers.append(name)
                case ["feed", name]:
                    case.feeds.append(name)
                case ["fetch", name]:
                    case.fetch = name
                case ["target", name]:
                    case.targets.append(name)
        return case

    def write_manifest(self):
        entries = [
            *(("init", name) for name in self.initializers),
            *(("feed", name) for name in self.feeds),
            ("fetch", self.fetch),
            *(("target", name) for name in self.targets),
        ]
        lines = (f"{word} {name}\n" for word, name in entries)
        (self.path / "manifest").write_text("".join(lines))

    @property
    def name(self):
        return self.path.name

    @property
    def graph(self):
        return self.path / "graph.pb"

    @property
    def onnx(self):
        return self.path / "model.onnx"

    @property
    def lite(self):
        return self.path / "model.tflite"

    @property
    def why_no_lite(self):
        return self.path / "why_no.tflite"

    def arrays(self, kind):
        """Those of `feed`, `parameter` or `expected`."""
        count = len(list(self.path.glob(f"{kind}_*.npy")))
        return [aligned(np.load(self.path / f"{kind}_{i}.npy")) for i in range(count)]

    def write_arrays(self, kind, arrays):
        for i, array in enumerate(arrays):
            np.save(self.path / f"{kind}_{i}.npy", array)
