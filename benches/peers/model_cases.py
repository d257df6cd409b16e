"""The cases of models.py: graphs of whole networks and of single operations.

    python model_cases.py FOLDER [PART_OF_A_NAME]...

writes them as case folders.
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import onnx_models
from case_folder import CaseFolder
from graphs import fed, indices, noise, tf, tf1, variable, write_case
from driver import note
from image_graphs import images
from image_networks import mobilenet_v2, resnet50

import numpy as np

HERE = Path(__file__).resolve().parent


@dataclass
class Case:
    title: str
    # What Tidemill's time divided by the fastest peer's is to be at most.
    goal: str
    build: Callable


def trained(loss, optimizer):
    """The loss, and a step that lessens it."""
    optimizers = {
        "sgd": tf1.train.GradientDescentOptimizer,
        "adam": tf1.train.AdamOptimizer,
    }
    return loss, optimizers[optimizer](1e-3).minimize(loss)


def dense(x, outputs, scale):
    weights = variable(noise(x.shape[-1], outputs) * np.float32(scale))
    return tf.matmul(x, weights) + variable(np.zeros(outputs, np.float32))


def perceptron(x, *sizes):
    for i, outputs in enumerate(sizes):
        x = dense(tf.nn.relu(x) if i else x, outputs, np.sqrt(2 / x.shape[-1]))
    return x


def classifier(network, *image):
    """What makes the logits of a batch of images, or trains on them."""

    def build(optimizer=None):
        x = fed(noise(*image))
        logits = network(x)
        if optimizer is None:
            return logits
        labels = fed(indices(10, image[0]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        return trained(tf.reduce_mean(losses), optimizer)

    return build


def regression(network, *sample):
    """What makes the network's output of a sample, or trains it to a noise."""

    def build(optimizer=None):
        output = network(fed(noise(*sample)))
        if optimizer is None:
            return output
        return trained(tf.reduce_mean(tf.square(output - fed(noise(*output.shape)))), optimizer)

    return build


def lenet(x):
    for channels in 32, 64:
        filters = variable(noise(5, 5, x.shape[-1], channels) * np.float32(0.1))
        bias = variable(np.zeros(channels, np.float32))
        x = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME") + bias)
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
    return perceptron(tf.reshape(x, [-1, 7 * 7 * 64]), 1024, 10)


HIDDEN = 256


