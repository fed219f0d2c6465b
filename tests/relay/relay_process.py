"""Real relay processes for tests, and a small client: the network room's own link."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roost.network import Link, connect_relay
from roost.wire.links import RelayLink, parse_relay_link

MAIN = Path(__file__).with_name("relay_main.py")
START_S = 15.0


@dataclass
class RelayProcess:
    """A running relay."""

    process: subprocess.Popen[str]
    link: RelayLink
    listen: str
    home: RelayLink | None = None

    @property
    def access(self) -> bytes:
        return self.link.access.encode()

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def launch(data: Path, listen: str = "127.0.0.1:0", **settings: Any) -> subprocess.Popen[str]:
    arguments = {"data": str(data), "listen": listen, "work_bits": 4, "uvloop": True, **settings}
    return subprocess.Popen(
        [sys.executable, str(MAIN), json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(data: Path, listen: str = "127.0.0.1:0", **settings: Any) -> Iterator[RelayProcess]:
    """A relay until the block ends."""
    process = launch(data, listen, **settings)
    try:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline() or "{}")
        assert "link" in line, line or process.stderr.read()  # type: ignore[union-attr]
        home = parse_relay_link(line["home"]) if line["home"] else None
        yield RelayProcess(process, parse_relay_link(line["link"]), line["listen"], home)
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def linked(relay: RelayProcess, *, raw: bool = True) -> AsyncIterator[Link]:
    link = await connect_relay(relay.link.address, raw=raw)
    try:
        yield link
    finally:
        await link.close()


class Inbox:
    """What a subscription delivered."""

    def __init__(self) -> None:
        self.got: list[tuple[int, bytes]] = []
        self._arrived = asyncio.Event()

    def __call__(self, number: int, envelope: bytes) -> None:
        self.got.append((number, envelope))
        self._arrived.set()

    async def has(self, count: int, timeout_s: float = 10.0) -> list[tuple[int, bytes]]:
        async with asyncio.timeout(timeout_s):
            while len(self.got) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.got
