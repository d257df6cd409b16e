"""Compares what a run costs in Tidemill and its peers, pair by pair: session.sh starts it."""

import argparse
import importlib.metadata
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import driver
from driver import HERE, PAIRS, QUICK_PAIRS, digits, figure, note, table_head, table_line

BLOCK_NANOSECONDS = 50e6
# A tutorial of so many steps takes each peer less than a second.
STEPS, PYTHON_STEPS = 100_000, 1_000
TOLERANCE = 1e-4


@dataclass
class Row:
    title: str
    goal: str
    unit: str = "µs"


# The parts of a case that has several are followed by the sum of them.
CASES = {
    "fed_add": [Row("fed scalar add", "≥ 15")],
    "fed_add_run": [Row("fed scalar add, by the ordinary `run`", "≥ 8")],
    "chain_100": [Row("chain of 100 scalar multiply-adds", "≥ 3")],
    "three_of_10k": [Row("3 nodes of a graph of 10,000", "≥ 15")],
    "three_of_1m": [Row("3 nodes of a graph of 1,000,000", "as for 10,000")],
    "step_1": [Row("training step on 1 sample", "≤ 1.58 µs")],
    "step_1024": [Row("training step on 1,024 samples", "≥ 8 × JAX, ≥ 2 × candle")],
    "chain_10k": [
        Row("build of a chain of 10,000 nodes", "", "ms"),
        Row("first run of it", "", "ms"),
        Row("both together", "≥ 100", "ms"),
    ],
}
PROCESS = [
    Row("process start to the first loss", "≤ 5 ms", "ms"),
    Row("peak memory of `linear_regression`", "≤ 10 MB", "MiB"),
]
SIZE = Row("size: program, stripped; or package with what it needs", "≤ 8 MB", "MiB")
SCALES = {"µs": 1e3, "ms": 1e6, "MiB": 2**20}


@dataclass(eq=False)
class Peer:
    name: str
    command: list
    steps: int
    # Whether the ratio may be taken to it.
    is_reference: bool = False
    distribution: str = ""
    version: str = ""
    cases: list = field(default_factory=list)


class Process(driver.Process):
    def __init__(self, peer):
        super().__init__(peer.name, peer.command)

    def run(self, case, iterations):
        """The last value, and the nanoseconds of an iteration by parts."""
        value, *parts = map(float, self.ask(f"run {case} {iterations}"))
        return value, parts


def fitting_iterations(process, case):
    """How many iterations a block is to have."""
    return driver.fitting_iterations(lambda n: sum(process.run(case, n)[1]), BLOCK_NANOSECONDS)


def agree(a, b):
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1e-30)


class Timings:
    """The pairs of blocks of one case, by peer: lists of (the peer's parts, Tidemill's parts)."""

    def __init__(self):
        self.pairs = {}
        self.alone = []

    def add(self, peer, theirs, ours):
        def with_sum(parts):
            return parts if len(parts) < 2 else [*parts, sum(parts)]

        self.pairs.setdefault(peer.name, []).append((with_sum(theirs), with_sum(ours)))

    def of(self, peer, part):
        return [theirs[part] for theirs, _ in self.pairs.get(peer.name, [])]

    def ours(self, part):
        paired = [ours for pairs in self.pairs.values() for _, ours in pairs]
        return [ours[part] for ours in paired + self.alone]

    def ratio(self, peer, part):
        return statistics.median(t[part] / o[part] for t, o in self.pairs[peer.name])


def time_case(case, tidemill, peers, pairs):
    timings = Timings()
    peers = [peer for peer in peers if case in peer.cases]
    with Process(tidemill) as ours:
        # The third value of a training shows that the two steps before it did the same.
        expected, _ = ours.run(case, 3)
        our_iterations = fitting_iterations(ours, case)
        for peer in peers:
            note(f"{case}: {peer.name}")
            with Process(peer) as theirs:
                value, _ = theirs.run(case, 3)
                if not agree(value, expected):
                    sys.exit(f"{case}: {peer.name} computes {value}, Tidemill {expected}")
                iterations = fitting_iterations(theirs, case)
                for _ in range(pairs):
                    _, parts = theirs.run(case, iterations)
                    timings.add(peer, parts, ours.run(case, our_iterations)[1])
        if not peers:
            timings.alone = [ours.run(case, our_iterations)[1] for _ in range(pairs)]
    return timings


def tutorial(peer):
    """The nanoseconds to the first loss, and the peak bytes of the whole tutorial."""
    start = time.perf_counter_ns()
    with Process(peer) as process:
        process.send(f"tutorial {peer.steps}")
        process.receive()
        first = time.perf_counter_ns() - start
        process.receive()
        return [first, process.peak_bytes()]


