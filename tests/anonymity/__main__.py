"""`python -m tests.anonymity [--people N] [--nodes N] [--days N] [--plot FILE.png]`: what observers of an onion network
learn about who writes to whom, simulated (docs/anonymity.md).
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from tests.anonymity.plot import plot
from tests.anonymity.report import Hidden, Simulation, Size, disclosed_table, hidden_table, remaining_table
from tests.anonymity.timings import TIMINGS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.anonymity", description=__doc__)
    parser.add_argument("--people", type=int, default=Size.people, help="(%(default)s)")
    parser.add_argument("--nodes", type=int, default=Size.nodes, help="(%(default)s)")
    parser.add_argument("--targets", type=int, default=Size.targets, help="messages followed (%(default)s)")
    parser.add_argument("--days", type=int, default=Size.days, help="that the patient attacks last (%(default)s)")
    parser.add_argument("--seed", type=int, default=Size.seed, help="(%(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = vars(parser.parse_args())
    file = arguments.pop("plot")
    gc.disable()  # millions of small tuples and nothing that holds itself
    size = Size(**arguments)
    simulation = Simulation(size)
    print(disclosed_table({timing: simulation.disclosed(timing) for timing in TIMINGS}, size), end="\n\n")
    print(remaining_table(simulation.people), end="\n\n", flush=True)
    rows: list[Hidden] = []
    for timing in TIMINGS:
        rows += simulation.hidden(timing)
        print(f"{timing.name} was followed", file=sys.stderr, flush=True)
    print(hidden_table(rows, size.people))
    if file:
        plot(rows, size.people, size.nodes, file)


if __name__ == "__main__":
    main()
