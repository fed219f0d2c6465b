"""The self-test of a relay or a network: does it answer, is it the right one, does a mailbox work, and how fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from roost.crypto import Entropy, PacketPublic, capability_hash
from roost.errors import RoostError, Unreachable
from roost.network.dial import Connect, connect_relay
from roost.network.direct.visiting import visiting
from roost.network.entropy import SYSTEM_ENTROPY
from roost.network.errors import RelayKeyChanged, RelayTooNew, answered_wrongly
from roost.network.federation import open_answer, seal_request
from roost.network.identity import read_info
from roost.network.link import Link
from roost.wire.addresses import DeviceHost, OnionHost
from roost.wire.links import RelayLink
from roost.wire.mailbox import (
    Create,
    Delete,
    GetInfo,
    Grant,
    MailboxKind,
    Packet,
    Put,
    Right,
    SignedInfo,
    Trim,
)
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE

STEP_S = 10.0

T = TypeVar("T")


@dataclass
class CheckReport:
    """What was found. `steps_ms` holds, in order, how long each step took: connect, create, put, deliver, trim, delete,
    packet (a sealed `get_info`, as another relay would forward it); of an onion network, directory, entry, create,
    subscribe, put, deliver, trim, delete. `problem` is what stopped the test, or None."""

    reachable: bool = False
    key_right: bool = False
    carrier: str = ""  # raw or websocket; of a relay at home, the carrier's name; onion
    open: bool = False  # anyone may create mailboxes
    software: str = ""
    steps_ms: dict[str, float] = field(default_factory=dict)
    problem: RoostError | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None


async def check_relay(
    link: RelayLink, *, entropy: Entropy = SYSTEM_ENTROPY, connect: Connect = connect_relay
) -> CheckReport:
    """Test a relay with a mailbox of one's own, which is deleted again. Raises nothing of Roost's: see `problem`."""
    report = CheckReport()
    try:
        await _check(link, entropy, connect, report)
    except RoostError as error:
        report.problem = error
        report.reachable |= isinstance(error, (RelayKeyChanged, RelayTooNew))
        report.key_right |= isinstance(error, RelayTooNew)
    return report


async def _check(relay: RelayLink, entropy: Entropy, connect: Connect, report: CheckReport) -> None:
    if isinstance(relay.address, DeviceHost):
        async with visiting(relay.address, entropy) as visit:
            await _check_link(visit.link(), relay, entropy, report)
    elif isinstance(relay.address, OnionHost):
        from roost.network.onion.check import check_network  # as in network.network

        report.carrier, report.open = "onion", True
        nodes = await check_network(relay, entropy, connect, report.steps_ms)
        report.reachable = report.key_right = True
        report.software = f"{nodes} nodes"
    else:
        await _check_link(connect(relay.address), relay, entropy, report)


async def _check_link(connecting: Awaitable[Link], relay: RelayLink, entropy: Entropy, report: CheckReport) -> None:
    link = await _timed(report, "connect", connecting)
    try:
        report.reachable = report.key_right = True
        report.carrier, report.open, report.software = link.carrier, link.info.open, link.info.software
        await _check_mailbox(link, relay.access, entropy, report)
        await _timed(report, "packet", _check_packet(link, entropy))
    finally:
        await link.close()


async def _check_mailbox(link: Link, access: str, entropy: Entropy, report: CheckReport) -> None:
    admin, get, put = (entropy.bytes(CAPABILITY_SIZE) for _ in range(3))
    grants = (
        Grant(capability_hash(admin), Right.ADMIN),
        Grant(capability_hash(get), Right.GET),
        Grant(capability_hash(put), Right.PUT),
    )
    arrived: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    envelope = entropy.bytes(ENVELOPE_SIZE)

    def deliver(number: int, delivered: bytes) -> None:
        if delivered == envelope and not arrived.done():
            arrived.set_result(number)

    await _timed(report, "create", link.call(Create(MailboxKind.ORDINARY, grants, access.encode()), timeout_s=STEP_S))
    try:
        await link.subscribe(get, 0, deliver, timeout_s=STEP_S)
        began = time.perf_counter()
        await _timed(report, "put", link.call(Put(put, envelope), timeout_s=STEP_S))
        number = await _delivered(arrived)
        report.steps_ms["deliver"] = (time.perf_counter() - began) * 1000
        await _timed(report, "trim", link.call(Trim(admin, number), timeout_s=STEP_S))
    finally:
        await _timed(report, "delete", link.call(Delete(admin), timeout_s=STEP_S))


async def _delivered(arrived: asyncio.Future[int]) -> int:
    try:
        async with asyncio.timeout(STEP_S):
            return await arrived
    except TimeoutError as error:
        raise Unreachable(
            "The relay stored an envelope but did not deliver it.", hint="Look at the relay's log."
        ) from error


async def _check_packet(link: Link, entropy: Entropy) -> None:
    packet, key = seal_request(PacketPublic(link.info.packet_key.public), GetInfo(), entropy)
    answer = open_answer(key, await link.call(Packet(packet), timeout_s=STEP_S))
    if not isinstance(answer, SignedInfo):
        raise answered_wrongly()
    read_info(answer, link.info.key)


async def _timed(report: CheckReport, step: str, work: Awaitable[T]) -> T:
    began = time.perf_counter()
    result = await work
    report.steps_ms[step] = (time.perf_counter() - began) * 1000
    return result
