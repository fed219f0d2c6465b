"""`make bench`, or `python -m benchmarks [NAME ...] [--seconds S] [--json]`: run benchmarks and print their figures."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Clock, Result

NAMES = tuple(sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run Roost's benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; all without one")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each figure is measured")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if not options.json:
        print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()} {platform.release()}")
    for name in options.names or NAMES:
        results = importlib.import_module(f"benchmarks.bench_{name}").run(Clock(options.seconds))
        _print(name, results, as_json=options.json)


def _print(name: str, results: list[Result], *, as_json: bool) -> None:
    if as_json:
        for result in results:
            print(json.dumps({"benchmark": name, **asdict(result)}))
        return
    print(f"\n{name}")
    width = max(len(result.name) for result in results)
    for result in results:
        against = f"{result.ratio:8.2f} x {result.floor}" if result.ratio is not None else ""
        print(f"  {result.name:<{width}} {_figure(result.value):>10} {result.unit:<12}{against}".rstrip())
    sys.stdout.flush()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
