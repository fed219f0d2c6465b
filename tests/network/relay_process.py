"""A real relay as a process of its own, to be killed: `python -m tests.network.relay_process DATA LISTEN [ACCESS]`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from roost.relay import Ready, RelayConfig, run_relay
from roost.wire.links import RelayLink, parse_relay_link

ROOT = Path(__file__).resolve().parents[2]


class RelayProcess:
    """Started on a folder; `stop` with a signal, `start` again on the same folder and port."""

    def __init__(self, data: Path, *, access: str = "secret") -> None:
        self._data = data
        self.access = access
        self._listen = "127.0.0.1:0"
        self._process: asyncio.subprocess.Process | None = None
        self.link: RelayLink

    async def start(self) -> None:
        command = (sys.executable, "-m", "tests.network.relay_process", str(self._data), self._listen, self.access)
        self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            ready = (await self._process.stdout.readline()).decode().split()
        assert ready, "the relay did not start"
        self.link = parse_relay_link(ready[0])
        self._listen = ready[1]

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        self.signal(number)
        assert self._process is not None
        async with asyncio.timeout(10):
            status = await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]
        self._process = None
        return status

    async def close(self) -> None:
        if self._process is not None:
            await self.stop(signal.SIGKILL)


@contextlib.asynccontextmanager
async def relay_process(data: Path, *, access: str = "secret") -> AsyncIterator[RelayProcess]:
    relay = RelayProcess(data, access=access)
    try:
        await relay.start()
        yield relay
    finally:
        await relay.close()


def _ready(ready: Ready) -> None:
    print(ready.link, ready.listen, flush=True)


if __name__ == "__main__":
    data, listen, access = sys.argv[1:]
    asyncio.run(run_relay(RelayConfig(data=Path(data), listen=listen, access=access), _ready))
