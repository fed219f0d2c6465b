"""`python -m fuzz [TARGET…] [--seconds N]`: fuzz these targets, or all, one after the other. Exit status 1: a finding.

`--seeds` writes the corpus anew from the regression vectors, `--table` the times into docs/testing.md.
"""

from __future__ import annotations

import argparse
import signal
import sys

from fuzz import hours, runner


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--unlogged", action="store_true", help="count nothing and keep nothing, as the tests do")
    parser.add_argument("--inputs", type=int, default=-1, help="... and at most so many inputs")
    parser.add_argument("--rounds", type=int, default=1, help="go through the targets so many times")
    parser.add_argument("--list", action="store_true", help="the targets and their properties")
    parser.add_argument("--seeds", action="store_true", help="write fuzz/corpus anew")
    parser.add_argument("--table", action="store_true", help="write the times into docs/testing.md")
    arguments = parser.parse_args()
    if arguments.list or arguments.seeds or arguments.table:
        return _without_fuzzing(arguments)
    try:
        targets = runner.load()
    except ImportError:
        print("Fuzzing needs atheris, which there is for Python 3.11 on Linux (requirements/dev.txt).", file=sys.stderr)
        return 2
    unknown = set(arguments.targets) - set(targets)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; --list names them")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the fuzzer under way ends too
    chosen = [targets[name] for name in arguments.targets or targets]
    found = 0
    for _ in range(arguments.rounds):
        for target in chosen:
            outcome = runner.run(target, arguments.seconds, keep=not arguments.unlogged, most=arguments.inputs)
            if not arguments.unlogged:
                hours.add(outcome.name, outcome.seconds, outcome.runs)
            print(f"{outcome.name}: {outcome.runs:,} inputs in {outcome.seconds} s", flush=True)
            if outcome.finding:
                found += 1
                print(f"{outcome.finding}\nFINDING in {outcome.name}", flush=True)
    return 1 if found else 0


def _without_fuzzing(arguments: argparse.Namespace) -> int:
    from fuzz.targets import TARGETS

    properties = {name: target.property for name, target in TARGETS.items()}
    if arguments.seeds:
        from fuzz.seeds import write

        print(f"{write()} inputs in fuzz/corpus")
    if arguments.table:
        hours.write_table(properties)
    if arguments.list:
        for name, meaning in properties.items():
            print(f"{name:24} {meaning}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
