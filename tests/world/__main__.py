"""Run simulated worlds: `python -m tests.world --seeds 20000 --from 1 --jobs 2`. Exit status 1 when one fails.

A failing seed is replayed, shrunk and printed with the last steps of its log.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from .plan import draw
from .shrink import describe, failure, shrunk


def run(seed: int) -> tuple[int, str]:
    found = failure(draw(seed))
    return seed, found[0] if found else ""


def explain(seed: int, *, lines: int = 60, shrink: bool = True) -> str:
    """Everything about a failing seed that one needs to find out why."""
    plan = draw(seed)
    if shrink:
        plan = shrunk(plan, lambda smaller: any(failure(smaller) for _ in range(2)))
    found = failure(plan) or failure(plan) or failure(plan)
    if found is None:
        return f"{describe(plan)}\ndoes not fail every time: its outcome hangs on ML-KEM's own randomness"
    what, world = found
    return "\n".join([describe(plan), *list(world.lines)[-lines:], "", what])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="explain this one")
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--no-shrink", action="store_true")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(explain(arguments.seed, lines=arguments.lines, shrink=not arguments.no_shrink))
        return 0
    started, failed = time.monotonic(), []
    with multiprocessing.Pool(arguments.jobs) as pool:
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        for seed, what in pool.imap_unordered(run, seeds, chunksize=4):
            if what:
                failed.append(seed)
                print(
                    f"seed {seed}: {what.strip().splitlines()[-1] if what.startswith('Tr') else what.splitlines()[0]}",
                    flush=True,
                )
    print(
        f"{arguments.seeds} worlds in {time.monotonic() - started:.1f} s, {len(failed)} failed: {sorted(failed)[:40]}"
    )
    if failed and not arguments.no_shrink:
        print(explain(min(failed), lines=arguments.lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
