"""The demo's two windows: the web app of each profile, side by side. Place: apps, used by demo.py."""

from __future__ import annotations

import asyncio
import json
import sys
import webbrowser
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from roost.agent import processes
from roost.apps.web.start import has_display
from roost.errors import SurroundingsError

_START_S = 20.0
_STOP_S = 8.0


@asynccontextmanager
async def windows(profiles: Mapping[str, Path]) -> AsyncIterator[dict[str, str]]:
    """An agent with the app for each profile, by name; each one's address, open in a browser where one can be seen."""
    async with AsyncExitStack() as stack:
        links = {name: await stack.enter_async_context(_app(path)) for name, path in profiles.items()}
        if has_display():
            for link in links.values():
                webbrowser.open_new(link)
        yield links


@asynccontextmanager
async def _app(profile: Path) -> AsyncIterator[str]:
    command = (sys.executable, "-m", "roost", "--profile", str(profile), "--no-browser", "--json")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            line = await process.stdout.readline()
        yield str(json.loads(line)["url"])
    except (TimeoutError, ValueError, KeyError) as error:
        raise SurroundingsError("The app did not start.", hint="Try it alone: roost --no-browser") from error
    finally:
        await processes.end(process, _STOP_S)
