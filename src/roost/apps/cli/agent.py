"""`agent`: the long-running process that holds a profile's connections."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

from roost.apps.cli.common import command
from roost.apps.cli.session import Session, session


@command("agent", "roost agent", "roost agent --profile ./alice --json")
def agent() -> None:
    """Keep the profile connected until Ctrl-C or SIGTERM.

    While it runs, the other commands and the library talk to it, and messages arrive as they are sent.
    """
    here = session()
    with asyncio.Runner(loop_factory=loop_factory()) as runner, suppress(KeyboardInterrupt):
        runner.run(_run(here))


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop where it exists."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


async def _run(here: Session) -> None:
    from roost import __version__
    from roost.agent.connect import run_agent
    from roost.apps.web.site import Site

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with run_agent(here.profile, here.passphrase, version=__version__, extensions=(Site(),)) as endpoint:
        if here.json:
            here.out.line({"event": "ready", "socket": endpoint.socket, "url": endpoint.url, "pid": endpoint.pid})
        else:
            here.out.say("The agent is running. Ctrl-C ends it.")
        await stop.wait()
