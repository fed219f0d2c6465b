"""Ending a process that was started beside this one. Place: agent, for whoever starts one."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def end(process: asyncio.subprocess.Process, within_s: float) -> None:
    """Let it drain and end; kill it when it has not ended `within_s` seconds later."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(within_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
