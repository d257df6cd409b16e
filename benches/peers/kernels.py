"""Compares operations and networks with TensorFlow, block by block: kernels.sh starts it.

Each case is a graph that both run from the same GraphDef with the same feeds. The figures are the
least of many blocks, so that what else the machine does spoils few of them.
"""

import argparse
import json
import os
import struct
import subprocess
import time
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

tf1 = tf.compat.v1
tf1.disable_eager_execution()
tf1.logging.set_verbosity(tf1.logging.ERROR)

BLOCKS, QUICK_BLOCKS = 60, 10
BLOCK_NANOSECONDS = 10e6
TOLERANCE = 1e-3
random = np.random.default_rng(7)


def noise(*shape):
    return random.standard_normal(shape, np.float32)


def fed(value):
    """A placeholder, and what to feed for it, which the graph's collection keeps."""
    tensor = tf1.placeholder(value.dtype, value.shape)
    tf1.add_to_collection("feeds", (tensor, value))
    return tensor


def product(rows, inner, columns):
    return lambda: tf.matmul(fed(noise(rows, inner)), tf.constant(noise(inner, columns)))


def conv(image, filters, strides=1, padding="SAME"):
    return lambda: tf.nn.conv2d(fed(noise(*image)), tf.constant(noise(*filters)), strides, padding)


def conv_gradients(image, filters, of_image):
    def build():
        x, w = fed(noise(*image)), fed(noise(*filters))
        y = tf.nn.conv2d(x, w, 1, "SAME")
        return tf.gradients(y, x if of_image else w, fed(noise(*y.shape)))[0]

    return build


def depthwise(image, filters):
    def build():
        weights = tf.constant(noise(*filters))
        return tf.nn.depthwise_conv2d(fed(noise(*image)), weights, [1, 1, 1, 1], "SAME")

    return build


def transposed():
    filters = tf.constant(noise(5, 5, 32, 64))
    return tf.nn.conv2d_transpose(fed(noise(8, 8, 8, 64)), filters, [8, 16, 16, 32], 2)


def of(function, *shape):
    return lambda: function(fed(noise(*shape)))


def norm(training):
    def build():
        scale, offset = tf.constant(noise(64)), tf.constant(noise(64))
        statistics = {} if training else {"mean": noise(64), "variance": np.abs(noise(64))}
        x = fed(noise(8, 28, 28, 64))
        return tf1.nn.fused_batch_norm(x, scale, offset, is_training=training, **statistics)[0]

    return build


def max_pool_gradient():
    x = fed(noise(32, 24, 24, 16))
    y = tf.nn.max_pool2d(x, 2, 2, "VALID")
    return tf.gradients(y, x, fed(noise(*y.shape)))[0]


def cross_entropy_gradient():
    logits = fed(noise(256, 1000))
    labels = fed(random.integers(0, 1000, 256, np.int32))
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.gradients(loss, logits)[0]


def lookup():
    ids = fed(random.integers(0, 100_000, 1024, np.int32))
    return tf.gather(fed(noise(100_000, 64)), ids)


def segments():
    ids = fed(random.integers(0, 1000, 4096, np.int32))
    return tf.math.unsorted_segment_sum(fed(noise(4096, 64)), ids, 1000)


def dense(x, outputs):
    return tf.matmul(x, tf.constant(noise(x.shape[1], outputs) * 0.1)) + tf.constant(noise(outputs))


def all_gradients(loss, weights):
    """One number that needs the gradients of all weights."""
    return tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in tf.gradients(loss, weights)])


def mlp_step():
    x, labels = fed(noise(64, 784)), fed(random.integers(0, 10, 64, np.int32))
    weights = [fed(noise(784, 256) * 0.05), fed(noise(256, 10) * 0.05)]
    logits = tf.matmul(tf.nn.relu(tf.matmul(x, weights[0])), weights[1])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return all_gradients(tf.reduce_mean(loss), weights)


def lenet_step():
    x, labels = fed(noise(32, 28, 28, 1)), fed(random.integers(0, 10, 32, np.int32))
    shapes = [(5, 5, 1, 6), (5, 5, 6, 16), (400, 120), (120, 84), (84, 10)]
    weights = [fed(noise(*shape) * 0.1) for shape in shapes]
    for filters, padding in zip(weights[:2], ["SAME", "VALID"]):
        x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, filters, 1, padding)), 2, 2, "VALID")
    x = tf.reshape(x, [32, 400])
    for matrix in weights[2:]:
        x = tf.matmul(tf.nn.relu(x), matrix)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
    return all_gradients(tf.reduce_mean(loss), weights)


def resnet_block_step():
    x = fed(noise(4, 28, 28, 64))
    weights, y = [], x
    for i in range(2):
        filters, scale, offset = fed(noise(3, 3, 64, 64) * 0.05), fed(noise(64)), fed(noise(64))
        weights += [filters, scale, offset]
        y = tf.nn.conv2d(y, filters, 1, "SAME")
        y, *_ = tf1.nn.fused_batch_norm(y, scale, offset)
        y = tf.nn.relu(y + x if i else y)
    return all_gradients(tf.reduce_mean(tf.square(y)), weights)


