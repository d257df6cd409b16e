"""Graphs that TensorFlow builds, written as case folders."""

import os
import shutil

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np
import tensorflow as tf

from case_folder import CaseFolder

tf1 = tf.compat.v1
tf1.logging.set_verbosity(tf1.logging.ERROR)

SEED = 7
random = np.random.default_rng(SEED)


def noise(*shape, dtype=np.float32):
    return random.standard_normal(shape, dtype)


def indices(limit, count):
    return random.integers(0, limit, count, np.int32)


def fed(value):
    """A placeholder, and what to feed for it, which the graph's collection keeps."""
    tensor = tf1.placeholder(value.dtype, value.shape)
    tf1.add_to_collection("feeds", (tensor, value))
    return tensor


def uniform(low, high, count):
    return random.uniform(low, high, count).astype(np.float32)


def constant(value):
    """A constant, which the graph's collection keeps as a parameter."""
    tf1.add_to_collection("constants", value)
    return tf.constant(value)


def variable(value):
    name = f"v{len(tf1.global_variables())}"
    return tf1.get_variable(name, initializer=value, use_resource=True)


def convert_to_lite(session, feeds, fetch):
    """The bytes of LiteRT's model, or why there is none."""
    converter = tf1.lite.TFLiteConverter.from_session(session, feeds, [fetch])
    try:
        return converter.convert()
    except Exception as error:
        return str(error).strip().partition("\n")[0]


def write_case(path, build):
    """`build` gives the tensor to fetch; or a tuple with it and the operation of a training step."""
    global random
    random = np.random.default_rng(SEED)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    with tf.Graph().as_default() as graph:
        fetch, *targets = built if isinstance(built := build(), tuple) else (built,)
        feeds = dict(tf1.get_collection("feeds"))
        is_trained = bool(tf1.global_variables())
        initializers = [tf1.global_variables_initializer()] if is_trained else []
        # Reading the parameters adds operations that are no part of the case.
        graph_def = graph.as_graph_def()
        with tf1.Session(graph=graph) as session:
            session.run(initializers)
            parameters = session.run(tf1.trainable_variables()) or tf1.get_collection("constants")
            runs = range(2 if targets else 1)
            expected = [session.run([fetch, *targets], feeds)[0] for _ in runs]
            lite = None if targets else convert_to_lite(session, list(feeds), fetch)
    names = lambda things: [thing.name for thing in things]
    case = CaseFolder(path, names(initializers), names(feeds), fetch.name, names(targets))
    case.graph.write_bytes(graph_def.SerializeToString())
    case.write_arrays("feed", feeds.values())
    case.write_arrays("parameter", parameters)
    case.write_arrays("expected", expected)
    match lite:
        case bytes():
            case.lite.write_bytes(lite)
        case str():
            case.why_no_lite.write_text(lite)
    # The last file, by which a folder is known to be whole.
    case.write_manifest()
