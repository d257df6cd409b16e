"""What the process of a Python peer of models.py answers.

| request | reply |
| --- | --- |
| `version` | the name and version of the peer |
| `open FOLDER` | `opened`, when the values to feed are in memory |
| `prepare` | `prepared` and the nanoseconds from the graph to the first result; or `cannot` and why |
| `check` | the largest error of the results, divided by the largest magnitude |
| `run N` | the nanoseconds of an iteration |

`prepare` runs the case a second time, since a peer may need more memory then; memory is measured
from outside, before `check`. A training is checked by the losses of these two steps.
The peer is started with its number of threads.
"""

import sys
import time

import numpy as np

from case_folder import CaseFolder
from peer import say, timed


class CannotRun(Exception):
    """Why a peer has no part in a case."""


def relative_error(actual, expected):
    actual = np.asarray(actual, np.float64)
    if actual.shape != expected.shape:
        return float("inf")
    # Not `max`, which would let NaN pass.
    return float(np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1e-30))


class Prepared:
    """A case that has run twice, since a peer may need more memory when it runs again."""

    def __init__(self, folder, feeds, prepare):
        self.folder = folder
        # What a training fetches depends on how many steps went before, so it is kept.
        keep = float if folder.targets else lambda result: None
        start = time.perf_counter_ns()
        self.run = prepare(folder, feeds)
        first = keep(self.run())
        self.first_nanoseconds = time.perf_counter_ns() - start
        self.losses = [first, keep(self.run())]

    def error(self):
        """The largest, of two losses or of the elements of one more result."""
        results = self.losses if self.folder.targets else [self.run()]
        pairs = zip(results, self.folder.arrays("expected"), strict=True)
        return max(relative_error(*pair) for pair in pairs)


def serve(version, prepare):
    """Answers the driver until it hangs up.

    `prepare` takes a case folder and the values to feed, and returns a function that runs the case
    once and gives the fetched value.
    """
    folder = feeds = prepared = None
    for line in sys.stdin:
        match line.split():
            case ["version"]:
                say(version)
            case ["open", path]:
                prepared, folder = None, CaseFolder.read(path)
                feeds = folder.arrays("feed")
                say("opened")
            case ["prepare"]:
                try:
                    prepared = Prepared(folder, feeds, prepare)
                except CannotRun as reason:
                    say("cannot", reason)
                else:
                    say("prepared", prepared.first_nanoseconds)
            case ["run", iterations]:
                _, nanoseconds = timed(int(iterations), prepared.run, read=lambda result: None)
                say(*nanoseconds)
            case ["check"]:
                say(prepared.error())
            case _:
                sys.exit(f"cannot read the request `{line.strip()}`")
