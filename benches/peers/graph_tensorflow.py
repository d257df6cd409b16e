"""TensorFlow's graph mode, asked by models.py: python graph_tensorflow.py THREADS [xla]

Runs are callables; with one thread, every operation runs in the caller's. With `xla`, TensorFlow
clusters and compiles what XLA can take.
"""

import os
import sys

THREADS = int(sys.argv[1])
IS_COMPILED = sys.argv[2:] == ["xla"]

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="1")
if IS_COMPILED:
    os.environ["TF_XLA_FLAGS"] = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from graph_peer import serve

tf1 = tf.compat.v1
tf1.disable_eager_execution()
tf1.logging.set_verbosity(tf1.logging.ERROR)


def prepare(folder, feeds):
    graph_def = tf1.GraphDef.FromString(folder.graph.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf1.ConfigProto(
        inter_op_parallelism_threads=-1 if THREADS == 1 else THREADS,
        intra_op_parallelism_threads=THREADS,
    )
    session = tf1.Session(graph=graph, config=config)
    for name in folder.initializers:
        session.run(graph.get_operation_by_name(name))
    options = config_pb2.CallableOptions(
        feed=folder.feeds, fetch=[folder.fetch], target=folder.targets
    )
    call = session._make_callable_from_options(options)
    return lambda: call(*feeds)[0]


serve(f"TensorFlow {tf.__version__}", prepare)
