"""A relay at home: a real relay process that is met on a local network, by whoever holds its link and by nobody else.

It stands in a network namespace with one interface that leads nowhere, and so does what meets it.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from relay_core import capability, create, envelope
from relay_process import Inbox, RelayProcess, launch, linked, running

from roost.crypto import AgreementPublic, AgreementSecret
from roost.crypto.peer_link import PeerLinkInitiator
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY, Link, check_relay
from roost.network.direct.direct import Direct, Way
from roost.network.direct.lan import LanCarrier
from roost.network.direct.link import handshake
from roost.network.direct.streams import ByteStream
from roost.wire.addresses import DeviceHost
from roost.wire.mailbox import Done, Put
from tests.network.direct.one_network import ADDRESS, alone

ALONE = {"listen": "", "carriers": ["lan"]}


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with alone():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "relay"


@asynccontextmanager
async def device(own: AgreementSecret | None = None, seen: list[bytes] | None = None) -> AsyncIterator[Direct]:
    """Somebody's device, which looks for nobody yet; `seen` gets the keys of whoever comes."""
    direct = Direct(
        own or AgreementSecret.generate(SYSTEM_ENTROPY),
        [LanCarrier()],
        SYSTEM_ENTROPY,
        on_peer=lambda key, up: seen.append(key) if up and seen is not None else None,
        on_message=lambda *_: None,
        on_carriers=lambda: None,
    )
    await direct.start()
    try:
        yield direct
    finally:
        await direct.close()


def home_of(relay: RelayProcess) -> DeviceHost:
    assert isinstance(relay.link.address, DeviceHost)
    return relay.link.address


async def meet(direct: Direct, host: DeviceHost, within_s: float = 20) -> Link:
    """A link to a host, as soon as it is found."""
    direct.serve({}, [(host, Way())])
    async with asyncio.timeout(within_s):
        while True:
            try:
                return await direct.link(host)
            except Unreachable:
                await asyncio.sleep(0.1)


# --- serving ----------------------------------------------------------------------------------------------------------


async def test_who_holds_the_link_keeps_a_mailbox_there(data: Path) -> None:
    with running(data, **ALONE) as relay:
        assert relay.listen == ""
        async with device() as writer, device() as reader:
            writing, reading = await meet(writer, home_of(relay)), await meet(reader, home_of(relay))
            assert await writing.call(create("a", admission=relay.access)) == Done()
            inbox = Inbox()
            await reading.subscribe(capability("a get"), 0, inbox)
            await writing.call(Put(capability("a put"), envelope("at home")))
            assert [body for _, body in await inbox.has(1)] == [envelope("at home")]


async def test_the_operators_own_check_passes(data: Path) -> None:
    with running(data, **ALONE) as relay:
        report = await check_relay(relay.link)
        assert report.ok, report.problem
        assert report.carrier == "lan"
        assert set(report.steps_ms) == {"connect", "create", "put", "deliver", "trim", "delete", "packet"}


