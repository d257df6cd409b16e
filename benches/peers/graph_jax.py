"""JAX's compiled functions, asked by models.py: python graph_jax.py THREADS

The networks are those of model_cases.py, and start with the same parameters.
"""

import os
import sys

os.environ.update(JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1")
if sys.argv[1] == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import image_networks
from graph_peer import CannotRun, serve
from jax_image_layers import Layers

jax.config.update("jax_cpu_enable_async_dispatch", False)

RATE, EPSILON = np.float32(1e-3), np.float32(1e-8)
DECAYS = np.float32(0.9), np.float32(0.999)


def dense(x, parameters):
    """The last axis of `x` times the next weights, plus the next bias."""
    return x @ next(parameters) + next(parameters)


def perceptron(x, parameters):
    """As many layers as there are parameters."""
    weights_and_biases = list(parameters)
    for i in range(0, len(weights_and_biases), 2):
        x = dense(jax.nn.relu(x) if i else x, iter(weights_and_biases[i : i + 2]))
    return x


def lenet(x, parameters):
    window = (1, 2, 2, 1)
    for _ in range(2):
        filters, bias = next(parameters), next(parameters)
        layout = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, filters, (1, 1), "SAME", dimension_numbers=layout)
        x = jax.nn.relu(x + bias)
        x = lax.reduce_window(x, np.float32(-np.inf), lax.max, window, window, "SAME")
    return perceptron(x.reshape(x.shape[0], -1), parameters)


def lstm(run_steps):
    def network(x, parameters):
        weights, bias = parameters

        def step(state, x):
            h, c = state
            i, j, f, o = jnp.split(jnp.concatenate([x, h], 1) @ weights + bias, 4, 1)
            c = c * jax.nn.sigmoid(f + 1) + jax.nn.sigmoid(i) * jnp.tanh(j)
            return (jnp.tanh(c) * jax.nn.sigmoid(o), c), None

        zeros = jnp.zeros((x.shape[1], weights.shape[1] // 4), jnp.float32)
        return run_steps(step, (zeros, zeros), x)[0]

    return network


def unrolled(step, state, x):
    for x_t in x:
        state, _ = step(state, x_t)
    return state


def scanned(step, state, x):
    return lax.scan(step, state, x)[0]


def layer_norm(x, parameters):
    scale, offset = next(parameters), next(parameters)
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + np.float32(1e-5)) * scale + offset


def transformer(x, parameters, heads=8):
    batch, length, width = x.shape

    def by_heads(x):
        return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

    x = x.reshape(batch * length, width)
    query, key, value = (by_heads(dense(x, parameters)) for _ in range(3))
    scores = query @ key.swapaxes(-1, -2) / np.float32(np.sqrt(width // heads))
    attention = (jax.nn.softmax(scores) @ value).transpose(0, 2, 1, 3)
    x = layer_norm(x + dense(attention.reshape(batch * length, width), parameters), parameters)
    hidden = jax.nn.relu(dense(x, parameters))
    x = layer_norm(x + dense(hidden, parameters), parameters)
    return x.reshape(batch, length, width)


def cross_entropy(logits, labels):
    likelihoods = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(likelihoods, labels[:, None], 1))


def squared_error(output, target):
    return jnp.mean(jnp.square(output - target))


# The output of each network, and the loss that compares it with the second of the fed values.
NETWORKS = {
    "mlp": (perceptron, cross_entropy),
    "lenet": (lenet, cross_entropy),
    "lstm_unrolled": (lstm(unrolled), squared_error),
    "lstm_loop_v1": (lstm(scanned), squared_error),
    "lstm_loop_v2": (lstm(scanned), squared_error),
    "transformer": (transformer, squared_error),
}


def chain_of_12(x):
    y = jnp.exp(jax.nn.sigmoid(jnp.tanh(x * np.float32(1.1) + np.float32(0.5))))
    y = jnp.maximum(jnp.sqrt(jnp.abs(jnp.square(y - x))), np.float32(0.1))
    return jnp.minimum(y * x, np.float32(2))


# Operations by the beginnings of the names of their cases.
OPERATIONS = {
    "chain_": chain_of_12,
    "product_": jnp.matmul,
    "add": jnp.add,
    "sum_all": jnp.sum,
    "sum_0": lambda x: jnp.sum(x, 0),
    "sum_1": lambda x: jnp.sum(x, 1),
    "softmax": jax.nn.softmax,
    "transpose": jnp.transpose,
    "gather": lambda table, indices: table.at[indices].get(mode="promise_in_bounds"),
}


def sgd_step(loss_of):
    def start(parameters):
        return parameters

    def step(parameters, *feeds):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *feeds)
        return jax.tree.map(lambda p, g: p - RATE * g, parameters, gradients), loss

    return start, step


def decayed(decay):
    return lambda old, new: decay * old + (1 - decay) * new


def adam_step(loss_of):
    def start(parameters):
        zeros = lambda: jax.tree.map(jnp.zeros_like, parameters)
        return parameters, zeros(), zeros(), jnp.float32(0)

    def step(state, *feeds):
        parameters, means, squares, steps = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *feeds)
        steps = steps + 1
        means = jax.tree.map(decayed(DECAYS[0]), means, gradients)
        squares = jax.tree.map(decayed(DECAYS[1]), squares, jax.tree.map(jnp.square, gradients))
        rate = RATE * jnp.sqrt(1 - DECAYS[1] ** steps) / (1 - DECAYS[0] ** steps)
        update = lambda p, m, s: p - rate * m / (jnp.sqrt(s) + EPSILON)
        return (jax.tree.map(update, parameters, means, squares), means, squares, steps), loss

    return start, step


STEPS = {"sgd": sgd_step, "adam": adam_step}


def training(start, step, parameters, feeds):
    """A function that trains for one step, and gives the loss before it."""
    compiled = jax.jit(step, donate_argnums=0)
    state = start(parameters)

    def run():
        nonlocal state
        state, loss = jax.block_until_ready(compiled(state, *feeds))
        return loss

    return run


def inference(output, parameters, x):
    """Parameters are constants of a network that is only run, as in a frozen graph."""
    compiled = jax.jit(lambda x: output(x, iter(parameters)))
    return lambda: compiled(x).block_until_ready()


def prepare(folder, feeds):
    feeds = [jnp.asarray(value) for value in feeds]
    network, _, way = folder.name.rpartition("_")
    if network in NETWORKS:
        output, loss = NETWORKS[network]
        parameters = [jnp.asarray(value) for value in folder.arrays("parameter")]
        if way in STEPS:
            loss_of = lambda parameters, x, y: loss(output(x, iter(parameters)), y)
            return training(*STEPS[way](loss_of), parameters, feeds)
        compiled = jax.jit(lambda parameters, x: output(x, iter(parameters)))
        return lambda: compiled(parameters, *feeds).block_until_ready()
    if network := image_networks.of_case(folder.name):
        parameters = map(jnp.asarray, folder.arrays("parameter"))
        return inference(lambda x, p: network(Layers(p), x), list(parameters), *feeds)
    for beginning, operation in OPERATIONS.items():
        if folder.name.startswith(beginning):
            compiled = jax.jit(operation)
            return lambda: compiled(*feeds).block_until_ready()
    raise CannotRun("not written for JAX")


serve(f"JAX {jax.__version__}", prepare)
