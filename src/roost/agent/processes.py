"""Processes: ending one that was started beside this one, and what suits one that is an agent alone. Place: agent."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress


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


@contextmanager
def rare_collections() -> Iterator[None]:
    """Python looks for garbage in cycles after every 700 new objects, most of which are gone without that soon: a tenth
    of what a message takes. Here it does so rarely, and never among what a start leaves behind."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
