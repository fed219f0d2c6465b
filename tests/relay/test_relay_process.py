"""A real relay process: both carriers, crashes, drain, hostile bytes, the operator's view."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import stat
import time
import urllib.request
from pathlib import Path

import pytest
from relay_core import capability, create, envelope, name32
from relay_process import Inbox, RelayProcess, launch, linked, running

from roost.crypto import capability_hash
from roost.errors import Refused, Unreachable
from roost.network import Link, check_relay
from roost.wire.codec import encode
from roost.wire.frames import frame
from roost.wire.mailbox import (
    Call,
    CardData,
    ChangeGrants,
    Delete,
    Done,
    Entries,
    Get,
    GetCard,
    Ping,
    Put,
    PutCard,
    Reply,
    Stored,
    Subscribe,
    Trim,
)
from roost.wire.sizes import MAX_FRAME

PUT, GET, ADMIN = capability("a put"), capability("a get"), capability("a admin")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "relay"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running(tmp_path_factory.mktemp("relay") / "data") as relay:
        yield relay


async def make_box(relay: RelayProcess, link: Link, name: str = "a") -> None:
    assert await link.call(create(name, admission=relay.access)) == Done()


async def refusal(link: Link, request: object) -> str:
    with pytest.raises(Refused) as caught:
        await link.call(request)  # type: ignore[arg-type]
    return caught.value.code


async def texts(link: Link, get: bytes = GET, after: int = 0) -> list[str]:
    answer = await link.call(Get(get, after))
    assert isinstance(answer, Entries)
    return [entry.envelope.rstrip(b"\0").decode() for entry in answer.entries]


# --- serving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "websocket"])
@pytest.mark.parametrize("loop", [True, False], ids=["uvloop", "asyncio"])
async def test_the_operators_own_check_passes(data: Path, raw: bool, loop: bool) -> None:
    with running(data, uvloop=loop) as relay:
        async with linked(relay, raw=raw) as link:
            assert link.carrier == ("raw" if raw else "websocket")
            inbox = Inbox()
            await make_box(relay, link)
            await link.subscribe(GET, 0, inbox)
            first = await link.call(Put(PUT, envelope("one")))
            assert isinstance(first, Stored)
            assert await inbox.has(1) == [(first.entry, envelope("one"))]
            await link.call(Trim(ADMIN, first.entry))
            assert await texts(link) == []
        report = await check_relay(relay.link)
        assert report.ok, report.problem


async def test_a_late_subscriber_gets_everything_in_order(shared: RelayProcess) -> None:
    async with linked(shared) as writer, linked(shared) as reader:
        await make_box(shared, writer, "late")
        put, get = capability("late put"), capability("late get")
        await asyncio.gather(*(writer.call(Put(put, envelope(str(n)))) for n in range(100)))
        inbox = Inbox()
        subscribing = asyncio.create_task(reader.subscribe(get, 0, inbox))
        await asyncio.gather(*(writer.call(Put(put, envelope(str(n)))) for n in range(100, 200)))
        await subscribing
        got = await inbox.has(200)
        assert [body for _, body in got] == [envelope(str(n)) for n in range(200)]
        numbers = [number for number, _ in got]
        assert numbers == sorted(set(numbers))
        resumed = Inbox()
        async with linked(shared) as other:
            await other.subscribe(get, numbers[150], resumed)
            assert [body for _, body in await resumed.has(49)] == [envelope(str(n)) for n in range(151, 200)]


async def test_ephemeral_envelopes_reach_live_subscribers_only(shared: RelayProcess) -> None:
    async with linked(shared) as link:
        await make_box(shared, link, "eph")
        inbox = Inbox()
        await link.subscribe(capability("eph get"), 0, inbox)
        assert await link.call(Put(capability("eph put"), envelope("typing"), ephemeral=True)) == Stored(0)
        assert await inbox.has(1) == [(0, envelope("typing"))]
        assert await texts(link, capability("eph get")) == []


async def test_a_revoked_reader_gets_nothing_more(shared: RelayProcess) -> None:
    async with linked(shared) as link:
        await make_box(shared, link, "rev")
        inbox = Inbox()
        await link.subscribe(capability("rev get"), 0, inbox)
        await link.call(ChangeGrants(capability("rev admin"), (), (capability_hash(capability("rev get")),)))
        await link.call(Put(capability("rev put"), envelope("secret")))
        await link.call(Ping())
        assert inbox.got == []
        assert await refusal(link, Subscribe(capability("rev get"), 0)) == "denied"
        await link.call(Delete(capability("rev admin")))


async def test_a_slow_reader_is_left_behind_and_catches_up(shared: RelayProcess) -> None:
    """It stops reading while 40 MB come for it; the relay buffers little of that, and nothing is lost."""
    count = 2_000
    async with linked(shared) as writer, linked(shared) as reader:
        await make_box(shared, writer, "slow")
        inbox = Inbox()
        await reader.subscribe(capability("slow get"), 0, inbox)
        reader._connection._transport.pause_reading()  # type: ignore[attr-defined]
        for start in range(0, count, 200):
            puts = (Put(capability("slow put"), envelope(str(n))) for n in range(start, start + 200))
            await asyncio.gather(*(writer.call(put) for put in puts))
        assert len(inbox.got) < count
        reader._connection._transport.resume_reading()  # type: ignore[attr-defined]
        got = await inbox.has(count, 30)
        assert [body for _, body in got] == [envelope(str(n)) for n in range(count)]


async def test_admission_needs_the_access_secret(shared: RelayProcess) -> None:
    async with linked(shared) as link:
        assert await refusal(link, create("x")) == "not_admitted"
        assert await refusal(link, create("x", admission=b"wrong")) == "not_admitted"
        card = PutCard(name32("p"), capability("w"), 1, b"card", int(time.time()) + 9_000, shared.access)
        assert await link.call(card) == Done()
        assert await link.call(GetCard(name32("p"))) == CardData(b"card")


def test_health_and_unknown_paths(shared: RelayProcess) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(f"https://{shared.listen}/health", context=context, timeout=5) as answer:
        assert json.load(answer) == {"status": "ok"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"https://{shared.listen}/secrets", context=context, timeout=5)
    assert caught.value.code == 404
    caught.value.close()


def test_metrics_are_aggregate_numbers(data: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running(data, metrics_listen=f"127.0.0.1:{port}") as relay:

        async def use() -> None:
            async with linked(relay) as link:
                await make_box(relay, link)
                await link.call(Put(PUT, envelope("x")))
                await refusal(link, Get(PUT, 0))

        asyncio.run(use())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    assert "roost_mailboxes 1\n" in text
    assert 'roost_requests_total{kind="Put"} 1\n' in text
    assert 'roost_refusals_total{code="denied"} 1\n' in text
    assert all(line.startswith(("#", "roost_")) for line in text.splitlines())
    assert "127.0.0.1" not in text


async def test_a_full_relay_refuses_and_keeps_what_it_has(data: Path) -> None:
    with running(data, quotas={"total_gib": 0.0001}) as relay:
        async with linked(relay) as link:
            await make_box(relay, link)
            results = await asyncio.gather(
                *(link.call(Put(PUT, envelope(str(n)))) for n in range(40)), return_exceptions=True
            )
            stored = [n for n, result in enumerate(results) if isinstance(result, Stored)]
            assert {error.code for error in results if isinstance(error, Refused)} == {"full"}
            assert stored == list(range(len(stored)))
            assert await texts(link) == [str(n) for n in stored]
            await link.call(Trim(ADMIN, 2**53))
            assert isinstance(await link.call(Put(PUT, envelope("room"))), Stored)


# --- staying ----------------------------------------------------------------------------------------------------------


async def test_what_was_acknowledged_survives_sigkill(data: Path) -> None:
    acknowledged: list[int] = []
    enough = asyncio.Event()
    with running(data) as relay:
        async with linked(relay) as link:
            await make_box(relay, link)

            async def put(number: int) -> None:
                await link.call(Put(PUT, envelope(str(number))))
                acknowledged.append(number)
                if len(acknowledged) == 100:
                    enough.set()

            puts = [asyncio.create_task(put(n)) for n in range(400)]
            await enough.wait()
            relay.kill()
            results = await asyncio.gather(*puts, return_exceptions=True)
            assert any(isinstance(result, Unreachable) for result in results)
        port, link_before = relay.port, relay.link
    with running(data, f"127.0.0.1:{port}") as relay:
        assert relay.link == link_before
        async with linked(relay) as link:
            inbox = Inbox()
            await link.subscribe(GET, 0, inbox)
            await inbox.has(len(acknowledged))
            stored = {body for _, body in inbox.got}
            assert {envelope(str(n)) for n in acknowledged} <= stored
            again = await link.call(Put(PUT, envelope(str(acknowledged[0]))))
            assert again == Stored(next(number for number, body in inbox.got if body == envelope(str(acknowledged[0]))))
            before = max(number for number, _ in inbox.got)
            fresh = await link.call(Put(PUT, envelope("fresh")))
            assert isinstance(fresh, Stored)
            assert fresh.entry > before


async def test_drain_says_goodbye_answers_what_is_due_and_exits_0(data: Path) -> None:
    with running(data) as relay:
        async with linked(relay) as link, linked(relay, raw=False) as idle:
            await make_box(relay, link)
            puts = [asyncio.create_task(link.call(Put(PUT, envelope(str(n))))) for n in range(300)]
            await puts[0]
            began = time.monotonic()
            code = await asyncio.to_thread(relay.terminate)
            assert code == 0
            assert time.monotonic() - began < 5
            results = await asyncio.gather(*puts, return_exceptions=True)
            stored = [n for n, result in enumerate(results) if isinstance(result, Stored)]
            assert stored
            over = await asyncio.wait_for(idle.ended(), 5)
            assert over.retry_after_ms is None or over.retry_after_ms >= 500
    with running(data) as relay:
        async with linked(relay) as link:
            inbox = Inbox()
            await link.subscribe(GET, 0, inbox)
            await inbox.has(len(stored))
            assert {envelope(str(n)) for n in stored} <= {body for _, body in inbox.got}


def files(data: Path, pattern: str) -> list[Path]:
    return list(data.rglob(pattern))


def check_modes(data: Path) -> None:
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    secrets = [*files(data, "*.key"), *files(data, "*.crt"), *files(data, "access")]
    assert len(secrets) == 5
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_secrets_are_the_owners_alone_and_the_link_stays(data: Path) -> None:
    with running(data) as relay:
        first = relay.link
        assert first.access
        check_modes(data)
        async with linked(relay) as link:
            await make_box(relay, link)
        stored = b"".join(path.read_bytes() for path in files(data, "relay.db*"))
        assert capability_hash(ADMIN) in stored
        assert ADMIN not in stored
    with running(data, f"127.0.0.1:{first.address.port}") as relay:
        assert relay.link == first
    with running(data, access="given") as relay:
        assert relay.link.access == "given"
        assert relay.link.address.key == first.address.key
    with running(data, open=True, public_url="https://Relay.Example") as relay:
        assert relay.link.access == ""
        assert relay.link.address.endpoint == "relay.example:443"


def failure(process: object) -> dict[str, str]:
    out, _ = process.communicate(timeout=15)  # type: ignore[attr-defined]
    assert process.returncode == 1  # type: ignore[attr-defined]
    found: dict[str, str] = json.loads(out.splitlines()[-1])
    assert found["message"].endswith(".")
    assert found["hint"]
    return found


def test_what_is_wrong_is_said_clearly(data: Path, tmp_path: Path) -> None:
    with running(data) as relay:
        assert failure(launch(data))["error"] == "data_in_use"
        assert failure(launch(tmp_path / "other", relay.listen))["error"] == "port_in_use"
    (tmp_path / "file").write_text("x")
    assert failure(launch(tmp_path / "file"))["error"] == "data_unusable"
    assert failure(launch(data, "203.0.113.1:4443"))["error"] == "bad_listen"
    (data / "relay.key").write_text("damaged")
    assert failure(launch(data))["error"] == "bad_identity"


# --- hostile bytes ----------------------------------------------------------------------------------------------------


def secure(relay: RelayProcess, alpn: str | None = "roost/1") -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", relay.port), timeout=10))


def answer_of(connection: ssl.SSLSocket) -> bytes:
    """All that comes until the relay hangs up."""
    received = b""
    try:
        while data := connection.recv(65_536):
            received += data
    except (ConnectionError, ssl.SSLError):
        pass
    return received


HOSTILE = {
    "an empty frame": bytes(4),
    "an oversized frame": (MAX_FRAME + 1).to_bytes(4, "big"),
    "no msgpack": frame(b"\xc1garbage"),
    "not a call": frame(encode(("hello", "world"))),
    "many malformed calls": b"".join(frame(encode((n, (99,)))) for n in range(20)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_bytes_that_are_no_calls_end_their_own_link_only(shared: RelayProcess, data: bytes) -> None:
    with secure(shared) as connection:
        connection.sendall(data)
        answer_of(connection)
    asyncio.run(check_shared(shared))


async def check_shared(relay: RelayProcess) -> None:
    async with linked(relay) as link:
        assert await link.call(Ping()) == Done()


def test_random_bytes_on_every_carrier(shared: RelayProcess) -> None:
    chance = random.Random(7)
    for alpn in ("roost/1", "http/1.1", None):
        for _ in range(10):
            with secure(shared, alpn) as connection:
                connection.sendall(chance.randbytes(chance.randint(1, 3_000)) + b"\xff" * 8)
                connection.shutdown(socket.SHUT_WR)
                answer_of(connection)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n" + chance.randbytes(200))
            assert plain.recv(1_000) is not None
    asyncio.run(check_shared(shared))


def test_an_unknown_request_is_refused_by_its_id(shared: RelayProcess) -> None:
    with secure(shared) as connection:
        connection.sendall(frame(encode((7, (99, b"from the future")))) + frame(encode(Call(8, Ping()))))
        received = b""
        while encode(Reply(8, Done())) not in received:
            received += connection.recv(65_536)
        assert b"bad_request" in received


def test_too_many_connections_are_turned_away(data: Path) -> None:
    with running(data, quotas={"connections": 5}) as relay:
        connections = [secure(relay) for _ in range(5)]
        assert all(connection.recv(65_536) for connection in connections)
        with secure(relay) as sixth:
            assert answer_of(sixth) == b""
        connections.pop().close()
        time.sleep(0.2)
        with secure(relay) as again:
            assert again.recv(65_536)
        for connection in connections:
            connection.close()
