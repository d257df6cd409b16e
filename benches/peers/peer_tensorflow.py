"""TensorFlow's graph mode, timed by the driver.

The argument says how a run is called:

- callable: `_make_callable_from_options`, every operation in the caller's thread
- single:   the same, with the executor for one thread
- run:      `Session.run`, every operation in the caller's thread
"""

import os
import sys
import time

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from peer import points, serve, timed, timed_parts

tf1 = tf.compat.v1
tf1.disable_eager_execution()
tf1.enable_resource_variables()
tf1.logging.set_verbosity(tf1.logging.ERROR)

WAY = sys.argv[1]


def session(grappler=True):
    config = tf1.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = not grappler
    if WAY == "single":
        config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
    return tf1.Session(config=config)


def prepared(session, feeds, fetch, targets=()):
    """A function of the values of `feeds` that gives the value of `fetch` and runs `targets`."""
    if WAY == "run":
        fetches = [fetch, *targets]
        return lambda *values: session.run(fetches, dict(zip(feeds, values)))
    options = config_pb2.CallableOptions()
    options.feed.extend(tensor.name for tensor in feeds)
    options.fetch.append(fetch.name)
    options.target.extend(operation.name for operation in targets)
    return session._make_callable_from_options(options)


def runner(call, *values):
    """The driver runs a case untimed first, so nothing is prepared while the clock runs."""
    return lambda n: timed(n, lambda: call(*values), lambda fetched: float(fetched[0]))


def fed(build):
    def ready():
        graph = tf.Graph()
        with graph.as_default():
            x = tf1.placeholder(tf.float32, [])
            return runner(prepared(session(), [x], build(x)), np.array(2.0, np.float32))

    return ready


def chain_100(y):
    for _ in range(100):
        y = y * 0.99 + 0.01
    return y


def three_nodes_of_10k(x):
    y = z = x * 2.0 + 1.0
    for _ in range(10_000):
        z = z + y
    return y


def training(shape):
    m = tf1.get_variable("m", [], initializer=tf1.zeros_initializer())
    b = tf1.get_variable("b", [], initializer=tf1.zeros_initializer())
    x, y = tf1.placeholder(tf.float32, shape), tf1.placeholder(tf.float32, shape)
    loss = tf.square(y - (m * x + b))
    if shape:
        loss = tf.reduce_mean(loss)
    train = tf1.train.GradientDescentOptimizer(1e-3).minimize(loss)
    run = session()
    run.run(tf1.global_variables_initializer())
    return run, prepared(run, [x, y], loss, [train]), [m, b]


def step(shape):
    def ready():
        with tf.Graph().as_default():
            _, call, _ = training(shape)
            value = np.full(shape, 0.5, np.float32)
            return runner(call, value, value)

    return ready


def build_and_run_chain_10k():
    value = np.array(1.0, np.float32)
    with tf.Graph().as_default():
        start = time.perf_counter_ns()
        x = y = tf1.placeholder(tf.float32, [])
        for _ in range(10_000):
            y = y + x
        built = time.perf_counter_ns()
        # Rewriting the graph takes longer than it saves in a first run.
        with session(grappler=WAY == "run") as run:
            [fetched, *_] = prepared(run, [x], y)(value)
        ran = time.perf_counter_ns()
    return float(fetched), [built - start, ran - built]


def tutorial(steps, first):
    with tf.Graph().as_default():
        run, call, parameters = training([])
        for i, (x, y) in zip(range(steps), points()):
            [loss, *_] = call(np.array(x, np.float32), np.array(y, np.float32))
            if i == 0:
                first(loss)
        return run.run(parameters)


CASES = {
    "fed_add": fed(lambda x: x + 1.0),
    "chain_100": fed(chain_100),
    "three_of_10k": fed(three_nodes_of_10k),
    "step_1": step([]),
    "step_1024": step([1024]),
    "chain_10k": lambda: lambda n: timed_parts(n, build_and_run_chain_10k),
}
if WAY == "run":
    CASES["fed_add_run"] = CASES["fed_add"]

serve(lambda: f"TensorFlow {tf.__version__}", CASES, tutorial)
