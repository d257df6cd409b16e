"""PyTorch, asked by models.py: python graph_torch.py THREADS [compiled]

With `compiled`, functions are compiled by Inductor; otherwise operations run one by one, those of
the frozen networks as TorchScript optimizes them for inference.
"""

import os
import sys
import tempfile

THREADS = int(sys.argv[1])
IS_COMPILED = sys.argv[2:] == ["compiled"]

# A first run finds nothing that an earlier one left.
compiler_folder = tempfile.TemporaryDirectory()
os.environ.update(
    OMP_NUM_THREADS=str(THREADS),
    TORCHINDUCTOR_CACHE_DIR=compiler_folder.name,
    TORCHINDUCTOR_COMPILE_THREADS="1",
    CUDA_VISIBLE_DEVICES="",
)

import warnings

import torch

from graph_peer import CannotRun, serve
from torch_networks import NETWORKS, OPERATIONS, Lstm, Network

warnings.simplefilter("ignore")
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)

RATE = 1e-3

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, RATE, fused=True),
    # TensorFlow adds 1e-8 before it corrects the second moment; in the first step, this is the same.
    "adam": lambda parameters: torch.optim.Adam(
        parameters, RATE, eps=1e-8 / (1 - 0.999) ** 0.5, fused=True
    ),
}


def compiled(function):
    return torch.compile(function, fullgraph=True, dynamic=False) if IS_COMPILED else function


def training(network, loss_of, optimizer, x, target):
    """A function that trains for one step, and gives the loss before it."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = optimizer(parameters)
    loss = compiled(lambda x, target: loss_of(network(x), target))

    def run():
        optimizer.zero_grad()
        value = loss(x, target)
        value.backward()
        optimizer.step()
        return value.detach()

    return run


def inference(function, *inputs):
    def run():
        with torch.inference_mode():
            return function(*inputs)

    return run


def frozen(network, x):
    """With batch norms folded into convolutions, and these as oneDNN has them."""
    if IS_COMPILED:
        return compiled(network)
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(network.eval(), x))
        return torch.jit.optimize_for_inference(traced)


def network_of(name, arrays, output):
    # Only the layer that runs all steps is a loop; Inductor has to unroll it.
    if name.startswith("lstm_loop") and not IS_COMPILED:
        return Lstm(arrays)
    return Network(output, arrays)


def prepare(folder, feeds):
    if IS_COMPILED:
        torch.compiler.reset()
    feeds = [torch.from_numpy(value) for value in feeds]
    name, _, way = folder.name.rpartition("_")
    for beginning, (output, loss) in NETWORKS.items():
        if folder.name.startswith(beginning):
            network = network_of(name, folder.arrays("parameter"), output)
            if loss is None:
                return inference(frozen(network, *feeds), *feeds)
            if way not in OPTIMIZERS:
                return inference(compiled(network), *feeds)
            x, target = feeds
            target = target if target.is_floating_point() else target.long()
            return training(network, loss, OPTIMIZERS[way], x, target)
    for beginning, operation in OPERATIONS.items():
        if folder.name.startswith(beginning):
            return inference(compiled(operation), *feeds)
    raise CannotRun("not written for PyTorch")


if IS_COMPILED:
    # The compiler is a part of the library, which loads it late.
    import torch._dynamo
    import torch._inductor.compile_fx
    import torch._inductor.config

    # Parameters are constants of what is compiled for inference.
    torch._inductor.config.freezing = True
    torch._inductor.config.fx_graph_cache = False

serve(f"PyTorch {torch.__version__}", prepare)
