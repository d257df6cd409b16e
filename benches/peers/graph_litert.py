"""LiteRT with XNNPACK, asked by models.py: python graph_litert.py THREADS

The values to feed are copied once, so nothing is copied in a run.
"""

import sys
from importlib.metadata import version

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from graph_peer import CannotRun, serve

THREADS = int(sys.argv[1])


class Output:
    """The output of the last run, copied when it is read: nobody may refer to it during a run."""

    def __init__(self, view):
        self.view = view

    def __array__(self, dtype=None, copy=None):
        return np.array(self.view(), dtype)


def prepare(folder, feeds):
    if folder.targets:
        raise CannotRun("LiteRT does not train")
    if not folder.lite.exists():
        raise CannotRun(folder.why_no_lite.read_text())
    # It delegates to XNNPACK unless told not to.
    interpreter = Interpreter(str(folder.lite), num_threads=THREADS)
    interpreter.allocate_tensors()
    for tensor, value in zip(interpreter.get_input_details(), feeds, strict=True):
        interpreter.set_tensor(tensor["index"], value)
    [details] = interpreter.get_output_details()
    output = Output(interpreter.tensor(details["index"]))

    def run():
        interpreter.invoke()
        return output

    return run


serve(f"LiteRT {version('ai-edge-litert')}", prepare)
