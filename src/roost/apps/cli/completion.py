"""`completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import sys

import click

from roost.apps.cli.common import command
from roost.errors import RoostError


@command(
    "completion",
    'eval "$(roost completion bash)"           (in ~/.bashrc)',
    'eval "$(roost completion zsh)"            (in ~/.zshrc)',
    "roost completion fish > ~/.config/fish/completions/roost.fish",
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print shell completion for bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from roost.apps.cli.root import root

    found = get_completion_class(shell)
    if found is None:
        raise RoostError("There is no completion for this shell.")
    complete = found(root, {}, "roost", "_ROOST_COMPLETE")
    sys.stdout.write(complete.source_template % complete.source_vars() + "\n")
