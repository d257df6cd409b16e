"""Compares whole networks and large operations in Tidemill and its peers: models.sh starts it.

All processes of a case stay alive and take turns, block by block. Each round gives one pair of
Tidemill with every peer.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import driver
import model_cases
from driver import HERE, PAIRS, QUICK_PAIRS, PeerEnded, Process, digits, figure, note

BLOCK_NANOSECONDS = 80e6
# Of the largest magnitude of a result.
TOLERANCE = 1e-4
# Of the processor time; with more for other processes, a case is marked.
CONTENDED = 0.05
# Threads that wait for work by spinning have gone to sleep after this time.
PAUSE_SECONDS = 0.01
MILLISECOND, MEBIBYTE = 1e6, 2**20


@dataclass(eq=False)
class Peer:
    name: str
    command: list
    environment: dict = field(default_factory=dict)
    version: str = ""

    def start(self):
        return Process(self.name, self.command, self.environment)


@dataclass
class Result:
    """The figures of one peer in one case."""

    # Nanoseconds from the graph to the first result.
    first_run: float
    # What the process needed beyond itself and the values to feed.
    peak_bytes: int
    error: float
    # Nanoseconds of an iteration, by blocks.
    blocks: list = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.blocks)


class Cannot(Exception):
    """Why a peer has no part in a case."""


class Runner:
    """The process of a peer that has made one case ready."""

    def __init__(self, peer, process, folder):
        self.peer, self.process = peer, process
        process.ask(f"open {folder}")
        process.reset_peak()
        before = process.resident_bytes()
        match process.ask("prepare"):
            case ["prepared", nanoseconds]:
                first_run = float(nanoseconds)
            case ["cannot", *reason]:
                raise Cannot(" ".join(reason))
        peak = process.peak_bytes() - before
        [error] = map(float, process.ask("check"))
        if not error <= TOLERANCE:
            raise Cannot(f"its result is off by {error:.1e} of the largest magnitude")
        self.result = Result(first_run, peak, error)
        self.iterations = driver.fitting_iterations(self.run, BLOCK_NANOSECONDS)

    def run(self, iterations):
        [nanoseconds] = map(float, self.process.ask(f"run {iterations}"))
        return nanoseconds

    def run_block(self):
        time.sleep(PAUSE_SECONDS)
        self.result.blocks.append(self.run(self.iterations))


def start(peer, folder, log):
    """A peer that has made a case ready; None if it cannot, and why in the log."""
    process = peer.start()
    try:
        return Runner(peer, process, folder)
    except (Cannot, PeerEnded) as reason:
        print(f"{folder.name}: {peer.name}: {reason}", file=log, flush=True)
        process.close()
        return None


def time_case(folder, peers, rounds, log):
    """The result of each peer that can run the case, and the share of processor time of others."""
    note(f"{folder.name}: starting")
    runners = [runner for peer in peers if (runner := start(peer, folder, log))]
    note(f"{folder.name}: timing")
    time_of_cores = driver.CoreTime([os.getpid(), *(runner.process.pid for runner in runners)])
    for _ in range(rounds):
        for runner in runners:
            runner.run_block()
    foreign = time_of_cores.foreign_share()
    for runner in runners:
        runner.process.close()
    return {runner.peer: runner.result for runner in runners}, foreign


def ratios(ours, theirs):
    return [o / t for o, t in zip(ours.blocks, theirs.blocks)]


def ratio_cell(tidemill, peers, results):
    """Tidemill's time divided by that of the fastest peer."""
    measured = [peer for peer in peers if peer in results]
    if tidemill not in results or not measured:
        return "–"
    fastest = min(measured, key=lambda peer: results[peer].median)
    return f"{figure(ratios(results[tidemill], results[fastest]))} ({fastest.name})"


def cells(peers, results, cell):
    return [cell(results[peer]) if peer in results else "–" for peer in peers]


