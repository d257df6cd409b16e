"""Lets TensorFlow read what Tidemill wrote, and compares what it computes.

    check.py CORPUS WRITTEN

WRITTEN is what the example `rewrite_corpus` makes of the corpus: each graph, checkpoint and
SavedModel that Tidemill reads, written again. TensorFlow must accept it all. A graph must give the
bits that the graph of the corpus gives in the same TensorFlow.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import ml_dtypes
import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import rewriter_config_pb2

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.FATAL)

DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U64": np.uint64,
    "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}


def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        flat = np.frombuffer(body[begin:end], DTYPES[info["dtype"]])
        tensors[name] = flat.reshape(info["shape"])
    return tensors


def session(graph):
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    rewrite = config.graph_options.rewrite_options
    rewrite.disable_meta_optimizer = True
    rewrite.constant_folding = rewriter_config_pb2.RewriterConfig.OFF
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return tf.Session(graph=graph, config=config)


def imported(path):
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def run_all(graph, case, tensors):
    """What the runs of a case give: an array for each fetch, or the type of an error."""
    runs = case.get("runs") or [dict(case, prefix="")]
    results = []
    with session(graph) as open_session:
        for number, run in enumerate(runs):
            prefix = run.get("prefix", f"run{number}/")
            feeds = {name: tensors[f"{prefix}feed:{name}"] for name in run.get("feeds", [])}
            targets = [graph.get_operation_by_name(name) for name in run.get("targets", [])]
            fetches = list(run.get("fetches", []))
            if not fetches and not targets:
                continue
            try:
                results.append(open_session.run([fetches, targets], feeds)[0])
            except tf.errors.OpError as error:
                results.append(type(error).__name__)
    return results


def same(left, right):
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and left == right
    return len(left) == len(right) and all(
        np.asarray(l).dtype == np.asarray(r).dtype
        and np.asarray(l).shape == np.asarray(r).shape
        and np.asarray(l).tobytes() == np.asarray(r).tobytes()
        if np.asarray(l).dtype != object
        else np.array_equal(l, r)
        for l, r in zip(left, right)
    )


def check_graph(corpus, written, case):
    graph_def = tf.GraphDef.FromString((written / f"{case['name']}.pb").read_bytes())
    text = (written / f"{case['name']}.pbtxt").read_text()
    of_text = text_format.Parse(text, tf.GraphDef()).SerializeToString(deterministic=True)
    if of_text != graph_def.SerializeToString(deterministic=True):
        raise AssertionError("its text is of another graph")
    tensors = read_safetensors(corpus / case["tensors"]) if case.get("tensors") else {}
    ours = run_all(imported(written / f"{case['name']}.pb"), case, tensors)
    theirs = run_all(imported(corpus / case["graph"]), case, tensors)
    if len(ours) != len(theirs) or not all(map(same, ours, theirs)):
        raise AssertionError(f"it gives {ours}, not {theirs}"[:500])


def check_training(corpus, written, case):
    """Trains the graph that Tidemill gave an optimizer, and compares with TensorFlow's optimizer."""
    runs = json.loads((written / f"{case['name']}.train.json").read_text())
    tensors = read_safetensors(corpus / case["tensors"])
    graph = imported(written / f"{case['name']}.train.pb")
    tolerance = {"rtol": case["rtol"], "atol": case["atol"]}
    with session(graph) as open_session:
        for name in runs["initializers"]:
            open_session.run(graph.get_operation_by_name(name))
        train = graph.get_operation_by_name(runs["train"])
        losses = []
        for step in range(case["steps"]):
            feeds = {name: tensors[f"feed:{name}"] for name in case["feeds"]}
            if case["feeds_per_step"]:
                feeds = {name: values[step] for name, values in feeds.items()}
            losses.append(open_session.run([case["loss"], train], feeds)[0])
        np.testing.assert_allclose(losses, tensors["loss"], **tolerance)
        for name in case["variables"]:
            resource = graph.get_operation_by_name(name).type == "VarHandleOp"
            read = f"{name}/Read/ReadVariableOp:0" if resource else f"{name}:0"
            value = open_session.run(read)
            np.testing.assert_allclose(value, tensors[f"final:{name}"], **tolerance)


def check_checkpoint(corpus, written, case):
    ours = tf.train.load_checkpoint(str(written / case["name"]))
    theirs = tf.train.load_checkpoint(str(corpus / case["prefix"]))
    names = sorted(theirs.get_variable_to_shape_map())
    if sorted(ours.get_variable_to_shape_map()) != names:
        raise AssertionError("it has other tensors")
    for name in names:
        if not same([ours.get_tensor(name)], [theirs.get_tensor(name)]):
            raise AssertionError(f"`{name}` is another")


def check_saved_model(corpus, written, case):
    tensors = read_safetensors(corpus / case["tensors"])
    graph = tf.Graph()
    with session(graph) as open_session:
        folder = str(written / case["name"])
        meta_graph = tf.saved_model.loader.load(open_session, case["tags"], folder)
        signature = meta_graph.signature_def[case["signature"]]
        feeds = {info.name: tensors[f"feed:{key}"] for key, info in signature.inputs.items()}
        for key, info in signature.outputs.items():
            value = open_session.run(info.name, feeds)
            np.testing.assert_allclose(
                value, tensors[f"fetch:{key}"], rtol=case["rtol"], atol=case["atol"]
            )


def main():
    corpus, written = map(Path, sys.argv[1:])
    counts, failures = {}, []
    for case in json.loads((corpus / "manifest.json").read_text())["cases"]:
        if case.get("saved_model"):
            kind, check, path = "SavedModels", check_saved_model, written / case["name"]
        elif case.get("optimizer"):
            kind, check, path = "trainings", check_training, written / f"{case['name']}.train.pb"
        elif case.get("graph"):
            kind, check, path = "graphs", check_graph, written / f"{case['name']}.pb"
        elif case.get("prefix") and case["category"] == "checkpoints":
            kind, check, path = "checkpoints", check_checkpoint, written / f"{case['name']}.index"
        else:
            continue
        total, read, passed = counts.get(kind, (0, 0, 0))
        total += 1
        if path.exists():
            read += 1
            try:
                check(corpus, written, case)
                passed += 1
            except Exception as error:  # whatever TensorFlow says
                failures.append(f"{case['name']}: {type(error).__name__}: {str(error)[:300]}")
        counts[kind] = (total, read, passed)
    print(f"TensorFlow {tf.__version__}")
    print("| | in the corpus | read and written by Tidemill | right in TensorFlow |")
    print("| --- | --- | --- | --- |")
    for kind, (total, read, passed) in counts.items():
        print(f"| {kind} | {total} | {read} | {passed} |")
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
