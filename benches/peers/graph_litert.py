"""LiteRT with XNNPACK, asked by models.py: python graph_litert.py THREADS

The values to feed are copied once, so nothing is copied in a run.
"""

import sys
from importlib.metadata import version

from ai_edge_litert.interpreter import Interpreter

from graph_peer import CannotRun, serve

THREADS = int(sys.argv[1])


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
    [output] = interpreter.get_output_details()
    view_output = interpreter.tensor(output["index"])

    def run():
        interpreter.invoke()
        return view_output()

    return run


serve(f"LiteRT {version('ai-edge-litert')}", prepare)
