"""JAX's compiled functions, timed by the driver, on the CPU in the caller's thread."""

import os
import time

os.environ.update(
    JAX_PLATFORMS="cpu",
    XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
)

import jax
import jax.numpy as jnp
import numpy as np

from peer import points, serve, timed, timed_parts

jax.config.update("jax_cpu_enable_async_dispatch", False)


def fed(compute):
    def ready():
        compiled = jax.jit(compute)
        return lambda n: timed(n, lambda: compiled(2.0).block_until_ready())

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


def loss(parameters, x, y):
    m, b = parameters
    squares = jnp.square(y - (m * x + b))
    return jnp.mean(squares) if squares.shape else squares


class Line:
    """m, b and their gradient descent."""

    def __init__(self):
        self.parameters = jnp.float32(0), jnp.float32(0)

        def step(parameters, x, y):
            value, gradients = jax.value_and_grad(loss)(parameters, x, y)
            return jax.tree.map(lambda p, g: p - 1e-3 * g, parameters, gradients), value

        self.compiled = jax.jit(step, donate_argnums=0)

    def train(self, x, y):
        self.parameters, value = self.compiled(self.parameters, x, y)
        return value.block_until_ready()


def step(value):
    def ready():
        line = Line()
        return lambda n: timed(n, lambda: line.train(value, value))

    return ready


def build_and_run_chain_10k():
    def chain(x):
        y = x
        for _ in range(10_000):
            y = y + x
        return y

    start = time.perf_counter_ns()
    lowered = jax.jit(chain).lower(1.0)
    built = time.perf_counter_ns()
    value = lowered.compile()(1.0).block_until_ready()
    ran = time.perf_counter_ns()
    return float(value), [built - start, ran - built]


def tutorial(steps, first):
    line = Line()
    for i, (x, y) in zip(range(steps), points()):
        value = line.train(x, y)
        if i == 0:
            first(value)
    return line.parameters


CASES = {
    "fed_add": fed(lambda x: x + 1.0),
    "chain_100": fed(chain_100),
    "three_of_10k": fed(three_nodes_of_10k),
    "step_1": step(0.5),
    "step_1024": step(np.full([1024], 0.5, np.float32)),
    "chain_10k": lambda: lambda n: timed_parts(n, build_and_run_chain_10k),
}

serve(lambda: f"JAX {jax.__version__}", CASES, tutorial)
