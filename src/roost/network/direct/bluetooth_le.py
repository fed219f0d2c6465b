"""Bluetooth Low Energy with `bumble`: an adapter that Roost has to itself, found and dialled without pairing.

What is in the air: a connectable advertisement with nothing but an announcement (crypto.meetings) as data of no
company, from a random private address that nobody can resolve. Address and announcement are new every few minutes and
whenever the people change. Whoever is recognised is connected to at that address; each stream is one L2CAP
credit-based channel, so the receiver's reading paces the sender. Two devices that dial each other at once share one
connection, whoever made it.

An adapter that knows extended advertising (Bluetooth 5) shows up to 24 meetings at once; an older one shows one at a
time, in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from bumble import hci, l2cap
from bumble.core import BaseBumbleError, PhysicalTransport
from bumble.device import (
    Advertisement,
    Connection,
    Device,
    DeviceConfiguration,
)
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport
from bumble.transport.common import Transport

from roost.crypto import Entropy
from roost.crypto.meetings import announce, recognised
from roost.network.direct.bluetooth_beacon import MAX_TAGS, Beacon, announcements_in
from roost.network.direct.bluetooth_coc import CHANNEL, PSM, CocStream, open_stream
from roost.network.direct.bluetooth_radio import CLOSE_S, RadioOff, no_answer, not_near, parts, whole
from roost.network.direct.bluetooth_sightings import Sightings
from roost.network.direct.carrier import Accept, Met, People, Place, Stream
from roost.wire.addresses import DeviceHost

MAX_STREAMS: Final = 16  # of one connection

ROTATE_S: Final = 300.0  # how long an address and a nonce live
PART_S: Final = 1.0  # how long each part of what is announced is shown, if there are several
MET_S: Final = 5.0  # how often the same host is told to be near
CONNECT_S: Final = 5.0
OPEN_CHANNEL_S: Final = 3.0
TRIES: Final = 3
DIAL_S: Final = 10.0
YIELD_S: Final = 0.4  # the one with the higher address lets the other connect first: longer than INTERVAL_MS
IDLE_S: Final = 1.0  # a connection without streams ends after that
OPEN_S: Final = 10.0  # for an adapter to answer at all

REMEMBERED: Final = 512  # announcements whose tags were looked at
LOOKS_PER_S: Final = 40  # at new ones: somebody could fill the air with them


_T = TypeVar("_T")


async def open_radio(adapter: str, accept: Accept, met: Met, entropy: Entropy) -> LowEnergyRadio:
    """Take the adapter that bumble calls so (`usb:0`, `hci-socket:0`, `serial:/dev/ttyACM0`). Raises RadioOff."""
    logging.getLogger("bumble").setLevel(logging.CRITICAL)  # its messages name addresses
    try:
        async with asyncio.timeout(OPEN_S):
            transport = await open_transport(adapter)
    except Exception as error:  # bumble raises bare ones
        raise _off(adapter, error) from error
    radio = LowEnergyRadio(transport, accept, met, entropy)
    try:
        async with asyncio.timeout(OPEN_S):
            await radio.power_on()
    except (BaseBumbleError, OSError, TimeoutError, asyncio.CancelledError) as error:
        await transport.close()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise _off(adapter, error) from error
    return radio


def _off(adapter: str, error: BaseException) -> RadioOff:
    text = str(error).upper()
    if isinstance(error, PermissionError) or "ACCESS" in text or "PERMITTED" in text:
        return RadioOff(
            "Roost has no permission to use the Bluetooth adapter.",
            "Give this user access to it, or use the system's Bluetooth (docs/carriers.md).",
        )
    if "BUSY" in text:
        return RadioOff(
            "Something else uses the Bluetooth adapter.", "Switch the system's Bluetooth off for it (docs/carriers.md)."
        )
    if isinstance(error, TimeoutError | BaseBumbleError) and not isinstance(error, ValueError):
        return RadioOff("The Bluetooth adapter does not answer.", "Unplug it and plug it in again.")
    return RadioOff(f"There is no Bluetooth adapter called {adapter}.", "Plug one in, or name another in the settings.")


class _RefusePairing(PairingDelegate):
    async def accept(self) -> bool:
        return False


class LowEnergyRadio:
    """A `Radio`."""

    def __init__(self, transport: Transport, accept: Accept, met: Met, entropy: Entropy) -> None:
        self._transport = transport
        self._accept = accept
        self._met = met
        self._entropy = entropy
        self._people = People()
        self._sought: dict[bytes, list[DeviceHost]] = {}
        self._new_people = True
        self._wake = asyncio.Event()  # the adapter has to be told something
        self._seen: Sightings[hci.Address] = Sightings()
        self._told: dict[DeviceHost, float] = {}
        self._read: dict[bytes, list[bytes]] = {}  # announcements, and the meetings that were recognised
        self._looking_at = self._looks = 0
        self._streams: set[CocStream] = set()
        self._connecting: dict[hci.Address, asyncio.Task[Connection]] = {}
        self._one_at_a_time = asyncio.Lock()  # adapters make one connection at a time
        self._tasks: set[asyncio.Task[Any]] = set()
        self._retired = self._given_back = False
        self._device = Device.from_config_with_hci(self._configuration(), transport.source, transport.sink)
        self._beacon = Beacon(self._device)
        self._device.pairing_config_factory = lambda _: PairingConfig(delegate=_RefusePairing())

    def _configuration(self) -> DeviceConfiguration:
        return DeviceConfiguration(
            name=self._entropy.bytes(4).hex(),
            address=self._new_address(),
            irk=self._entropy.bytes(16),
            gap_service_enabled=False,  # nothing to read for who connects out of curiosity
            gatt_service_enabled=False,
        )

    def _new_address(self) -> hci.Address:
        """A resolvable private address under a key that is thrown away: nobody can resolve it."""
        return hci.Address.generate_private_address(self._entropy.bytes(16))

    # -- the radio's interface

    async def power_on(self) -> None:
        device = self._device
        await device.power_on()
        device.create_l2cap_server(CHANNEL, handler=self._on_channel)
        device.on(device.EVENT_CONNECTION, self._on_connection)
        device.on(device.EVENT_ADVERTISEMENT, self._on_advertisement)
        self._spawn(self._announce())

    def serve(self, people: People) -> None:
        if people.own != self._people.own or bool(people.sought) != bool(self._people.sought):
            self._new_people = True
            self._wake.set()
        if people.sought != self._people.sought:
            self._sought = {}
            for host in people.sought:
                self._sought.setdefault(host.meeting, []).append(host)
            self._read.clear()
            self._told.clear()
        self._people = people

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:  # noqa: ARG002 - addresses do not last
        address = self._seen.next(host.meeting, asyncio.get_running_loop().time())
        if self._retired or address is None:
            raise not_near()
        # Nothing that an adapter was asked to do is broken off half-way. What a caller that gave up gets is ended.
        opening = self._spawn(self._open_stream(address))
        try:
            async with asyncio.timeout(DIAL_S):
                return await asyncio.shield(opening)
        except BaseException as error:
            opening.add_done_callback(_end_it)
            if not isinstance(error, BaseBumbleError | OSError | TimeoutError):
                raise
            self._seen.forget(host.meeting, address)
            raise no_answer() from error

    async def _open_stream(self, address: hci.Address) -> CocStream:
        """Radio being what it is, a connection that was just made may be gone again at once."""
        for _ in range(TRIES):
            connection = self._connected(address) or await self._connect(address)
            stream = await self._stream_over(connection)
            if stream is not None:
                self._streams.add(stream)
                return stream
            await asyncio.sleep(
                self._entropy.bytes(1)[0] / 256 * 2 * YIELD_S
            )  # two who got into each other's way do not again
        raise no_answer()

    async def _stream_over(self, connection: Connection) -> CocStream | None:
        """None when the connection is gone or only seems to stand."""
        if not self._stands(connection):  # it was told to be made and to be gone in one breath
            return None
        try:
            async with asyncio.timeout(OPEN_CHANNEL_S):
                stream = await open_stream(connection, self._stream_ended)
        except TimeoutError:
            await self._disconnect(connection)
        except asyncio.CancelledError:  # bumble cancels what waits for a connection that went away
            if self._given_back:
                raise
        else:
            if not stream.over:
                return stream
        return None

    def places(self) -> tuple[Place, ...]:
        return ()  # its addresses are private and last minutes

    async def lost(self) -> RadioOff:
        await asyncio.shield(self._transport.source.terminated)
        return RadioOff("The Bluetooth adapter is gone.", "Plug it in again.")

    async def retire(self) -> None:
        self._retired = True
        self._wake.set()
        self._device.l2cap_channel_manager.le_coc_servers.pop(PSM, None)
        if self._tasks:  # they end by themselves now, unless the adapter is gone
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        await self._give_back()

    async def _give_back(self) -> None:
        if not self._retired or self._streams or self._given_back:
            return
        self._given_back = True
        with contextlib.suppress(BaseBumbleError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                for connection in tuple(self._device.connections.values()):
                    await connection.disconnect()
                await self._device.power_off()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        with contextlib.suppress(Exception):  # an adapter that was pulled out
            await self._transport.close()

    # -- being found

    async def _announce(self) -> None:
        """The one task that tells the adapter what to show and whether to listen."""
        while not self._retired:
            self._new_people = False
            with contextlib.suppress(BaseBumbleError):
                await self._begin_anew()
            shown = self._announcements()
            until = asyncio.get_running_loop().time() + ROTATE_S
            turn = 0
            while not self._retired and not self._new_people and asyncio.get_running_loop().time() < until:
                if shown:  # an adapter stops showing itself when somebody connects
                    with contextlib.suppress(BaseBumbleError):
                        await self._beacon.show(shown[turn % len(shown)])
                turn += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PART_S):
                        await self._wake.wait()
                self._wake.clear()
        with contextlib.suppress(BaseBumbleError):
            await self._beacon.hide()
            if self._device.is_scanning:
                await self._device.stop_scanning()

    def _announcements(self) -> list[bytes]:
        """For everybody who may find this device, in pieces that are shown in turn."""
        own, now_s = self._people.own, int(time.time())
        groups = [own[start : start + MAX_TAGS] for start in range(0, len(own), MAX_TAGS)]
        return [part for group in groups for part in parts(announce(group, now_s, self._entropy), self._beacon.tags)]

    async def _begin_anew(self) -> None:
        """Another address. Adapters change it only while they do nothing, so everything stops for a moment."""
        device = self._device
        await self._beacon.hide()
        if device.is_scanning:
            await device.stop_scanning()
        device.random_address = self._new_address()
        await device.send_sync_command(hci.HCI_LE_Set_Random_Address_Command(random_address=device.random_address))
        if self._people.sought:
            await device.start_scanning(active=False, scan_interval=100, scan_window=60)

    # -- finding

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if not advertisement.is_connectable or not self._sought or self._retired:
            return
        for announcement in announcements_in(advertisement.data_bytes):
            for meeting in self._recognised(announcement):
                self._near(meeting, advertisement.address)

    def _recognised(self, announcement: bytes) -> list[bytes]:
        found = self._read.get(announcement)
        if found is not None:
            return found
        now_s = int(time.time())
        if now_s != self._looking_at:
            self._looking_at, self._looks = now_s, 0
        self._looks += 1
        if self._looks > LOOKS_PER_S:
            return []
        if len(self._read) >= REMEMBERED:
            self._read.clear()
        found = self._read[announcement] = recognised(whole(announcement), tuple(self._sought), now_s)
        return found

    def _near(self, meeting: bytes, address: hci.Address) -> None:
        now = asyncio.get_running_loop().time()
        is_new = self._seen.add(meeting, address, now)
        for host in self._sought.get(meeting, ()):
            if is_new or now - self._told.get(host, -MET_S) >= MET_S:
                self._told[host] = now
                self._met(host)

    # -- connections

    def _connected(self, address: hci.Address) -> Connection | None:
        """The newest, if two were made at the same moment."""
        return next((c for c in reversed(self._device.connections.values()) if c.peer_address == address), None)

    async def _connect(self, address: hci.Address) -> Connection:
        task = self._connecting.get(address)
        if task is None:
            task = self._connecting[address] = self._spawn(self._make_connection(address))
            task.add_done_callback(lambda _: self._connecting.pop(address, None))
        return await asyncio.shield(task)

    async def _make_connection(self, address: hci.Address) -> Connection:
        async with self._one_at_a_time:
            if bytes(self._device.random_address) > bytes(address):
                await self._let_the_other_one_connect(address)
            for _ in range(3):
                if (connection := self._connected(address)) is not None:
                    return connection
                connection = await self._device.connect_le(
                    address, own_address_type=hci.OwnAddressType.RANDOM, timeout=CONNECT_S
                )
                if connection.role != hci.Role.CENTRAL:
                    # bumble takes any connection that comes for the one that was asked for. Ours is still being made.
                    with contextlib.suppress(BaseBumbleError):
                        await self._device.cancel_connection()  # type: ignore[no-untyped-call]
                if connection.peer_address == address:
                    return connection
        raise no_answer()

    async def _let_the_other_one_connect(self, address: hci.Address) -> None:
        """When two find each other they dial at the same moment; then one connection is enough."""
        came = asyncio.Event()

        def on_connection(connection: Connection) -> None:
            if connection.peer_address == address:
                came.set()

        self._device.on(self._device.EVENT_CONNECTION, on_connection)
        try:
            async with asyncio.timeout(YIELD_S):
                await came.wait()
        except TimeoutError:
            pass
        finally:
            self._device.remove_listener(self._device.EVENT_CONNECTION, on_connection)

    def _on_connection(self, connection: Connection) -> None:
        if connection.transport == PhysicalTransport.LE:
            self._wake.set()
            connection.once(connection.EVENT_DISCONNECTION, lambda _: self._wake.set())
            self._end_if_idle_later(connection)

    def _end_if_idle_later(self, connection: Connection) -> None:
        # Who made the connection ends it; the other one waits longer, for a caller that makes it and says nothing.
        delay_s = IDLE_S if connection.role == hci.Role.CENTRAL else 10 * IDLE_S
        asyncio.get_running_loop().call_later(delay_s, self._end_if_idle, connection)

    def _end_if_idle(self, connection: Connection) -> None:
        busy = self._retired or any(stream.channel.connection is connection for stream in self._streams)
        if not busy and self._stands(connection):
            self._spawn(self._disconnect(connection))

    def _stands(self, connection: Connection) -> bool:
        return self._device.connections.get(connection.handle) is connection

    async def _disconnect(self, connection: Connection) -> None:
        with contextlib.suppress(BaseBumbleError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await connection.disconnect()

    def _on_channel(self, channel: l2cap.LeCreditBasedChannel) -> None:
        there = sum(stream.channel.connection is channel.connection for stream in self._streams)
        stream = CocStream(channel, self._stream_ended)
        self._streams.add(stream)
        if self._retired or there >= MAX_STREAMS:
            stream.abort()
        else:
            self._accept(stream)

    def _stream_ended(self, stream: CocStream) -> None:
        self._streams.discard(stream)
        if self._retired:
            self._spawn(self._give_back())
        else:
            self._end_if_idle_later(stream.channel.connection)

    def _spawn(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to who waits for it


def _end_it(opening: asyncio.Task[CocStream]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().abort()


__all__ = ["LowEnergyRadio", "open_radio"]