CASES = {
    "matmul 1×784×256": product(1, 784, 256),
    "matmul 64×784×256": product(64, 784, 256),
    "matmul 256×256×256": product(256, 256, 256),
    "matmul 128×1024×1024": product(128, 1024, 1024),
    "batch matmul 96×64×32×64": lambda: tf.matmul(
        fed(noise(8, 12, 64, 32)), fed(noise(8, 12, 64, 32)), transpose_b=True
    ),
    "conv 5×5×1×6 of 32×28×28": conv((32, 28, 28, 1), (5, 5, 1, 6)),
    "conv 5×5×6×16 of 32×14×14": conv((32, 14, 14, 6), (5, 5, 6, 16), padding="VALID"),
    "conv 3×3×16×16 of 1×16×16": conv((1, 16, 16, 16), (3, 3, 16, 16)),
    "conv 3×3×64×64 of 1×56×56": conv((1, 56, 56, 64), (3, 3, 64, 64)),
    "conv 1×1×256×64 of 1×56×56": conv((1, 56, 56, 256), (1, 1, 256, 64)),
    "conv 7×7×3×64 by 2 of 1×224×224": conv((1, 224, 224, 3), (7, 7, 3, 64), 2),
    "conv 3×3×64×64 of 4×28×28, input gradient": conv_gradients((4, 28, 28, 64), (3, 3, 64, 64), True),
    "conv 3×3×64×64 of 4×28×28, filter gradient": conv_gradients((4, 28, 28, 64), (3, 3, 64, 64), False),
    "conv 5×5×32×64 by 2, transposed, of 8×8×8": transposed,
    "depthwise conv 3×3 of 1×56×56×128": depthwise((1, 56, 56, 128), (3, 3, 128, 1)),
    "max pool 2×2 of 32×24×24×16": of(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), 32, 24, 24, 16),
    "max pool 3×3 by 2 of 1×112×112×64": of(lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), 1, 112, 112, 64),
    "max pool 2×2 of 32×24×24×16, gradient": max_pool_gradient,
    "average pool 2×2 of 32×24×24×16": of(lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), 32, 24, 24, 16),
    "batch norm of 8×28×28×64, training": norm(True),
    "batch norm of 8×28×28×64, inference": norm(False),
    "softmax of 256×1000": of(tf.nn.softmax, 256, 1000),
    "log softmax of 64×10": of(tf.nn.log_softmax, 64, 10),
    "cross entropy of 256×1000 with gradient": cross_entropy_gradient,
    "sum of 1024×1024": of(tf.reduce_sum, 1024, 1024),
    "sum of 1024×1024 along axis 0": of(lambda x: tf.reduce_sum(x, 0), 1024, 1024),
    "sum of 1024×1024 along axis 1": of(lambda x: tf.reduce_sum(x, 1), 1024, 1024),
    "mean of 8×28×28×64 along axes 1, 2": of(lambda x: tf.reduce_mean(x, [1, 2]), 8, 28, 28, 64),
    "max of 1024×1024 along axis 1": of(lambda x: tf.reduce_max(x, 1), 1024, 1024),
    "relu of 1024×1024": of(tf.nn.relu, 1024, 1024),
    "tanh of 256×1024": of(tf.tanh, 256, 1024),
    "exp of 256×1024": of(tf.exp, 256, 1024),
    "gelu of 256×1024": of(lambda x: tf.nn.gelu(x), 256, 1024),
    "bias of 1024×1024": of(lambda x: tf.nn.bias_add(x, tf.constant(noise(1024))), 1024, 1024),
    "row + column, 1024×1024": lambda: fed(noise(1024, 1)) + fed(noise(1024)),
    "transpose of 8×128×12×64 to 0, 2, 1, 3": of(lambda x: tf.transpose(x, [0, 2, 1, 3]), 8, 128, 12, 64),
    "transpose of 1024×1024": of(tf.transpose, 1024, 1024),
    "concat of two 512×512 along axis 1": lambda: tf.concat([fed(noise(512, 512)), fed(noise(512, 512))], 1),
    "1,024 rows of 100,000×64": lookup,
    "sums of 4096×64 by 1,000 segments": segments,
    "gradients of an MLP 64×784×256×10": mlp_step,
    "gradients of LeNet on 32 images": lenet_step,
    "gradients of a ResNet block on 4×28×28×64": resnet_block_step,
}


def safetensors(tensors):
    names = {"float32": "F32", "int32": "I32", "int64": "I64", "bool": "BOOL"}
    header, data = {}, b""
    for name, value in tensors.items():
        start = len(data)
        data += np.ascontiguousarray(value).tobytes()
        dtype, shape = names[value.dtype.name], list(value.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, len(data)]}
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def read_safetensors(path):
    dtypes = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "BOOL": bool}
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    data = raw[8 + length :]

    def value(entry):
        start, end = entry["data_offsets"]
        return np.frombuffer(data[start:end], dtypes[entry["dtype"]]).reshape(entry["shape"])

    header = json.loads(raw[8 : 8 + length])
    return {name: value(e) for name, e in header.items() if name != "__metadata__"}


