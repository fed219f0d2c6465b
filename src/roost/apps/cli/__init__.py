"""The command line (docs/cli.md): `roost COMMAND`. Talks to the agent's operations only; imports lazily, for speed."""

from __future__ import annotations


def main() -> None:
    """The `roost` command."""
    import gc
    import sys

    try:
        from roost.apps.cli.root import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before there was anything to end
        code = 1
    gc.freeze()  # all is closed: looking for garbage once more would take a fifth of a command's time
    sys.exit(code)
