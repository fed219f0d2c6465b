"""Shared logs over real relays: made, granted, written and read at one's own relay and at another's; files and large
records beside them; nothing lost when an agent stops or a relay goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.agent import log_reader
from roost.agent.service import Service, create_profile
from roost.crypto import capability_hash
from roost.errors import SurroundingsError
from roost.messaging import logs, mailboxes, owners
from roost.messaging.records import LogGrant, LogKind, LogPut, LogState, OwnRelay, SharedLog
from roost.messaging.work import Work
from roost.wire.mailbox import RefusalCode
from tests.apps.processes import Relay

KEY, OWNER = b"k" * 32, b"g" * 32
GET, ADMIN = b"\xf0" * 32, b"\xf1" * 32
PUTS = [bytes([n]) * 32 for n in range(1, 100)]


class Member:
    def __init__(self, service: Service) -> None:
        self.service, self.landed = service, []

    @property
    def engine(self) -> Any:
        return self.service.engine

    @property
    def said(self) -> list[bytes]:
        return _SAID[self.service.engine.look().me.account]

    def log(self) -> SharedLog:
        (row,) = self.engine.look().find(SharedLog)
        return row

    def create(self, writers: list[bytes]) -> None:
        def make(work: Work) -> None:
            relay = mailboxes.primary_relay(work).link.address
            log = logs.create_log(work, OWNER, LogKind.GROUP, relay, get=GET, put=PUTS[0], admin=ADMIN, writers=writers)
            logs.add_key(work, log, KEY, 1)

        self.engine.step(make)

    def join(self, relay: Any, put: bytes) -> None:
        def make(work: Work) -> None:
            logs.add_key(work, logs.join_log(work, OWNER, LogKind.GROUP, relay, get=GET, put=put), KEY, 1)

        self.engine.step(make)

    def append(self, record: bytes, **more: Any) -> None:
        self.engine.step(lambda work: logs.append(work, work.find(SharedLog)[0], KEY, record, **more))

    async def hears(self, *records: bytes, within_s: float = 20) -> None:
        await self.until(lambda: self.said == list(records), within_s)

    async def until(self, reached: Callable[[], bool], within_s: float = 20) -> None:
        async with asyncio.timeout(within_s):
            while not reached():
                await self.engine.changed(0.1)


_SAID: dict[bytes, list[bytes]] = {}


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lands in any log is written down."""
    _SAID.clear()

    def heard(work: Work, landed: logs.Landed) -> None:
        _SAID.setdefault(work.me.account, []).append(landed.record)

    monkeypatch.setattr(owners, "deliver", heard)
    monkeypatch.setattr(log_reader, "ASK_FIRST_S", 0.2)
    monkeypatch.setattr(log_reader, "AGAIN_S", 0.2)
    monkeypatch.setattr(log_reader, "PROBE_S", 1.0)


@asynccontextmanager
async def member(folder: Path, name: str, relay: Relay) -> AsyncIterator[Member]:
    if not (folder / name).exists():
        await create_profile(folder / name, name, relay.link, None, "none")
    async with Service.open(folder / name) as service:
        made = Member(service)
        _SAID.setdefault(service.engine.look().me.account, [])
        yield made


@asynccontextmanager
async def two(folder: Path, at: tuple[Relay, Relay]) -> AsyncIterator[tuple[Member, Member]]:
    async with AsyncExitStack() as stack:
        ada, bert = [
            await stack.enter_async_context(member(folder, name, relay))
            for name, relay in zip(("Ada", "Bert"), at, strict=True)
        ]
        ada.create([capability_hash(put) for put in PUTS[1:]])
        await ada.until(lambda: not ada.engine.look().find(LogGrant) and ada.log().state == LogState.OPEN)
        bert.join(ada.log().relay, PUTS[1])
        yield ada, bert


