"""`python -m tests.exposure [--thefts N] [--plot FILE.svg]`: how much a stolen ratchet state exposes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.exposure.compromise import measure
from tests.exposure.conversations import KINDS
from tests.exposure.report import plot, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.exposure", description=__doc__)
    parser.add_argument("--thefts", type=int, default=100, help="of each kind of conversation (100)")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    measured = {kind: [measure(kind, seed) for seed in range(arguments.thefts)] for kind in KINDS}
    print(table(measured))
    if arguments.plot:
        arguments.plot.write_text(plot(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
