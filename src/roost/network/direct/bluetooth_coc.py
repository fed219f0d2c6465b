"""A carrier's stream over Bluetooth Low Energy: one L2CAP credit-based channel of `bumble`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from bumble import l2cap
from bumble.core import BaseBumbleError, OutOfResourcesError
from bumble.device import Connection

from roost.network.direct.bluetooth_radio import CLOSE_S, over
from roost.network.direct.inbox import Inbox

PSM: Final = 0xD3  # of the range that any service may use (Core Specification, Vol 3, Part A, 4.22)
MPS: Final = 2_048
WINDOW: Final = 32  # pieces that may be on their way and not read
CHANNEL: Final = l2cap.LeCreditBasedChannelSpec(psm=PSM, mtu=MPS - 2, mps=MPS, max_credits=WINDOW)
SLICE: Final = 32 * 1_024  # handed to bumble at once: it copies what waits for each piece that it sends


async def open_stream(connection: Connection, ended: Callable[[CocStream], None]) -> CocStream:
    """Over a connection that stands. As bumble's own way to open a channel, but the stream is there before the other
    end can say anything: bumble drops what comes before somebody asks for it.

    Raises what bumble does, or CancelledError when the connection goes away.
    """
    manager = connection.device.l2cap_channel_manager
    channels = manager.channels.setdefault(connection.handle, {})
    number = manager.find_free_le_cid(channels)
    if number is None:
        raise OutOfResourcesError("too many channels")
    channel = l2cap.LeCreditBasedChannel(
        manager=manager,
        connection=connection,
        psm=PSM,
        source_cid=number,
        destination_cid=0,
        mtu=CHANNEL.mtu,
        mps=CHANNEL.mps,
        credits=0,
        peer_mtu=0,
        peer_mps=0,
        peer_credits=CHANNEL.max_credits,
        connected=False,
    )
    stream = CocStream(channel, ended)
    channels[number] = channel
    try:
        await channel.connect()
    except BaseException:
        channels.pop(number, None)
        raise
    manager.le_coc_channels.setdefault(connection.handle, {})[channel.destination_cid] = channel
    return stream


class CocStream:
    """A stream over one L2CAP credit-based channel. Pieces are at most as long as a packet, so one credit is one piece
    that was read."""

    def __init__(self, channel: l2cap.LeCreditBasedChannel, ended: Callable[[CocStream], None]) -> None:
        self.channel = channel
        self._ended = ended
        self._inbox = Inbox(self._took)
        self._owed = 0
        self._over = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        # bumble gives new credit by itself once few are left. Never: then it is given when something was read.
        channel.peer_credits_threshold = -1
        channel.sink = self._inbox.put
        channel.on(channel.EVENT_CLOSE, self._on_close)

    @property
    def over(self) -> bool:
        return self._over.is_set()

    async def read(self) -> bytes:
        return await self._inbox.take()

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), SLICE):
            if self._over.is_set():
                raise over()
            self.channel.write(bytes(view[start : start + SLICE]))
            await self._drained()
        if self._over.is_set():
            raise over()

    async def close(self) -> None:
        if not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._drained()
        self.abort()
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=CLOSE_S)

    def abort(self) -> None:
        self._inbox.end(forget=True)
        self._over.set()
        if self.channel.state == self.channel.State.CONNECTED and self._closing is None:
            self._closing = asyncio.create_task(self._disconnect())

    async def _disconnect(self) -> None:
        with contextlib.suppress(BaseBumbleError, asyncio.InvalidStateError):
            await self.channel.disconnect()

    async def _drained(self) -> None:
        if self.channel.drained.is_set():
            return
        waiting = [asyncio.ensure_future(event.wait()) for event in (self.channel.drained, self._over)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _took(self, pieces: int) -> None:
        self._owed += pieces
        if self._owed < WINDOW // 2 or self._over.is_set():
            return
        channel, credit, self._owed = self.channel, self._owed, 0
        channel.peer_credits += credit
        channel.send_control_frame(
            l2cap.L2CAP_LE_Flow_Control_Credit(
                identifier=channel.manager.next_identifier(channel.connection), cid=channel.source_cid, credits=credit
            )
        )

    def _on_close(self) -> None:
        # What bumble forgets to forget: it would refuse the next channel of the same number.
        held = self.channel.manager.le_coc_channels.get(self.channel.connection.handle, {})
        if held.get(self.channel.destination_cid) is self.channel:
            del held[self.channel.destination_cid]
        self._inbox.end()
        self._over.set()
        self._ended(self)
