"""What the Bluetooth carrier needs of an adapter.

Two kinds of radio implement it: `bluetooth_le` (an adapter of Roost's own) and `bluetooth_rfcomm` (the system's). Each
decides by itself how devices find each other over it; none knows of links or people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from roost.errors import Unreachable
from roost.network.direct.carrier import People, Place, Stream
from roost.wire.addresses import DeviceHost

CLOSE_S: Final = 2.0  # how long `close` waits for what was written to be taken
TAG_SIZE: Final = 8  # of one meeting in an announcement (crypto.meetings)
NONCE_SIZE: Final = 16


class RadioOff(Exception):
    """There is no Bluetooth to be had here now: why, and what the person can do."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


class Radio(Protocol):
    """An adapter that is switched on. Opening it is each kind's own; that raises RadioOff."""

    def serve(self, people: People) -> None: ...

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        """Raises Unreachable, with code `not_near` when no way to it is known."""

    def places(self) -> tuple[Place, ...]: ...

    async def lost(self) -> RadioOff:
        """Returns when the adapter cannot be used any more."""

    async def retire(self) -> None:
        """Nobody finds this device any more. The adapter is given back when the last stream is closed."""


def not_near() -> Unreachable:
    return Unreachable("This device is not in reach of Bluetooth.", code="not_near", hint="Come nearer.")


def no_answer() -> Unreachable:
    return Unreachable("The device does not answer over Bluetooth.", hint="Come nearer; Roost tries again by itself.")


def over() -> Unreachable:
    return Unreachable("The Bluetooth connection has ended.")


def parts(announcement: bytes, tags: int) -> list[bytes]:
    """An announcement cut into ones of at most `tags` tags, each with the nonce, for where little fits at once."""
    nonce, rest = announcement[:NONCE_SIZE], announcement[NONCE_SIZE:]
    size = tags * TAG_SIZE
    return [nonce + rest[start : start + size] for start in range(0, len(rest), size)]


def whole(part: bytes) -> bytes:
    """A part as an announcement that names the same meetings: those have 8 tags or a multiple, the same one counts."""
    nonce, tags = part[:NONCE_SIZE], part[NONCE_SIZE:]
    return nonce + tags if len(tags) % (8 * TAG_SIZE) == 0 else nonce + 8 * tags
