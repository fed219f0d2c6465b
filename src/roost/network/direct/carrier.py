"""What every carrier offers: byte streams to hosts that are found without any server, and a state that people can read.

A carrier moves bytes that already look random. It knows under which meetings this device wants to be found and whom it
looks for, and tells when somebody it looks for is near; it never decides whether anybody is who they seem to be: that
is the link handshake's business (crypto.peer_link), above all carriers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from roost.wire.addresses import DeviceHost


class CarrierName(StrEnum):
    """In the order in which they are tried."""

    LAN = "lan"
    BLUETOOTH = "bluetooth"
    INTERNET = "internet"
    TOR = "tor"


class Stream(Protocol):
    """An ordered, reliable byte stream to one other end, neither secret nor authentic. Used by one reader and one
    writer at a time; cancelling a read or write leaves it usable only for `close` and `abort`."""

    async def read(self) -> bytes:
        """Some bytes, at least one; b"" once the other end has closed or the way there is broken."""

    async def write(self, data: bytes) -> None:
        """Hand over all of `data`; waits while the other end does not take it.

        Raises Unreachable when the stream is over.
        """

    async def close(self) -> None:
        """Let what was written arrive, as far as that takes a second or two, and end the stream. Never raises."""

    def abort(self) -> None:
        """End it at once; what waits in `read` or `write` returns or raises."""


@dataclass(frozen=True)
class Place:
    """Where a host could be reached over a carrier when it was met last: bytes that mean something to that carrier
    alone (a Bluetooth address, candidates on the internet). Told only over a link that stands, to its other end."""

    carrier: CarrierName
    data: bytes  # at most 255


@dataclass(frozen=True)
class CarrierState:
    """How a carrier does now, for people. `ready`: it can be found and can dial."""

    name: CarrierName
    ready: bool
    why: str = ""  # one sentence when it is not ready: why
    hint: str = ""  # ... and what to do


@dataclass(frozen=True)
class People:
    """Whom a carrier serves. Every holder of one of `own` may find this device; the hosts `sought` are looked for."""

    own: tuple[bytes, ...] = ()  # meetings of this device's own host, 16 bytes each
    sought: tuple[DeviceHost, ...] = ()


Accept = Callable[[Stream], None]
"""Somebody has opened a stream to this device. Called on the event loop; takes the stream over at once."""

Met = Callable[[DeviceHost], None]
"""One of those sought seems to be near now: dialling is worth while. May be called often, and falsely."""


class Carrier(Protocol):
    """One kind of way to other devices. Made on the event loop; `start` once, `stop` once.

    A carrier that cannot work here (no radio, no tor, no permission) starts all the same and says so in `state`; it
    goes on looking whether it can, at a pace that costs nothing, and calls `changed` when its state changes.
    """

    name: ClassVar[CarrierName]

    @property
    def state(self) -> CarrierState: ...

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        """Become findable and begin to look. Never raises for what the surroundings lack."""

    def serve(self, people: People) -> None:
        """From now on these are the people; cheap, and called often. May be called before `start`."""

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        """A stream to where `host` seems to be: found by the carrier itself, or at one of `places`. Gives up by itself
        after a time that suits the carrier.

        Raises Unreachable (code `not_near` when the carrier knows no way to it).
        """

    def places(self) -> tuple[Place, ...]:
        """Where this device may be reached, for those it has a link with; often nothing."""

    async def stop(self) -> None:
        """Nobody finds this device any more. Streams that stand stay until they are closed."""
