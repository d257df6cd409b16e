"""What the drivers share: the processes of peers, their cores, the figures of a table."""

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent

PAIRS, QUICK_PAIRS = 15, 3


class PeerEnded(RuntimeError):
    """A process that ended where a reply was due."""


class Process:
    """A process of a peer, which answers a line with a line."""

    def __init__(self, name, command, environment={}):
        self.name = name
        # TensorFlow greets on it whatever it is told; only a failure makes it worth reading.
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            bufsize=1,
            env=os.environ | environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def send(self, request):
        try:
            self.process.stdin.write(f"{request}\n")
        except BrokenPipeError:
            self.fail()

    def receive(self):
        reply = self.process.stdout.readline().split()
        if not reply:
            self.fail()
        return reply

    def fail(self):
        self.process.wait()
        self.errors.seek(0)
        raise PeerEnded(f"{self.name} ended without a reply\n{self.errors.read()}")

    def ask(self, request):
        self.send(request)
        return self.receive()

    @property
    def pid(self):
        return self.process.pid

    def status_bytes(self, entry):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return 1024 * int(re.search(rf"{entry}:\s+(\d+) kB", status)[1])

    def resident_bytes(self):
        return self.status_bytes("VmRSS")

    def peak_bytes(self):
        """The most that was resident since the start or the last reset."""
        return self.status_bytes("VmHWM")

    def reset_peak(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


class CoreTime:
    """How much of the time of this process's cores others used since it was made; Linux tells it."""

    def __init__(self, pids):
        self.pids, self.cores = pids, os.sched_getaffinity(0)
        self.start = self.elapsed(), self.busy(), self.own()

    @staticmethod
    def elapsed():
        return time.monotonic() * os.sysconf("SC_CLK_TCK")

    def busy(self):
        lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
        names = {f"cpu{core}" for core in self.cores}
        # All but the fourth and the fifth, which are idle, up to the time that a hypervisor took.
        return sum(sum(map(int, words[1:4] + words[6:9])) for words in lines if words[0] in names)

    def own(self):
        # The name, which may have spaces, ends with the last parenthesis.
        stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] for pid in self.pids)
        return sum(sum(map(int, stat.split()[11:15])) for stat in stats)

    def foreign_share(self):
        elapsed, busy, own = (
            now - before for now, before in zip((self.elapsed(), self.busy(), self.own()), self.start)
        )
        return max(0.0, (busy - own) / (elapsed * len(self.cores)))


def fitting_iterations(run, block_nanoseconds):
    """How many iterations a block is to have; `run` gives the nanoseconds of one of many."""
    iterations = 1
    while True:
        elapsed = run(iterations) * iterations
        if elapsed >= block_nanoseconds / 2:
            return max(1, round(iterations * block_nanoseconds / elapsed))
        iterations *= 2


def pin(threads):
    """This process and those it starts share as many cores as threads; which ones is returned."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to cores"
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    names = ", ".join(map(str, cores))
    return f"all processes on core{'s' if len(cores) > 1 else ''} {names}"


def machine(pinned):
    try:
        info = Path("/proc/cpuinfo").read_text()
        processor = re.search(r"model name\s*: (.*)", info)[1]
    except (OSError, TypeError):
        processor = platform.processor()
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {load}"
        f" at the start; {pinned}; Python {platform.python_version()}; {rustc}"
    )


def commit():
    command = ["git", "-C", HERE, "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def digits(number):
    """Three significant digits, and all of those before the point."""
    return f"{number:,.0f}" if number >= 999.5 else f"{number:.3g}"


def figure(samples, scale=1):
    """The median and the quartiles."""
    quartiles = statistics.quantiles(samples, n=4, method="inclusive")
    low, middle, high = (digits(value / scale) for value in quartiles)
    return f"{middle} [{low}, {high}]"


def table_line(cells):
    return f"| {' | '.join(cells)} |"


def table_head(heads):
    return f"{table_line(heads)}\n|{' --- |' * len(heads)}"


def note(text):
    print(f"  {text}", file=sys.stderr, flush=True)
