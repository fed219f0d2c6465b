"""Small pictures of attachments, made in a process apart (thumbnail_worker.py): this is the agent's end of it.

The process is started when the first picture is asked for and ended when none was for a minute. What it answers is
looked at again before it is kept: a small WebP, or nothing. Place: agent.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from contextlib import suppress

from roost.agent.pictures import HEAD, media_of
from roost.agent.thumbnail_worker import MAX_INPUT, MAX_OUTPUT, QUESTION, SECONDS, SIDE

IDLE_S = 60.0
PATIENCE_S = SECONDS * 2.0
_LENGTH = struct.Struct(">I")


class Thumbnails:
    """Makes one at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._ending: asyncio.TimerHandle | None = None

    async def make(self, data: bytes, side: int = SIDE) -> bytes:
        """A WebP of at most `side` pixels, or empty bytes where none can be made."""
        if len(data) > MAX_INPUT or os.name != "posix":
            return b""
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    made = await self._ask(data, side)
            except (TimeoutError, OSError, EOFError):
                await self._end()
                return b""
            if self._ending is not None:
                self._ending.cancel()
            self._ending = asyncio.get_running_loop().call_later(IDLE_S, self._rest)
        return made if _small_webp(made) else b""

    async def _ask(self, data: bytes, side: int) -> bytes:
        process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(QUESTION.pack(len(data), side) + data)
        await process.stdin.drain()
        (size,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
        if size > MAX_OUTPUT:
            raise EOFError
        return await process.stdout.readexactly(size)

    async def _start(self) -> asyncio.subprocess.Process:
        """Without the agent's environment, which may hold a passphrase."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "roost.agent.thumbnail_worker"), stdin=pipe, stdout=pipe, stderr=nothing, env=kept
        )
        return self._process

    def _rest(self) -> None:
        """Nobody asked for a while: the process reads that its input ended."""
        if self._process is not None and self._process.stdin is not None and not self._turn.locked():
            self._process.stdin.close()
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the process, if there is one."""
        if self._ending is not None:
            self._ending.cancel()
        async with self._turn:
            await self._end()


def _small_webp(made: bytes) -> bool:
    media = media_of(made[:HEAD])
    return media is not None and media.type == "image/webp" and 0 < max(media.width, media.height) <= SIDE
