"""A system's Bluetooth without any radio: a backend of aio-rfcomm whose devices are near each other in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from aio_rfcomm import Availability, Bluetooth, RfcommDeviceInfo
from aio_rfcomm import bluetooth as library
from aio_rfcomm.backend.provider import (
    AvailabilityState,
    BackendBluetooth,
    BackendChannel,
    BackendProvider,
    BackendRequest,
    BackendService,
)
from aio_rfcomm.errors import ChannelClosedError, DeviceNotFoundError, ServiceNotFoundError

from roost.errors import Unreachable
from roost.network.direct.memory import MemoryStream, memory_pair


class Room:
    """All systems in it are near each other, and paired unless somebody says otherwise."""

    def __init__(self) -> None:
        self.systems: dict[str, System] = {}
        self.at_first = Availability.USABLE
        self.paired = True

    @asynccontextmanager
    async def open_bluetooth(self) -> AsyncIterator[Bluetooth]:
        """As aio-rfcomm's. A process has one system's Bluetooth; here every caller has another one."""
        address = f"00:00:00:00:00:{len(self.systems):02X}"
        system = self.systems[address] = System(self, address, self.at_first)
        library._open = False
        async with library._open_bluetooth(system) as bluetooth:
            yield bluetooth

    def say(self, availability: Availability) -> None:
        """To all systems, as when somebody flips a switch."""
        for system in self.systems.values():
            assert system.state is not None
            system.state.set(availability)


class System(BackendProvider, BackendBluetooth):
    def __init__(self, room: Room, address: str, at_first: Availability) -> None:
        self.address = address
        self.state: AvailabilityState | None = None
        self.at_first = at_first
        self.waiting: asyncio.Queue[Request] | None = None
        self._room = room

    @asynccontextmanager
    async def open(self, state: AvailabilityState) -> AsyncIterator[System]:
        self.state = state
        state.set(self.at_first)
        yield self

    async def list_known_devices(self, *, service: UUID | Collection[UUID] | None = None) -> list[RfcommDeviceInfo]:
        others = [RfcommDeviceInfo(address) for address in self._room.systems if address != self.address]
        return others if self._room.paired else []

    @asynccontextmanager
    async def open_service(self, device: RfcommDeviceInfo, service: UUID) -> AsyncIterator[Channel]:
        other = self._room.systems.get(device.address)
        if other is None:
            raise DeviceNotFoundError(device.address)
        if other.waiting is None:
            raise ServiceNotFoundError
        mine, theirs = memory_pair()
        other.waiting.put_nowait(Request(self.address, theirs))
        try:
            yield Channel(mine)
        finally:
            await mine.close()

    def open_channel(self, device: RfcommDeviceInfo, channel: int) -> AbstractAsyncContextManager[BackendChannel]:
        raise NotImplementedError

    @asynccontextmanager
    async def serve(self, service: UUID, *, name: str, channel: int | None = None) -> AsyncIterator[Service]:
        self.waiting = asyncio.Queue()
        try:
            yield Service(self.waiting)
        finally:
            self.waiting = None


class Service(BackendService):
    def __init__(self, waiting: asyncio.Queue[Request]) -> None:
        self._waiting = waiting

    @property
    def channel(self) -> int:
        return 1

    async def accept(self) -> BackendRequest:
        return await self._waiting.get()


class Request(BackendRequest):
    def __init__(self, address: str, stream: MemoryStream) -> None:
        self._address = address
        self._stream = stream
        self._taken = False

    @property
    def info(self) -> RfcommDeviceInfo:
        return RfcommDeviceInfo(self._address)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Channel]:
        self._taken = True
        try:
            yield Channel(self._stream)
        finally:
            await self._stream.close()

    def close(self) -> None:
        if not self._taken:
            self._stream.abort()


class Channel(BackendChannel):
    def __init__(self, stream: MemoryStream) -> None:
        super().__init__()
        self._stream = stream
        self._left = b""

    def abort(self) -> None:
        self._stream.abort()

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.write(data)
        except Unreachable as error:
            self._mark_gone()
            raise ChannelClosedError from error

    async def receive(self, max_bytes: int | None = None) -> bytes:
        data = self._left or await self._stream.read()
        if not data:
            self._mark_gone()
            raise ChannelClosedError
        size = len(data) if max_bytes is None else max_bytes
        self._left = data[size:]
        return data[:size]
