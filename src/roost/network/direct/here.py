"""A connection to the host in this very process: the device's own mailboxes, reached as any others are."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from roost.errors import WireError
from roost.network.carriers.base import Receiver
from roost.network.carriers.framing import RawFraming
from roost.network.direct.host_end import HostEnd, HostProtocol
from roost.network.identity import ShownCertificate


class HereConnection:
    """A `Connection`. Bytes arrive on a later turn of the loop, in order."""

    kind = "memory"
    shown = ShownCertificate(b"")

    def __init__(self, host: HostProtocol) -> None:
        self._loop = asyncio.get_running_loop()
        self._requests = RawFraming()
        self._answers = RawFraming()
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []
        self._held: list[bytes] | None = None  # requests, while the host is overloaded
        self.closing = False
        self._host = HostEnd(host(), _Back(self))

    # --- Connection ---------------------------------------------------------------------------------------------------

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver
        early, self._early = self._early, []
        for body in early:
            receiver.received(body)
        if self.closing:
            receiver.lost(False)

    def send(self, frame: bytes) -> None:
        self._loop.call_soon(self._ask, self._requests.wrap(frame))

    async def close(self) -> None:
        self.abort()
        await asyncio.sleep(0)

    def abort(self) -> None:
        if not self.closing:
            self.closing = True
            self._loop.call_soon(self._over)

    def _ask(self, data: bytes) -> None:
        if self._held is not None:
            self._held.append(data)
        elif not self.closing:
            self._host.arrived(data)

    def _over(self) -> None:
        self._host.lost()
        if self._receiver is not None:
            self._receiver.lost(False)

    # --- what the host's end asks for ---------------------------------------------------------------------------------

    def answer(self, data: bytes) -> None:
        self._loop.call_soon(self._answer, data)

    def reading(self, go_on: bool) -> None:
        if not go_on and self._held is None:
            self._held = []
        elif go_on and self._held is not None:
            held, self._held = self._held, None
            for data in held:
                self._loop.call_soon(self._ask, data)

    def _answer(self, data: bytes) -> None:
        if self.closing:
            return
        with suppress(WireError):
            for body in self._answers.receive(data):
                if self._receiver is None:
                    self._early.append(body)
                else:
                    self._receiver.received(body)


class _Back:
    """The `Way` of the host's end."""

    def __init__(self, connection: HereConnection) -> None:
        self._connection = connection

    @property
    def closing(self) -> bool:
        return self._connection.closing

    def write(self, data: bytes) -> None:
        self._connection.answer(data)

    def close(self) -> None:
        self._connection.abort()

    def abort(self) -> None:
        self._connection.abort()

    def reading(self, go_on: bool) -> None:
        self._connection.reading(go_on)