def built(build):
    """The graph, feeds and fetch of a case."""
    with tf.Graph().as_default() as graph:
        fetch = build()
        feeds = {tensor.name: value for tensor, value in tf1.get_collection("feeds")}
    return graph.as_graph_def(), feeds, fetch.name


def networks(corpus):
    """The networks of the conformance corpus: what makes the graph, feeds and fetch of each."""
    for case in json.loads((corpus / "manifest.json").read_text())["cases"]:
        if case["category"] != "models":
            continue

        def load(case=case):
            tensors = read_safetensors(corpus / case["tensors"])
            feeds = {name: tensors[f"feed:{name}"] for name in case["feeds"]}
            graph = tf1.GraphDef.FromString((corpus / case["graph"]).read_bytes())
            is_float = lambda name: tensors[f"fetch:{name}"].dtype == np.float32
            return graph, feeds, next(filter(is_float, case["outputs"]))

        yield case["name"].removeprefix("models/"), load


def aligned(value):
    """The same array where TensorFlow takes it without copying it."""
    room = np.empty(value.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy


class TensorFlow:
    def __init__(self, graph_def, feeds, fetch, threads):
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        config = tf1.ConfigProto(
            inter_op_parallelism_threads=-1 if threads == 1 else threads,
            intra_op_parallelism_threads=threads,
        )
        self.session = tf1.Session(graph=graph, config=config)
        options = config_pb2.CallableOptions()
        options.feed.extend(feeds)
        options.fetch.append(fetch)
        self.call = self.session._make_callable_from_options(options)
        self.values = [aligned(value) for value in feeds.values()]

    def first(self):
        return self.call(*self.values)[0].astype(np.float64)

    def run(self, times):
        call, values = self.call, self.values
        start = time.perf_counter_ns()
        for _ in range(times):
            call(*values)
        return (time.perf_counter_ns() - start) / times


class Tidemill:
    def __init__(self, program, folder, graph_def, feeds, fetch, threads):
        graph, tensors = folder / "graph.pb", folder / "feeds.safetensors"
        graph.write_bytes(graph_def.SerializeToString())
        tensors.write_bytes(safetensors(feeds))
        self.process = subprocess.Popen(
            [program, graph, tensors, fetch, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        first = self.process.stdout.readline().split()
        if not first:
            raise RuntimeError(self.process.communicate()[1].strip().splitlines()[-1])
        self.sums = [float(number) for number in first]

    def run(self, times):
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.communicate()


def fitting(run):
    """How many runs a block is to have."""
    times = 1
    while (elapsed := run(times) * times) < BLOCK_NANOSECONDS / 2:
        times *= 2
    return max(1, round(times * BLOCK_NANOSECONDS / elapsed))


def compare(options, load):
    """The least nanoseconds of a run in Tidemill and in TensorFlow."""
    graph_def, feeds, fetch = load()
    theirs = TensorFlow(graph_def, feeds, fetch, options.threads)
    ours = Tidemill(options.program, options.folder, graph_def, feeds, fetch, options.threads)
    expected = theirs.first()
    for ours_sum, sum in zip(ours.sums, [expected.sum(), np.abs(expected).sum()]):
        if abs(ours_sum - sum) > TOLERANCE * np.abs(expected).sum():
            raise RuntimeError(f"the sum of the elements is {ours_sum}, but TensorFlow's {sum}")
    sides = [ours.run, theirs.run]
    times = [fitting(run) for run in sides]
    blocks = [[run(n) for run, n in zip(sides, times)] for _ in range(options.blocks)]
    ours.close()
    return [min(side) for side in zip(*blocks)]


def digits(nanoseconds):
    micros = nanoseconds / 1e3
    return f"{micros:,.0f}" if micros >= 999.5 else f"{micros:.3g}"


def main():
    parser = argparse.ArgumentParser(description="Compares kernels with those of TensorFlow.")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_BLOCKS} blocks a case")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", help="a part of a name; may be repeated")
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.blocks = QUICK_BLOCKS if options.quick else BLOCKS
    options.folder.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.threads :])
    cases = {name: lambda build=build: built(build) for name, build in CASES.items()}
    cases |= networks(options.corpus)
    print(f"TensorFlow {tf.__version__}, threads: {options.threads}, the least of {options.blocks} blocks.\n")
    print("| case | Tidemill, µs | TensorFlow, µs | Tidemill ÷ TensorFlow |\n| --- | --- | --- | --- |")
    for name, load in cases.items():
        if options.only and not any(part in name for part in options.only):
            continue
        try:
            ours, theirs = compare(options, load)
            print(f"| {name} | {digits(ours)} | {digits(theirs)} | {ours / theirs:.2f} |", flush=True)
        except RuntimeError as error:
            print(f"| {name} | – | – | {error} |", flush=True)


if __name__ == "__main__":
    main()
