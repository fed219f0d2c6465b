"""Links that take their time: `python -m benchmarks.delay MS LISTEN:TARGET...`, ports of this machine.

What comes at LISTEN goes on to TARGET so many milliseconds later, and back; for where the kernel has no netem.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import cast


class End(asyncio.Protocol):
    """One end of a link; what it receives leaves at the other one `delay_s` later."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.other: End | None = None
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        for data in self._early:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self.delay_s, self._pass_on, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._loop.call_later(self.delay_s, self._over)

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _pass_on(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    def _over(self) -> None:
        if self.other is not None:
            self.other.close()


class Accepted(End):
    """The end at which somebody connected; it makes the other one."""

    def __init__(self, delay_s: float, target: int) -> None:
        super().__init__(delay_s)
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.other = End(self.delay_s)
        self.other.other = self
        self._reaching = self._loop.create_task(self._reach(self.other))

    async def _reach(self, other: End) -> None:
        try:
            await self._loop.create_connection(lambda: other, "127.0.0.1", self._target)
        except OSError:
            self.close()


async def main(delay_s: float, ports: list[tuple[int, int]]) -> None:
    loop = asyncio.get_running_loop()
    for listen, target in ports:
        await loop.create_server(partial(Accepted, delay_s, target), "127.0.0.1", listen)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    pairs = [(int(listen), int(target)) for listen, target in (pair.split(":") for pair in sys.argv[2:])]
    asyncio.run(main(int(sys.argv[1]) / 1_000, pairs))
