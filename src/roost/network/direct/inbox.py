"""The reading half of a carrier's stream, for those whose medium hands over pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Inbox:
    """What arrived and nobody has read yet. `took` is told how many pieces were read."""

    def __init__(self, took: Callable[[int], None]) -> None:
        self._took = took
        self._pieces: list[bytes] = []
        self._ended = False
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read."""
        return sum(map(len, self._pieces))

    def put(self, piece: bytes) -> None:
        if not self._ended:
            self._pieces.append(piece)
            self._arrived.set()

    def end(self, *, forget: bool = False) -> None:
        """Nothing more comes. With `forget`, what is here is not read any more either."""
        self._ended = True
        if forget:
            self._pieces.clear()
        self._arrived.set()

    async def take(self) -> bytes:
        while not self._pieces and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._took(len(pieces))
        return b"".join(pieces)
