"""`python -m tests.mutants [MODULE…] [--share .2]`: change crypto/ and wire/ line by line; do the tests notice?

Exit status 1: a mutant survived that `explained.toml` does not explain. What was found last stands in `results.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tomllib
from pathlib import Path

from tests.mutants.operators import mutants
from tests.mutants.run import SOURCE, prepare, survives

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
ROOMS = ("crypto", "wire")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as crypto/chains.py; all without")
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants, drawn with a fixed seed")
    arguments = parser.parse_args()
    every = [str(path.relative_to(SOURCE)) for room in ROOMS for path in sorted((SOURCE / room).glob("*.py"))]
    modules = arguments.modules or [name for name in every if not name.endswith("__init__.py")]
    explained = tomllib.loads((HERE / "explained.toml").read_text())["survives"]
    prepare()
    for room in {module.partition("/")[0] for module in modules}:
        if not survives(f"{room}/", None):
            print(f"the tests of {room} fail without any change", file=sys.stderr)
            return 2
    return max((_try(module, arguments.share, explained) for module in modules), default=0)


def _try(module: str, share: float, explained: dict[str, str]) -> int:
    drawn = [one for one in mutants(module, (SOURCE / module).read_text()) if _chosen(one.name, share)]
    left = []
    for mutant in drawn:
        if survives(module, mutant):
            left.append(mutant.name)
            print(f"{'explained' if mutant.name in explained else 'SURVIVES'} {mutant.line}: {mutant.name}", flush=True)
    unexplained = [name for name in left if name not in explained]
    print(f"{module}: {len(drawn)} mutants, {len(drawn) - len(left)} noticed, {len(left)} survive", flush=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[module] = {"mutants": len(drawn), "survived": len(left), "unexplained": len(unexplained)}
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    return 1 if unexplained else 0


def _chosen(name: str, share: float) -> bool:
    return random.Random(name).random() < share


if __name__ == "__main__":
    sys.exit(main())
