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

from roost.agent.api.client import find_agent
from roost.agent.api.endpoint import read_endpoint
from roost.agent.api.http import post
from roost.agent.connect import profile_exists, protection_of
from roost.agent.host import AgentHost
from roost.apps.web.site import Site
from roost.errors import RoostError, SurroundingsError

_OK = 200


async def run(folder: Path, *, browser: bool, as_json: bool, version: str, passphrase: str | None = None) -> None:
    """Open the app of the profile in `folder`; return at once where its agent runs, else when this agent is stopped."""
    link = await running_app(folder)
    if link is not None:
        show(link, browser=browser, as_json=as_json)
        return
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AgentHost(folder, version=version, extensions=(Site(),)).running() as host:
        await _open_if_possible(host, passphrase)
        show(host.app_link(), browser=browser, as_json=as_json)
        await stop.wait()


async def _open_if_possible(host: AgentHost, passphrase: str | None) -> None:
    """A profile that needs no passphrase, or whose passphrase is at hand; otherwise the app asks."""
    if profile_exists(host.folder) and (passphrase or protection_of(host.folder) != "passphrase"):
        try:
            await host.unlock(passphrase)
        except RoostError as error:  # the app asks, and shows what is wrong
            print(f"roost: {error.message} {error.hint}".rstrip(), file=sys.stderr, flush=True)


async def running_app(folder: Path) -> str | None:
    """An address of the web app that the running agent of this profile serves, or None where none runs."""
    if await find_agent(folder) is None:
        return None
    endpoint = read_endpoint(folder)
    if endpoint is None:
        return None
    status, body = await post(endpoint.socket, "app-link", b"{}")
    if status != _OK:
        raise SurroundingsError("The running agent does not serve the app.", code="agent_version", hint="Restart it.")
    return str(json.loads(body)["url"])


def show(link: str, *, browser: bool, as_json: bool) -> None:
    """Open the address, or print it where nothing can be opened."""
    if as_json:
        print(json.dumps({"event": "ready", "url": link}), flush=True)
    elif browser and has_display() and webbrowser.open(link):
        print("Roost is open in your browser. Ctrl-C ends it.", file=sys.stderr, flush=True)
    else:
        print(
            f"Open this address in a browser on this machine (it works once):\n\n  {link}\n\nCtrl-C ends Roost.",
            flush=True,
        )


def has_display() -> bool:
    """Whether a browser window could be seen."""
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
