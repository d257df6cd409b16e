"""ONNX Runtime, asked by models.py: python graph_onnxruntime.py THREADS

Inputs and outputs are bound once, so nothing is copied or allocated for them in a run.
"""

import sys

import onnxruntime

from graph_peer import CannotRun, serve

THREADS = int(sys.argv[1])


def prepare(folder, feeds):
    if folder.targets:
        raise CannotRun("ONNX Runtime does not train")
    if not folder.onnx.exists():
        raise CannotRun("not written for ONNX")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(folder.onnx), options, providers)
    binding = session.io_binding()
    inputs = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in feeds]
    for i, value in enumerate(inputs):
        binding.bind_ortvalue_input(f"input_{i}", value)
    binding.bind_output("output", "cpu")
    output = None

    def run():
        nonlocal output
        session.run_with_iobinding(binding)
        if output is None:
            [output] = binding.get_outputs()
            binding.bind_ortvalue_output("output", output)
        return output

    return run


serve(f"ONNX Runtime {onnxruntime.__version__}", prepare)