async def test_it_may_stand_at_an_address_besides(data: Path) -> None:
    """Two ways to the same mailboxes."""
    with running(data, carriers=["lan"]) as relay:
        assert relay.home is not None
        assert relay.home.access == relay.link.access
        async with device() as direct, linked(relay) as by_address:
            by_carrier = await meet(direct, relay.home.address)
            assert await by_carrier.call(create("a", admission=relay.access)) == Done()
            inbox = Inbox()
            await by_carrier.subscribe(capability("a get"), 0, inbox)
            await by_address.call(Put(capability("a put"), envelope("hello")))
            assert [body for _, body in await inbox.has(1)] == [envelope("hello")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_link_and_mailboxes_survive(data: Path, number: signal.Signals) -> None:
    async with device() as direct:
        with running(data, **ALONE) as relay:
            first, access = home_of(relay), relay.access
            link = await meet(direct, first)
            await link.call(create("a", admission=access))
            await link.call(Put(capability("a put"), envelope("kept")))
            relay.process.send_signal(number)
            assert relay.process.wait(10) == (0 if number is signal.SIGTERM else -signal.SIGKILL)
            await link.ended()
        with running(data, **ALONE) as relay:
            assert (home_of(relay), relay.access) == (first, access)
            link = await meet(direct, first)
            inbox = Inbox()
            await link.subscribe(capability("a get"), 0, inbox)
            assert [body for _, body in await inbox.has(1)] == [envelope("kept")]


async def test_who_is_linked_is_sent_away_when_it_stops(data: Path) -> None:
    with running(data, **ALONE) as relay:
        async with device() as direct:
            link = await meet(direct, home_of(relay))
            await link.call(create("a", admission=relay.access))
            assert relay.terminate() == 0
            assert (await link.ended()).retry_after_ms > 0


def test_the_keys_are_the_owners_alone(data: Path) -> None:
    with running(data, **ALONE):
        assert (data / "home.key").stat().st_mode & 0o777 == 0o600
    (data / "home.key").write_text("00")
    out, _ = launch(data, **ALONE).communicate(timeout=20)
    assert '"bad_identity"' in out


# --- whom it does not serve -------------------------------------------------------------------------------------------


async def test_the_access_secret_is_asked_for(data: Path) -> None:
    with running(data, **ALONE) as relay:
        async with device() as direct:
            link = await meet(direct, home_of(relay))
            with pytest.raises(Refused) as caught:
                await link.call(create("a", admission=b"another"))
            assert caught.value.code == "not_admitted"


async def test_who_does_not_know_the_meeting_finds_nobody_and_hears_nothing(data: Path) -> None:
    """Not even who knows the relay's key and where it is."""
    with running(data, **ALONE) as relay:
        known = home_of(relay)
        stranger = msgspec.structs.replace(known, meeting=bytes(16))
        async with device() as direct, device() as friend:
            direct.serve({}, [(stranger, Way())])
            await (await meet(friend, known)).call(create("a", admission=relay.access))
            with pytest.raises(Unreachable) as caught:
                await direct.link(stranger)
            assert caught.value.code == "not_near"
        _, stream = await asyncio.get_running_loop().create_connection(ByteStream, *listens_at(relay))
        own = AgreementSecret.generate(SYSTEM_ENTROPY)
        side = PeerLinkInitiator(own, AgreementPublic(known.key), stranger.meeting, 1, SYSTEM_ENTROPY)
        shaking = asyncio.create_task(handshake(stream, side))
        assert relay.terminate() == 0
        with pytest.raises(Unreachable):
            await shaking
        assert side.established is None
        await stream.close()


async def test_a_guest_is_another_one_each_time(tmp_path: Path) -> None:
    """The relay learns no key by which it would know a device again, or that a contact of the device's knows."""
    own = AgreementSecret.generate(SYSTEM_ENTROPY)
    seen: list[bytes] = []
    relay = AgreementSecret.generate(SYSTEM_ENTROPY)
    host = DeviceHost(relay.public.raw, SYSTEM_ENTROPY.bytes(16))
    async with device(relay, seen) as at_home:
        at_home.serve({host.meeting: Way()}, [])
        for _ in range(2):
            async with device(own) as visitor:
                visitor.guest_at = (host.key,)
                visitor.serve({}, [(host, Way())])
                async with asyncio.timeout(20):
                    while visitor.carrier_to(host.key) is None:  # noqa: ASYNC110 - found by the carrier itself
                        await asyncio.sleep(0.05)
    assert len(set(seen)) == len(seen) >= 2  # a slow machine may lose a link and make another
    assert own.public.raw not in seen


# --- the operator's view ----------------------------------------------------------------------------------------------


async def test_metrics_count_links_by_carrier(data: Path) -> None:
    port = free_port()
    with running(data, **ALONE, metrics_listen=f"127.0.0.1:{port}") as relay:
        async with device() as direct:
            link = await meet(direct, home_of(relay))
            await link.call(create("a", admission=relay.access))
            shown = await asyncio.to_thread(fetch, port)
            assert 'roost_carrier_links{carrier="lan"} 1' in shown.splitlines()
            assert "roost_connections 1" in shown.splitlines()


async def test_life_cycle_lines_name_nobody(data: Path) -> None:
    process = launch(data, **ALONE)
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    out, errors = process.communicate(timeout=10)
    assert out == ""
    lines = [line.rpartition("roost.relay:")[2] for line in errors.splitlines()]
    assert lines == ["carrier lan: ready", "ready", "stopping", "stopped"]


def listens_at(relay: RelayProcess) -> tuple[str, int]:
    """Where a neighbour could connect to, as one who tries every port would find out."""
    table = Path(f"/proc/{relay.process.pid}/net/tcp").read_text().splitlines()[1:]
    local = [fields[1] for fields in map(str.split, table) if fields[3] == "0A"]  # listening
    wanted = socket.inet_aton(ADDRESS)[::-1].hex().upper()
    (port,) = [int(port, 16) for address, _, port in (entry.partition(":") for entry in local) if address == wanted]
    return ADDRESS, port


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
