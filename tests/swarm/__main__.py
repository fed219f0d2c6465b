"""Simulated onion networks: `python tests/swarm --seeds 500 --from 1 --jobs 2 [--world exodus]`. Exit status 1 when one
fails."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
import traceback

import swarm_exodus
import swarm_world

WORLDS = {"disasters": swarm_world.play, "exodus": swarm_exodus.play}


def one(world: str, seed: int) -> tuple[int, int, str]:
    """The seed, how many envelopes were acknowledged, and what is wrong: nothing, one hopes."""
    try:
        return seed, WORLDS[world](seed)["acknowledged"], ""
    except Exception:  # noqa: BLE001 - whatever it is, the next seed is tried
        return seed, 0, traceback.format_exc(limit=-3)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/swarm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--world", choices=WORLDS, default="disasters")
    chosen = parser.parse_args()
    failed, total, began = [], 0, time.monotonic()
    with multiprocessing.Pool(chosen.jobs) as pool:
        seeds = range(chosen.first, chosen.first + chosen.seeds)
        for seed, acknowledged, wrong in pool.imap_unordered(functools.partial(one, chosen.world), seeds):
            total += acknowledged
            if wrong:
                failed.append(seed)
                print(f"seed {seed}\n{wrong}", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    print(f"{chosen.seeds} worlds in {seconds:.0f} s, {total} envelopes; failed: {sorted(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