def lstm(run_steps):
    """The last hidden state of an LSTM, whose steps `run_steps` runs, over an input by time."""

    def network(x):
        _, batch, inputs = x.shape
        weights = variable(noise(inputs + HIDDEN, 4 * HIDDEN) * np.float32(0.05))
        bias = variable(np.zeros(4 * HIDDEN, np.float32))
        weights, bias = tf.identity(weights), tf.identity(bias)

        def step(x, h, c):
            gates = tf.matmul(tf.concat([x, h], 1), weights) + bias
            i, j, f, o = tf.split(gates, 4, 1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            return tf.tanh(c) * tf.sigmoid(o), c

        return run_steps(x, step, tf.zeros([batch, HIDDEN]))

    return network


def unrolled(x, step, zeros):
    h = c = zeros
    for x_t in tf.unstack(x):
        h, c = step(x_t, h, c)
    return h


def loop(control_flow_v2):
    def run_steps(x, step, zeros):
        (tf1.enable_control_flow_v2 if control_flow_v2 else tf1.disable_control_flow_v2)()
        steps = x.shape[0]
        inputs = tf.TensorArray(tf.float32, steps).unstack(x)
        body = lambda t, h, c: (t + 1, *step(inputs.read(t), h, c))
        return tf1.while_loop(lambda t, *_: t < steps, body, [0, zeros, zeros])[1]

    return run_steps


HEADS = 8


def layer_norm(x):
    scale = variable(np.ones(x.shape[-1], np.float32))
    offset = variable(np.zeros(x.shape[-1], np.float32))
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * scale + offset


def transformer(x):
    """A block of self-attention and two dense layers."""
    batch, length, width = x.shape

    def by_heads(x):
        x = tf.reshape(x, [batch, length, HEADS, width // HEADS])
        return tf.transpose(x, [0, 2, 1, 3])

    x = tf.reshape(x, [batch * length, width])
    query, key, value = (by_heads(dense(x, width, 0.02)) for _ in range(3))
    scores = tf.matmul(query, key, transpose_b=True) / np.float32(np.sqrt(width // HEADS))
    attention = tf.matmul(tf.nn.softmax(scores), value)
    attention = tf.reshape(tf.transpose(attention, [0, 2, 1, 3]), [batch * length, width])
    x = layer_norm(x + dense(attention, width, 0.02))
    x = layer_norm(x + dense(tf.nn.relu(dense(x, 4 * width, 0.02)), width, 0.02))
    return tf.reshape(x, [batch, length, width])


def chain_of_12(x):
    y = tf.exp(tf.sigmoid(tf.tanh(x * 1.1 + 0.5)))
    y = tf.maximum(tf.sqrt(tf.abs(tf.square(y - x))), 0.1)
    return tf.minimum(y * x, 2.0)


def of(function, *shapes):
    return lambda: function(*(fed(noise(*shape)) for shape in shapes))


def product(*shapes, dtype=np.float32):
    return lambda: tf.matmul(*(fed(noise(*shape, dtype=dtype)) for shape in shapes))


def lookup():
    return tf.gather(fed(noise(1_000_000, 64)), fed(indices(1_000_000, 100_000)))


def variants(title, build, goals):
    """A network's forward pass and trainings, by the ends of their names."""
    ways = {
        "forward": ("forward", build),
        "sgd": ("SGD step", lambda: build("sgd")),
        "adam": ("Adam step", lambda: build("adam")),
    }
    return {way: Case(f"{title}: {ways[way][0]}", goals[way], ways[way][1]) for way in goals}


def networks():
    groups = {
        "mlp": variants(
            "MLP 784-256-128-10, batch 128",
            classifier(lambda x: perceptron(x, 256, 128, 10), 128, 784),
            {"forward": "≤ 1.0", "sgd": "≤ 0.9", "adam": "≤ 0.85"},
        ),
        "lenet": variants(
            "LeNet 5×5×32, 5×5×64, 1024, 10, batch 64",
            classifier(lenet, 64, 28, 28, 1),
            {"forward": "≤ 1.05", "adam": "≤ 0.95"},
        ),
        "transformer": variants(
            "transformer block 512, 8 heads, 8 × 128",
            regression(transformer, 8, 128, 512),
            {"forward": "≤ 1.05", "sgd": "≤ 1.05", "adam": "≤ 1.05"},
        ),
    }
    ways = {"unrolled": unrolled, "loop_v1": loop(False), "loop_v2": loop(True)}
    for way, run_steps in ways.items():
        groups[f"lstm_{way}"] = variants(
            f"LSTM 256 of 128, 50 steps, batch 32, {way.replace('_v', ' of TensorFlow ')}",
            regression(lstm(run_steps), 50, 32, 128),
            {"forward": "≤ 1.1", "sgd": "≤ 1.0"},
        )
    return {f"{name}_{way}": case for name, group in groups.items() for way, case in group.items()}


def frozen():
    return {
        "resnet50_1": Case("ResNet-50, batch 1", "≤ 1.15", images(resnet50, 1)),
        "resnet50_8": Case("ResNet-50, batch 8", "≤ 1.15", images(resnet50, 8)),
        "mobilenet_v2_1": Case("MobileNetV2, batch 1", "≤ 1.3", images(mobilenet_v2, 1)),
    }


def products():
    sizes = [(n, n, n) for n in (64, 128, 256, 512, 1024, 2048)]
    sizes += [(128, 784, 256), (30, 384, 1024), (1, 784, 256)]
    cases = {
        f"product_{m}x{k}x{n}": Case(f"product {m} × {k} × {n}", "≤ 1.0", product((m, k), (k, n)))
        for m, k, n in sizes
    }
    batched = product((64, 128, 64), (64, 64, 128))
    cases["product_64x128x64x128"] = Case("64 products 128 × 64 × 128", "≤ 1.0", batched)
    wide = product((1024, 1024), (1024, 1024), dtype=np.float64)
    cases["product_f64_1024"] = Case("product 1024 × 1024 × 1024, f64", "≤ 1.0", wide)
    return cases


SIDE = 4096
SQUARE = (SIDE, SIDE)

CASES = {
    **networks(),
    **frozen(),
    "chain_1m": Case("12 element-wise operations, 10⁶", "≤ 1.0", of(chain_of_12, [1_000_000])),
    "chain_16m": Case("12 element-wise operations, 16 · 10⁶", "≤ 1.0", of(chain_of_12, [16_000_000])),
    **products(),
    "add": Case("4096² + 4096²", "≤ 1.0", of(tf.add, SQUARE, SQUARE)),
    "add_row": Case("4096² + row", "≤ 1.0", of(tf.add, SQUARE, [SIDE])),
    "add_column": Case("4096² + column", "≤ 1.0", of(tf.add, SQUARE, [SIDE, 1])),
    "sum_all": Case("sum of 4096²", "≤ 0.9", of(tf.reduce_sum, SQUARE)),
    "sum_0": Case("sum of 4096² along axis 0", "≤ 0.9", of(lambda x: tf.reduce_sum(x, 0), SQUARE)),
    "sum_1": Case("sum of 4096² along axis 1", "≤ 0.9", of(lambda x: tf.reduce_sum(x, 1), SQUARE)),
    "softmax": Case("softmax of 4096 × 1000", "≤ 0.9", of(tf.nn.softmax, [SIDE, 1000])),
    "transpose": Case("transpose of 4096²", "≤ 0.9", of(tf.transpose, SQUARE)),
    "gather": Case("100,000 rows of 1,000,000 × 64", "≤ 0.9", lookup),
}


def chosen(parts):
    """The cases with one of these parts in their names; all, if there are none."""
    return {
        name: case
        for name, case in CASES.items()
        if not parts or any(part in name for part in parts)
    }


def fingerprint():
    """Changes with whatever the folders depend on."""
    names = "case_folder graphs model_cases image_graphs image_networks onnx_models onnx_image_layers"
    sources = (HERE / f"{name}.py" for name in names.split())
    text = tf.__version__.encode() + b"".join(source.read_bytes() for source in sources)
    return hashlib.sha256(text).hexdigest()


def ensure(name, root):
    """The folder of a case, written if it is not there or was written by other scripts."""
    path = root / name
    stamp = path / "made_by"
    if not (stamp.exists() and stamp.read_text() == fingerprint()):
        note(f"{name}: writing the graph")
        write_case(path, CASES[name].build)
        onnx_models.write_model(CaseFolder.read(path))
        stamp.write_text(fingerprint())
    return path


if __name__ == "__main__":
    for name in chosen(sys.argv[2:]):
        ensure(name, Path(sys.argv[1]))
