"""Records a short training of TensorFlow's with Adam, and where it goes from a checkpoint.

    make_training.py FOLDER

It writes the graph without an optimizer, the whole MetaGraph and a checkpoint after five steps, and
the losses of the five steps before it and of the five after it.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    x = random.standard_normal((12, 4)).astype(np.float32)
    y = (x @ random.standard_normal((4, 1)) > 0).astype(np.float32)

    inputs = tf.placeholder(tf.float32, [None, 4], name="inputs")
    labels = tf.placeholder(tf.float32, [None, 1], name="labels")
    hidden_weights = tf.get_variable("hidden/weights", [4, 6])
    hidden_biases = tf.get_variable("hidden/biases", [6], initializer=tf.zeros_initializer())
    weights = tf.get_variable("output/weights", [6, 1])
    hidden = tf.tanh(tf.matmul(inputs, hidden_weights) + hidden_biases)
    logits = tf.matmul(hidden, weights)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    loss = tf.reduce_mean(cross_entropy, name="loss")
    global_step = tf.train.get_or_create_global_step()
    (folder / "forward.pb").write_bytes(tf.get_default_graph().as_graph_def().SerializeToString())

    train = tf.train.AdamOptimizer(0.05).minimize(loss, global_step=global_step)
    saver = tf.train.Saver()
    losses = []
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(10):
            if step == 5:
                saver.save(session, str(folder / "model.ckpt"))
            value, _ = session.run([loss, train], {inputs: x, labels: y})
            losses.append(float(value))
    record = {"inputs": x.ravel().tolist(), "labels": y.ravel().tolist(), "losses": losses}
    (folder / "training.json").write_text(json.dumps(record) + "\n")
    (folder / "checkpoint").unlink()


if __name__ == "__main__":
    main()
