"""Run simulated worlds: `python -m tests.world --seeds 20000 --from 1 --jobs 2`. Exit status 1 when one fails.

Each failing run is printed with the last steps of its log; then the first failing seed is replayed, shrunk and printed,
too. `--seed N` does that for one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from functools import partial

from .plan import Plan, draw, draw_files, draw_group, draw_group_files
from .shrink import failure, replay, report


def run(seed: int, *, plan_of: Callable[[int], Plan], lines: int) -> tuple[int, str]:
    """The seed, and a report of what is wrong with its world: nothing, one hopes."""
    plan = plan_of(seed)
    found = failure(plan)
    return seed, report(plan, found, lines) if found else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="replay this one and explain it")
    parser.add_argument("--groups", action="store_const", const=draw_group, help="worlds with a group")
    parser.add_argument("--files", action="store_const", const=draw_files, help="worlds with many files")
    parser.add_argument("--lines", type=int, default=60, help="of the log")
    parser.add_argument("--no-shrink", action="store_true")
    chosen = parser.parse_args()
    plan_of = (draw_group_files if chosen.groups else draw_files) if chosen.files else chosen.groups or draw
    if chosen.seed is not None:
        print(replay(plan_of(chosen.seed), shrink=not chosen.no_shrink, lines=chosen.lines))
        return 0
    started, failed, seeds = time.monotonic(), [], range(chosen.first, chosen.first + chosen.seeds)
    with multiprocessing.Pool(chosen.jobs) as pool:
        for seed, what in pool.imap_unordered(partial(run, plan_of=plan_of, lines=chosen.lines), seeds, chunksize=4):
            if what:
                failed.append(seed)
                print(what, end="\n\n", flush=True)
    print(f"{chosen.seeds} worlds in {time.monotonic() - started:.1f} s; failed: {sorted(failed) or 'none'}")
    if failed:
        print(replay(plan_of(min(failed)), shrink=not chosen.no_shrink, lines=chosen.lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
