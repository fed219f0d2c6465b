"""This room against the real relay, in processes of its own that are killed and started again."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from roost.crypto import capability_hash
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY, BackoffPolicy, Network, check_relay, connect_relay
from roost.wire import mailbox as m
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE
from tests.network.relay_process import RelayProcess, relay_process
from tests.network.tiny_relay import TinyRelay, eventually

QUICK = BackoffPolicy(first_s=0.05, most_s=0.3)


class Box:
    """A mailbox's capabilities, and what was read from it."""

    def __init__(self) -> None:
        self.admin, self.get, self.put = (SYSTEM_ENTROPY.bytes(32) for _ in range(3))
        self.got: dict[int, bytes] = {}

    def create(self) -> m.Create:
        caps = ((self.admin, m.Right.ADMIN), (self.get, m.Right.GET), (self.put, m.Right.PUT))
        return m.Create(m.MailboxKind.ORDINARY, tuple(m.Grant(capability_hash(cap), right) for cap, right in caps))

    def after(self) -> int:
        return max(self.got, default=0)

    def deliver(self, number: int, envelope: bytes) -> None:
        self.got[number] = envelope


def envelope(number: int) -> bytes:
    return number.to_bytes(4, "big") * (ENVELOPE_SIZE // 4)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RelayProcess]:
    async with relay_process(tmp_path / "relay") as relay:
        yield relay


@pytest.fixture
def network() -> Callable[[], Network]:
    return lambda: Network(SYSTEM_ENTROPY, lambda *_: None, backoff=QUICK)


async def test_the_self_test(relay: RelayProcess) -> None:
    report = await check_relay(relay.link)
    assert report.problem is None
    assert (report.reachable, report.key_right, report.carrier, report.open) == (True, True, "raw", False)
    assert list(report.steps_ms) == ["connect", "create", "put", "deliver", "trim", "delete", "packet"]
    wrong = await check_relay(msgspec.structs.replace(relay.link, access="guess"))
    assert wrong.problem is not None
    assert wrong.problem.code == "not_admitted"


async def test_what_was_acknowledged_survives_a_kill_and_the_subscription_goes_on(
    relay: RelayProcess, network: Callable[[], Network]
) -> None:
    box, stored = Box(), set[bytes]()
    async with network() as net:
        net.set_relays([relay.link])
        address = relay.link.address
        await net.call(address, box.create())
        subscription = net.subscribe(address, box.get, box.after, box.deliver)
        await asyncio.wait_for(subscription.caught_up.wait(), 5)

        async def put(number: int) -> None:
            while True:
                try:
                    await net.call(address, m.Put(box.put, envelope(number)))
                except Unreachable:
                    await asyncio.sleep(0.02)
                else:
                    stored.add(envelope(number))
                    return

        writing = [asyncio.ensure_future(put(number)) for number in range(300)]
        await eventually(lambda: len(stored) > 20)
        await relay.stop(signal.SIGKILL)
        await relay.start()
        await asyncio.wait_for(asyncio.gather(*writing), 20)
        await eventually(lambda: set(box.got.values()) == stored)
        assert len(stored) == 300


async def test_a_drained_relay_says_when_to_come_back(relay: RelayProcess, network: Callable[[], Network]) -> None:
    async with network() as net:
        net.set_relays([relay.link])
        key = relay.link.address.key
        assert await net.connected(key, 5)
        began = time.monotonic()
        assert await relay.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
        assert not net.reachable(key)
        await relay.start()
        net.retry_now()
        assert await net.connected(key, 5)


async def test_as_a_websocket(relay: RelayProcess) -> None:
    link = await connect_relay(relay.link.address, raw=False)
    assert link.carrier == "websocket"
    assert link.info.key == relay.link.address.key
    answers = await asyncio.gather(*(link.call(m.Ping()) for _ in range(100)))
    assert answers == [m.Done()] * 100
    await link.close()


async def test_another_key_and_another_name(relay: RelayProcess) -> None:
    address = relay.link.address
    with pytest.raises(Unreachable) as caught:
        await connect_relay(msgspec.structs.replace(address, key=TinyRelay().key.public.raw))
    assert caught.value.code == "relay_key_changed"
    link = await connect_relay(msgspec.structs.replace(address, host="relay.invalid"), resolved_ip=address.host)
    await link.close()


async def test_federated_over_two_relays(relay: RelayProcess, tmp_path: Path, network: Callable[[], Network]) -> None:
    box = Box()
    async with relay_process(tmp_path / "theirs", access="theirs") as other, network() as mine, network() as theirs:
        mine.set_relays([relay.link])
        theirs.set_relays([other.link])
        address = other.link.address
        assert mine.route(address) == "federated"
        await theirs.call(address, box.create())
        subscription = theirs.subscribe(address, box.get, box.after, box.deliver)
        await asyncio.wait_for(subscription.caught_up.wait(), 5)
        hold = bytes(16)
        blob = m.PutBlob(box.put, hold, bytes(range(32)), SYSTEM_ENTROPY.bytes(BLOB_SIZE))
        assert await mine.call(address, blob) == m.Done()
        put = m.Put(box.put, envelope(1), needs=(m.Needs(hold, 1),))
        stored = await mine.call(address, put)
        assert isinstance(stored, m.Stored)
        assert await mine.call(address, put) == stored  # idempotent by the envelope's hash
        await eventually(lambda: list(box.got.values()) == [envelope(1)])
        assert await theirs.call(address, m.GetBlob(box.get, blob.blob)) == m.BlobData(blob.data)
        assert await mine.call(address, m.GetBlob(box.get, blob.blob)) == m.BlobData(blob.data)
        await asyncio.gather(*(mine.call(address, m.Put(box.put, envelope(each))) for each in range(2, 60)))
        await eventually(lambda: len(box.got) == 59)
        page = await mine.call(address, m.Get(box.get, 0))
        assert isinstance(page, m.Entries)
        assert page.more
        with pytest.raises(Refused) as caught:
            await mine.call(address, m.Put(SYSTEM_ENTROPY.bytes(32), envelope(1)))
        assert caught.value.code == "denied"
        card = m.PutCard(bytes(32), SYSTEM_ENTROPY.bytes(32), 1, b"sealed card", int(time.time()) + 3_600)
        await theirs.call(address, card)
        assert await mine.call(address, m.GetCard(bytes(32))) == m.CardData(b"sealed card")

        await other.stop(signal.SIGKILL)
        with pytest.raises(Unreachable):
            await mine.call(address, m.Put(box.put, envelope(99)))
        assert mine.reachable(relay.link.address.key)
        await other.start()
        async with asyncio.timeout(10):
            while True:
                try:
                    await mine.call(address, m.Put(box.put, envelope(99)))
                    break
                except Unreachable:
                    await asyncio.sleep(0.1)
        await eventually(lambda: envelope(99) in box.got.values())
