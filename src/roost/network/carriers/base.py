"""The one small interface behind which every carrier stands."""

from __future__ import annotations

from typing import Protocol

from roost.network.identity import ShownCertificate


class Receiver(Protocol):
    """Who uses a connection. Called on the event loop; must not block."""

    def received(self, frame: bytes) -> None:
        """One whole frame arrived, at most MAX_FRAME bytes."""

    def lost(self, malformed: bool) -> None:
        """The connection is over; called once. `malformed`: because what came was not in frames."""


class Connection(Protocol):
    """An open carrier. What arrives before `attach` is kept until then."""

    @property
    def shown(self) -> ShownCertificate:
        """The certificate with which the other end proved itself."""

    @property
    def kind(self) -> str:
        """`raw`, `websocket` or `memory`."""

    def attach(self, receiver: Receiver) -> None: ...

    def send(self, frame: bytes) -> None:
        """Queue a frame; all frames of one turn of the event loop leave in one write."""

    async def close(self) -> None:
        """Send what is queued, say goodbye to the carrier, and return when it is gone (at most a second or so)."""

    def abort(self) -> None:
        """Drop the connection at once."""
