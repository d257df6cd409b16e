"""What the process of a Python peer answers: the protocol of rust/protocol/src/lib.rs."""

import contextlib
import gc
import itertools
import sys
import time


@contextlib.contextmanager
def no_garbage_collection():
    """As the module timeit has it: a peer is not to wait for Python's collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def timed(iterations, once, read=float):
    """The value of the last of `iterations` calls of `once`, and the nanoseconds of a call."""
    repeat = itertools.repeat(None, iterations)
    with no_garbage_collection():
        start = time.perf_counter_ns()
        for _ in repeat:
            value = once()
        elapsed = time.perf_counter_ns() - start
    return read(value), [elapsed / iterations]


def timed_parts(iterations, once):
    """The mean of each part over `iterations` calls of `once`, which times its parts itself."""
    with no_garbage_collection():
        results = [once() for _ in range(iterations)]
    parts = zip(*(parts for _, parts in results))
    return results[-1][0], [sum(part) / iterations for part in parts]


def points():
    """The points of the tutorial's line, without end."""
    for i in itertools.count():
        x = (i % 10) / 10
        yield x, 0.3519 * x + 0.3242


def serve(version, cases, tutorial):
    """Answers the driver until it hangs up.

    A case is a function that makes it ready and returns the function of a number of iterations;
    the tutorial is a function of a number of steps and of what to call with the first loss.
    """
    name, run = None, None
    for line in sys.stdin:
        match line.split():
            case ["version"]:
                say(version())
            case ["cases"]:
                say(*cases)
            case ["run", case_name, iterations]:
                if case_name != name:
                    name, run = case_name, cases[case_name]()
                value, nanoseconds = run(int(iterations))
                say(value, *nanoseconds)
            case ["tutorial", steps]:
                say(*tutorial(int(steps), say))
            case _:
                sys.exit(f"cannot read the request `{line.strip()}`")


def say(*words):
    print(*words, flush=True)
