"""The command line (docs/cli.md): `roost COMMAND`. Talks to the agent's operations only; imports lazily, for speed."""

from __future__ import annotations


def main() -> None:
    """The `roost` command."""
    import sys

    from roost.apps.cli.root import run

    sys.exit(run(sys.argv[1:]))