class Tables:
    """The tables of a run: that of times is printed line by line, those of the rest at the end."""

    def __init__(self, tidemills, peers, tsv):
        self.tidemills, self.peers, self.tsv = tidemills, peers, tsv
        self.everyone = [*tidemills, *peers]
        self.rows = []

    def begin(self):
        ratio_heads = [f"{tidemill.name} ÷ the fastest peer" for tidemill in self.tidemills]
        print(self.head("case, ms", *ratio_heads, "goal"))
        columns = "case peer median_ms low_ms high_ms ratio low high first_ms peak_mib error foreign"
        print(*columns.split(), sep="\t", file=self.tsv)

    def head(self, first, *last):
        return driver.table_head([first, *(peer.name for peer in self.everyone), *last])

    def add(self, name, case, results, foreign):
        title = case.title
        if foreign > CONTENDED:
            title += f" (contended: others used {foreign:.0%})"
        times = cells(self.everyone, results, lambda r: figure(r.blocks, MILLISECOND))
        to_fastest = [ratio_cell(tidemill, self.peers, results) for tidemill in self.tidemills]
        print(driver.table_line([title, *times, *to_fastest, case.goal]), flush=True)
        self.rows.append((case.title, results))
        self.write_tsv(name, results, foreign)

    def write_tsv(self, name, results, foreign):
        ours = results.get(self.tidemills[0])
        for peer, result in results.items():
            times = [time / MILLISECOND for time in quartiles(result.blocks)]
            to_peer = quartiles(ratios(ours, result)) if ours else [math.nan] * 3
            memory = result.peak_bytes / MEBIBYTE
            first_run = result.first_run / MILLISECOND
            numbers = [*times, *to_peer, first_run, memory, result.error, foreign]
            print(name, peer.name, *(f"{n:.5g}" for n in numbers), sep="\t", file=self.tsv)
        self.tsv.flush()

    def end(self):
        self.print_rest("first run, ms", lambda r: digits(r.first_run / MILLISECOND))
        self.print_rest("peak memory, MiB", lambda r: digits(r.peak_bytes / MEBIBYTE))

    def print_rest(self, title, cell):
        print(f"\n{self.head(title)}")
        for case, results in self.rows:
            print(driver.table_line([case, *cells(self.everyone, results, cell)]))


def quartiles(samples):
    """The median, and the quartiles below and above it."""
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return middle, low, high


def introduce(peers, log):
    """Those of the peers that are installed, with their versions."""
    for peer in peers:
        with peer.start() as process:
            try:
                peer.version = " ".join(process.ask("version"))
            except PeerEnded as reason:
                note(f"left out: {str(reason).splitlines()[-1]}")
                print(reason, file=log, flush=True)
                continue
        yield peer


def all_peers(threads, binaries):
    def rust(name, program):
        command = [binaries / program, str(threads)]
        return Peer(name, command, {"RAYON_NUM_THREADS": str(threads)})

    def python(name, script, *arguments):
        return Peer(name, [sys.executable, HERE / script, str(threads), *arguments])

    return {
        "tensorflow": python("TensorFlow", "graph_tensorflow.py"),
        "xla": python("TensorFlow, XLA", "graph_tensorflow.py", "xla"),
        "jax": python("JAX", "graph_jax.py"),
        "onnxruntime": python("ONNX Runtime", "graph_onnxruntime.py"),
        "litert": python("LiteRT", "graph_litert.py"),
        "torch": python("PyTorch", "graph_torch.py"),
        "inductor": python("PyTorch, compiled", "graph_torch.py", "compiled"),
        "candle": rust("candle", "peer-candle-model"),
        "tract": rust("tract", "peer-tract"),
    }


def arguments():
    parser = argparse.ArgumentParser(description="Compares networks in Tidemill and its peers.")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PAIRS} rounds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", help="a part of a name; may be repeated")
    parser.add_argument("--peers", help=f"of {','.join(all_peers(1, Path()))}; all, if not given")
    parser.add_argument("--tidemill", action="append", help="NAME=PROGRAM; may be repeated")
    parser.add_argument("--binaries", type=Path, required=True, help="the folder of the peers")
    parser.add_argument("--cache", type=Path, required=True, help="where graphs are kept")
    options = parser.parse_args()
    known = all_peers(options.threads, options.binaries)
    names = options.peers.split(",") if options.peers is not None else known
    if unknown := set(names) - set(known) - {""}:
        parser.error(f"unknown peers: {', '.join(unknown)}")
    options.peers = [known[name] for name in names if name]
    programs = options.tidemill or [f"Tidemill={options.binaries / 'peer-model'}"]
    pairs = (program.partition("=") for program in programs)
    options.tidemill = [Peer(name, [path, str(options.threads)]) for name, _, path in pairs]
    return options


def main():
    options = arguments()
    rounds = QUICK_PAIRS if options.quick else PAIRS
    # Written before this process has fewer cores.
    folders = {
        name: model_cases.ensure(name, options.cache / "graphs")
        for name in model_cases.chosen(options.only)
    }
    limits = subprocess.run([options.binaries / "peer-limits"], stdout=subprocess.PIPE, text=True)
    description = driver.machine(driver.pin(options.threads))
    with (
        open(options.cache / "models.log", "w") as log,
        open(options.cache / f"models-{options.threads}.tsv", "w") as tsv,
    ):
        tidemills = list(introduce(options.tidemill, log))
        peers = list(introduce(options.peers, log))
        versions = ", ".join(dict.fromkeys(peer.version for peer in [*tidemills, *peers]))
        print(f"{description}; {driver.commit()}; {versions}.")
        print(f"Threads: {options.threads}. Medians [quartiles] of {rounds} blocks.\n")
        print(limits.stdout)
        tables = Tables(tidemills, peers, tsv)
        tables.begin()
        for name, folder in folders.items():
            results, foreign = time_case(folder, [*tidemills, *peers], rounds, log)
            tables.add(name, model_cases.CASES[name], results, foreign)
        tables.end()


if __name__ == "__main__":
    main()
