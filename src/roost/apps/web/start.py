"""`roost` without arguments: the agent, if none runs yet, and the web app in the browser.

Place: apps. It holds no secret: the address that it opens or prints carries a code that works once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import webbrowser
from pathlib import Path

from roost.agent.host import AgentHost
from roost.agent.household import Household, running_app
from roost.apps.web.site import Site
from roost.errors import RoostError


async def run(folder: Path, *, browser: bool, as_json: bool, version: str, passphrase: str | None = None) -> None:
    """Open the app of the profile in `folder`; return at once where its agent runs, else when this agent is stopped."""
    link = await running_app(folder)
    if link is not None:
        show(link, browser=browser, as_json=as_json, end="")
        return
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Household(folder, version=version, extensions=(Site(),)).running() as host:
        await _open_if_possible(host, passphrase)
        show(host.app_link(), browser=browser, as_json=as_json)
        await stop.wait()


async def _open_if_possible(host: AgentHost, passphrase: str | None) -> None:
    """A profile that needs no passphrase, or whose passphrase is at hand; otherwise the app asks."""
    try:
        await host.open_if_possible(passphrase)
    except RoostError as error:  # the app asks, and shows what is wrong
        print(f"roost: {error.message} {error.hint}".rstrip(), file=sys.stderr, flush=True)


def show(link: str, *, browser: bool, as_json: bool, end: str = "Ctrl-C ends Roost.") -> None:
    """Open the address, or print it where nothing can be opened. `end`: how one ends it; empty where it goes
    on by itself."""
    if as_json:
        print(json.dumps({"event": "ready", "url": link}), flush=True)
    elif browser and has_display() and webbrowser.open(link):
        print(f"Roost is open in your browser. {end}".rstrip(), file=sys.stderr, flush=True)
    else:
        print(
            f"Open this address in a browser on this machine (it works once):\n\n  {link}\n\n{end}".rstrip(), flush=True
        )


def has_display() -> bool:
    """Whether a browser window could be seen."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
