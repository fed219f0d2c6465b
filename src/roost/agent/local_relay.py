"""A relay of one's own on this machine, as a process beside the agent: for trying Roost out without anybody's server.

It listens on 127.0.0.1, on the port it got first, so that the link stays good. Place: agent, under host.py.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from roost.agent import processes
from roost.errors import SurroundingsError

_START_S = 20.0
_STOP_S = 6.0
_PORT_FILE = "port"


class _Ready(msgspec.Struct):
    link: str
    listen: str


class LocalRelay:
    """The relay whose data lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._link = ""

    async def start(self) -> str:
        """Its link, once it serves. Raises SurroundingsError `relay_not_started`."""
        if self._process is not None and self._process.returncode is None:
            return self._link
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ready = await self._try(self._known_port()) or await self._try("0")
        if ready is None:
            raise SurroundingsError(
                "The relay did not start.", code="relay_not_started", hint="Try it alone: roost relay --help"
            )
        (self._folder / _PORT_FILE).write_text(ready.listen.rpartition(":")[2])
        self._link = ready.link
        return self._link

    def _known_port(self) -> str:
        try:
            return str(int((self._folder / _PORT_FILE).read_text()))
        except (OSError, ValueError):
            return "0"

    async def _try(self, port: str) -> _Ready | None:
        command = (
            "-m",
            "roost",
            "relay",
            "--data",
            str(self._folder / "data"),
            "--listen",
            f"127.0.0.1:{port}",
            "--json",
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        self._process = process
        try:
            async with asyncio.timeout(_START_S):
                return msgspec.json.decode(await process.stdout.readline(), type=_Ready)
        except (TimeoutError, msgspec.MsgspecError):
            await self.stop()
            return None

    async def stop(self) -> None:
        """Let it drain and end."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        await processes.end(process, _STOP_S)
