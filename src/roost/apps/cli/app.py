"""`roost` without a command: the web app."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import click

from roost.apps.cli.agent import loop_factory
from roost.apps.cli.session import Session


def start_app(context: click.Context, *, browser: bool) -> None:
    """Run the agent with the app until Ctrl-C, or open the app of the agent that runs."""
    from roost import __version__
    from roost.apps.web import start

    here = Session(context)
    passphrase = os.environ.get("ROOST_PASSPHRASE") or None
    work = start.run(here.profile, browser=browser, as_json=here.json, version=__version__, passphrase=passphrase)
    with asyncio.Runner(loop_factory=loop_factory()) as runner, suppress(KeyboardInterrupt):
        runner.run(work)