async def test_two_write_and_read_in_one_order(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    async with two(tmp_path, at) as (ada, bert):
        for number in range(40):
            ada.append(b"record %d" % number)
        ada.append(b"long" * 9_000)
        await bert.until(lambda: len(bert.said) == 41)
        bert.append(b"answer")
        await ada.until(lambda: len(ada.said) == 42)
        await bert.until(lambda: len(bert.said) == 42)
        assert ada.said == bert.said == [*(b"record %d" % number for number in range(40)), b"long" * 9_000, b"answer"]
        await ada.until(lambda: not ada.engine.look().find(LogPut))
        await bert.until(lambda: not bert.engine.look().find(LogPut))


async def test_large_records_go_as_blobs_and_keep_their_place(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    record = os.urandom(700_000)
    async with two(tmp_path, at) as (ada, bert):
        ada.append(record)
        await ada.hears(record)
        ada.append(b"after")
        await bert.hears(record, b"after")


async def test_what_was_appended_survives_a_stop_and_a_relay_that_is_down(tmp_path: Path, relays: list[Relay]) -> None:
    at, large = (relays[0], relays[1]), os.urandom(1_500_000)
    async with two(tmp_path, at) as (ada, bert):
        await ada.hears()
        relays[0].stop()
        bert.append(b"while it is down")
        bert.append(large)
        ada.append(b"mine, while it is down")
        await asyncio.sleep(0.3)
    relays[0].start()
    async with member(tmp_path, "Ada", at[0]) as ada, member(tmp_path, "Bert", at[1]) as bert:
        await ada.until(lambda: len(ada.said) == 3)
        await bert.until(lambda: bert.said == ada.said)
        assert set(ada.said) == {b"mine, while it is down", b"while it is down", large}
        assert not ada.engine.look().find(LogPut)


async def test_a_full_disk_loses_nothing(
    tmp_path: Path, at: tuple[Relay, Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two(tmp_path, at) as (ada, bert):
        real, failures = logs.receive_all, []

        def full(work: Work, id: bytes, *more: Any) -> Any:
            if work.me.account == bert.engine.look().me.account and len(failures) < 3:
                failures.append(id)
                raise SurroundingsError("The disk is full.", code="disk_full")
            return real(work, id, *more)

        monkeypatch.setattr(logs, "receive_all", full)
        ada.append(b"hello")
        await bert.hears(b"hello")
        assert len(failures) == 3


async def test_a_revoked_writer_writes_no_more_and_a_sealed_log_takes_nothing(
    tmp_path: Path, relays: list[Relay]
) -> None:
    async with two(tmp_path, (relays[0], relays[0])) as (ada, bert):
        bert.append(b"allowed")
        await ada.hears(b"allowed")
        ada.engine.step(lambda work: logs.grant(work, ada.log(), revoke=[capability_hash(PUTS[1])]))
        await ada.until(lambda: not ada.engine.look().find(LogGrant))
        bert.append(b"not allowed")
        await bert.until(lambda: bert.engine.look().find(LogPut)[0].problem == RefusalCode.DENIED)
        ada.engine.step(lambda work: logs.seal(work, ada.log()))
        await ada.until(lambda: ada.log().state == LogState.SEALED)
        assert ada.said == [b"allowed"]


async def test_a_deleted_log_is_lost_to_its_readers(tmp_path: Path, at: tuple[Relay, Relay]) -> None:
    async with two(tmp_path, at) as (ada, bert):
        ada.append(b"last")
        await bert.hears(b"last")
        ada.engine.step(lambda work: logs.delete(work, ada.log()))
        await ada.until(lambda: not ada.engine.look().find(SharedLog))
        await bert.until(lambda: bert.log().state == LogState.LOST)


async def test_a_relay_that_is_left_is_read_as_anothers(tmp_path: Path, relays: list[Relay]) -> None:
    """A log at a relay that stops being an own one is followed through the relay that is left, and back."""
    async with two(tmp_path, (relays[0], relays[0])) as (ada, bert):
        ada.append(b"one")
        await bert.hears(b"one")
        own = bert.engine.look().find(OwnRelay)[0]
        from roost.wire.links import parse_relay_link

        other = OwnRelay((link := parse_relay_link(relays[1].link)).address.key, link, 1)

        def swap(work: Work) -> None:
            work.delete(own)
            work.put(other)

        bert.engine.step(swap)
        bert.engine.relays_changed()
        await bert.until(lambda: bert.engine.network.any_reachable())
        ada.append(b"two")
        await bert.hears(b"one", b"two")
        bert.append(b"three")
        await ada.hears(b"one", b"two", b"three")


async def test_what_is_ephemeral_reaches_live_readers_only(tmp_path: Path, relays: list[Relay]) -> None:
    async with two(tmp_path, (relays[0], relays[0])) as (ada, bert):
        ada.append(b"kept")
        await bert.hears(b"kept")
        ada.append(b"typing", ephemeral=True)
        await bert.hears(b"kept", b"typing")
        await ada.until(lambda: not ada.engine.look().find(LogPut))


async def test_more_than_is_kept_in_memory_is_asked_for_again(
    tmp_path: Path, relays: list[Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "HELD", 8)
    monkeypatch.setattr(log_reader, "BATCH", 4)
    async with two(tmp_path, (relays[0], relays[0])) as (ada, bert):
        await ada.hears()
    async with member(tmp_path, "Ada", relays[0]) as ada:
        records = [b"record %d" % number for number in range(100)]
        for record in records:
            ada.append(record)
        await ada.until(lambda: len(ada.said) == 100)
    async with member(tmp_path, "Bert", relays[0]) as bert:
        await bert.hears(*records)