def time_processes(tidemill, peers, pairs):
    timings = Timings()
    for peer in peers:
        note(f"process: {peer.name}")
        # The files of both are in memory then.
        tutorial(peer), tutorial(tidemill)
        for _ in range(pairs):
            theirs, ours = tutorial(peer), tutorial(tidemill)
            timings.pairs.setdefault(peer.name, []).append((theirs, ours))
    return timings


def installed_bytes(distribution, seen):
    """The files of a distribution and of those that it requires."""
    if distribution in seen:
        return 0
    seen.add(distribution)
    try:
        found = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return 0
    paths = (Path(file.locate()) for file in found.files or [])
    size = sum(path.stat().st_size for path in paths if path.is_file())
    for requirement in found.requires or []:
        if "extra ==" not in requirement:
            size += installed_bytes(re.match(r"[\w.-]+", requirement)[0].lower(), seen)
    return size


def size_row(peers, example):
    """A table row: nothing here varies, so there are no quartiles."""
    ours = example.stat().st_size
    sizes = {
        peer: installed_bytes(peer.distribution, set())
        if peer.distribution
        else Path(peer.command[0]).stat().st_size
        for peer in peers
    }
    smallest = min((peer for peer in peers if peer.is_reference), key=sizes.get)
    cells = [digits(size / SCALES[SIZE.unit]) for size in (ours, *sizes.values())]
    ratio = f"{digits(sizes[smallest] / ours)} × ({smallest.name})"
    return table_line([f"{SIZE.title}, {SIZE.unit}", *cells, ratio, SIZE.goal])


def table_row(row, part, timings, peers):
    scale = SCALES[row.unit]
    cells = [figure(timings.ours(part), scale)]
    for peer in peers:
        samples = timings.of(peer, part)
        cells.append(figure(samples, scale) if samples else "–")
    measured = [peer for peer in peers if peer.is_reference and timings.of(peer, part)]
    fastest = min(measured, key=lambda p: statistics.median(timings.of(p, part)), default=None)
    ratio = f"{digits(timings.ratio(fastest, part))} × ({fastest.name})" if fastest else "–"
    return table_line([f"{row.title}, {row.unit}", *cells, ratio, row.goal])


def introduce(peer):
    with Process(peer) as process:
        peer.version = " ".join(process.ask("version"))
        peer.cases = process.ask("cases")


def all_peers(binaries):
    def python(name, script, *arguments, distribution):
        command = [sys.executable, HERE / script, *arguments]
        return Peer(name, command, PYTHON_STEPS, True, distribution)

    def tensorflow(name, way):
        return python(name, "peer_tensorflow.py", way, distribution="tensorflow-cpu")

    return [
        tensorflow("TensorFlow, callable", "callable"),
        tensorflow("TensorFlow, callable, executor for one thread", "single"),
        tensorflow("TensorFlow, `Session.run`", "run"),
        python("JAX", "peer_jax.py", distribution="jax"),
        Peer("candle", [binaries / "peer-candle"], STEPS),
        Peer("rust-autograd", [binaries / "peer-autograd"], STEPS),
    ]


def arguments():
    parser = argparse.ArgumentParser(description="Compares Tidemill with its peers.")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PAIRS} pairs")
    names = [*CASES, "process"]
    parser.add_argument("--only", action="append", choices=names, help="a case; may be repeated")
    parser.add_argument("--binaries", type=Path, required=True, help="the folder of the peers")
    parser.add_argument("--example", type=Path, required=True, help="the tutorial, stripped")
    return parser.parse_args()


def main():
    options = arguments()
    pairs = QUICK_PAIRS if options.quick else PAIRS
    chosen = options.only or [*CASES, "process"]
    description = driver.machine(driver.pin(1))

    tidemill = Peer("Tidemill", [options.binaries / "peer-tidemill"], STEPS)
    peers = all_peers(options.binaries)
    for peer in [tidemill, *peers]:
        introduce(peer)
    tidemill.version += f" {driver.commit()}"

    versions = list(dict.fromkeys(peer.version for peer in [tidemill, *peers]))
    print(f"{description}; {', '.join(versions)}. Medians [quartiles] of {pairs} pairs.\n")
    heads = ["case", tidemill.name, *(peer.name for peer in peers), "fastest of TensorFlow and JAX ÷ Tidemill", "goal"]
    print(table_head(heads))

    for case in (case for case in CASES if case in chosen):
        timings = time_case(case, tidemill, peers, pairs)
        for part, row in enumerate(CASES[case]):
            print(table_row(row, part, timings, peers), flush=True)
    if "process" in chosen:
        timings = time_processes(tidemill, peers, pairs)
        for part, row in enumerate(PROCESS):
            print(table_row(row, part, timings, peers), flush=True)
        print(size_row(peers, options.example))


if __name__ == "__main__":
    main()
