"""The local API over real sockets: answers, refusals, who may call, what a dead agent leaves."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from roost.agent import operations as ask
from roost.agent.api.client import Client, find_agent
from roost.agent.api.endpoint import MAX_SOCKET_PATH, Endpoint, read_endpoint, write_endpoint
from roost.agent.api.http import AgentGone
from roost.agent.api.server import serve
from roost.agent.events import MessageEvent
from roost.agent.views import ME, MessageState
from roost.errors import CallerError, PeerError, Refused, RoostError, Unreachable
from tests.agent.memory_backend import MemoryBackend, until


@pytest.fixture
async def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
async def endpoint(backend: MemoryBackend, tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with serve(backend, tmp_path, version="1.2.3") as endpoint:
        yield endpoint


@pytest.fixture
async def client(endpoint: Endpoint) -> Client:
    return Client(endpoint.socket)


@pytest.fixture
async def web(endpoint: Endpoint) -> AsyncIterator[aiohttp.ClientSession]:
    """As a program on localhost that read agent.json."""
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    async with aiohttp.ClientSession(endpoint.url, headers=headers) as session:
        yield session


async def test_answers_come_back_as_the_structs_that_the_backend_gave(client: Client) -> None:
    me = await client.call(ask.WhoAmI())
    assert (me.name, me.relays) == ("Alice", ("127.0.0.1:7",))
    (bob,) = await client.call(ask.Contacts())
    assert bob.name == "Bob"
    sent = await client.call(ask.Send(conversation="bob", text="hé\n\u2028 \U0001f600"))
    assert sent.state is MessageState.QUEUED
    (message,) = (await client.call(ask.Read(conversation="bob"))).messages
    assert (message.text, message.sender) == ("hé\n\u2028 \U0001f600", ME)
    assert message.sent_at.utcoffset() is not None


async def test_requests_arrive_unchanged(client: Client, backend: MemoryBackend) -> None:
    request = ask.Send(conversation="bob", text="x", files=("/a b",), reply_to="m1", expire_s=60, key="k", wait=None)
    await client.call(request)
    assert backend.calls == [request]


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("caller", CallerError, "unknown_conversation"),
        ("unreachable", Unreachable, "unreachable"),
        ("forged", PeerError, "not_authentic"),
        ("full", Refused, "full"),
        ("bug", RoostError, "internal"),
    ],
)
async def test_refusals_are_the_same_errors_on_the_other_side(
    client: Client, text: str, kind: type[RoostError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        await client.call(ask.Send(conversation="bob", text=text))
    assert raised.value.code == code
    assert "secret detail" not in str(raised.value)
    assert (await client.call(ask.WhoAmI())).name == "Alice"  # the agent goes on
    if code == "unknown_conversation":
        assert raised.value.hint == "roost contacts lists them."


async def test_many_calls_at_once(client: Client, backend: MemoryBackend) -> None:
    await asyncio.gather(*(client.call(ask.Send(conversation="bob", text=str(n))) for n in range(50)))
    assert len(backend.messages) == 50


# --- who may call ----------------------------------------------------------------------------------------------------


async def _refused(response: aiohttp.ClientResponse, status: int) -> str:
    assert response.status == status
    assert response.content_type == "application/json"
    body = json.loads(await response.read())
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "hint"}
    code: str = body["error"]["code"]
    return code


async def test_localhost_with_the_token(web: aiohttp.ClientSession) -> None:
    async with web.post("/v1/whoami", json={}) as response:
        assert response.status == 200
        assert (await response.json())["name"] == "Alice"
    async with web.post("/v1/send", json={"conversation": "bob", "text": "hi"}) as response:
        assert (await response.json())["conversation"] == "bob"


@pytest.mark.parametrize("shown", [None, "", "Bearer", "Bearer wrong", "Basic {}", "Bearer {}x"])
async def test_localhost_without_the_token(endpoint: Endpoint, backend: MemoryBackend, shown: str | None) -> None:
    headers = {} if shown is None else {"Authorization": shown.format(endpoint.token)}
    async with aiohttp.ClientSession(endpoint.url, headers=headers) as session:
        for method, path in (("POST", "/v1/whoami"), ("GET", "/openapi.json"), ("GET", "/v1/events"), ("GET", "/none")):
            async with session.request(method, path) as response:
                assert await _refused(response, 401) == "unauthorized"
    assert not backend.calls


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"])
async def test_dns_rebinding_is_refused(web: aiohttp.ClientSession, backend: MemoryBackend, host: str) -> None:
    async with web.post("/v1/whoami", json={}, headers={"Host": host}) as response:
        assert await _refused(response, 403) == "forbidden"
    assert not backend.calls


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1", "null", "http://localhost:1"])
async def test_web_pages_are_refused(web: aiohttp.ClientSession, backend: MemoryBackend, origin: str) -> None:
    async with web.post("/v1/whoami", json={}, headers={"Origin": origin}) as response:
        assert await _refused(response, 403) == "forbidden"
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await web.ws_connect("/v1/events", origin=origin)
    assert not backend.calls


async def test_forms_are_refused(web: aiohttp.ClientSession, backend: MemoryBackend) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        async with web.post("/v1/whoami", data=b"{}", headers=headers) as response:
            await _refused(response, 415)
    assert not backend.calls


async def test_browsers_cannot_use_the_socket_by_another_name(endpoint: Endpoint) -> None:
    connector = aiohttp.UnixConnector(endpoint.socket)
    async with (
        aiohttp.ClientSession("http://evil.example", connector=connector) as session,
        session.post("/v1/whoami", json={}) as response,
    ):
        await _refused(response, 403)


# --- requests that do not fit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"nonsense", b'{"conversation": 5}', b'{"conversation": "a", "unknown": 1}', b"\xff", b"null"],
)
async def test_malformed_bodies(web: aiohttp.ClientSession, backend: MemoryBackend, body: bytes) -> None:
    async with web.post("/v1/send", data=body, headers={"Content-Type": "application/json"}) as response:
        assert await _refused(response, 400) == "bad_request"
    assert not backend.calls


async def test_too_long_a_body(web: aiohttp.ClientSession) -> None:
    body = io.BytesIO(json.dumps({"conversation": "bob", "text": "x" * 2_000_000}).encode())
    async with web.post("/v1/send", data=body, headers={"Content-Type": "application/json"}) as response:
        assert await _refused(response, 413) == "too_long"


async def test_no_such_operation(web: aiohttp.ClientSession) -> None:
    async with web.post("/v1/launch", json={}) as response:
        assert await _refused(response, 404) == "no_such_operation"
    async with web.get("/v1/whoami") as response:
        assert await _refused(response, 405) == "no_such_operation"


# --- events ----------------------------------------------------------------------------------------------------------


async def test_events_reach_every_listener_in_order(client: Client, backend: MemoryBackend) -> None:
    listening = [client.events() for _ in range(2)]
    first = [asyncio.ensure_future(anext(events)) for events in listening]
    await until(lambda: len(backend.listeners) == 2)
    for number in range(20):
        await client.call(ask.Send(conversation="bob", text=str(number)))
    for events, head in zip(listening, first, strict=True):
        heard = [await head] + [await anext(events) for _ in range(19)]
        assert [event.text for event in heard if isinstance(event, MessageEvent)] == [str(n) for n in range(20)]
        await events.aclose()  # type: ignore[attr-defined]
    await until(lambda: not backend.listeners)  # the server ends what nobody hears any more


async def test_a_later_listener_gets_what_it_missed(client: Client) -> None:
    await client.call(ask.Send(conversation="bob", text="missed"))
    events = client.events(from_now=False)
    event = await anext(events)
    assert isinstance(event, MessageEvent)
    assert event.text == "missed"
    await events.aclose()  # type: ignore[attr-defined]


async def test_events_for_a_program_on_localhost(web: aiohttp.ClientSession) -> None:
    async with web.ws_connect("/v1/events?from_now=true") as link:
        async with web.post("/v1/send", json={"conversation": "bob", "text": "hi"}) as response:
            assert response.status == 200
        event = json.loads(await link.receive_str())
        assert (event["type"], event["text"], event["from"]) == ("message", "hi", "me")


async def test_listeners_learn_that_the_agent_ends(backend: MemoryBackend, tmp_path: Path) -> None:
    async with serve(backend, tmp_path) as endpoint:
        client = Client(endpoint.socket)
        events = client.events()
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: backend.listeners)
    with pytest.raises(AgentGone):
        await waiting
    with pytest.raises(AgentGone):
        await client.call(ask.WhoAmI())


# --- the folder ------------------------------------------------------------------------------------------------------


async def test_only_the_owner_can_reach_it_and_nothing_stays(backend: MemoryBackend, tmp_path: Path) -> None:
    async with serve(backend, tmp_path) as endpoint:
        for name in ("agent.sock", "agent.json"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert read_endpoint(tmp_path) == endpoint
        assert endpoint.token not in repr(endpoint)
        assert len(endpoint.token) >= 43
    assert os.listdir(tmp_path) == []


async def test_traces_of_a_dead_agent_are_taken_over(backend: MemoryBackend, tmp_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "agent.sock"))
    dead.close()
    write_endpoint(tmp_path, Endpoint(pid=1, socket=str(tmp_path / "agent.sock")))
    assert await find_agent(tmp_path) is None
    async with serve(backend, tmp_path):
        client = await find_agent(tmp_path)
        assert client is not None
        assert (await client.call(ask.WhoAmI())).name == "Alice"


@pytest.mark.parametrize("text", [b"", b"{}", b"nonsense", b'{"pid": 1, "socket": 5}'])
async def test_an_unreadable_agent_file_means_no_agent(backend: MemoryBackend, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "agent.json").write_bytes(text)
    assert await find_agent(tmp_path) is None
    async with serve(backend, tmp_path):
        assert await find_agent(tmp_path) is not None


async def test_an_agent_file_from_elsewhere_cannot_make_us_delete_files(backend: MemoryBackend, tmp_path: Path) -> None:
    folder, precious = tmp_path / "profile", tmp_path / "roost-precious" / "file"
    folder.mkdir()
    precious.parent.mkdir()
    precious.write_text("keep")
    write_endpoint(folder, Endpoint(pid=1, socket=str(precious)))
    async with serve(backend, folder):
        pass
    assert precious.read_text() == "keep"


@pytest.mark.parametrize("runtime", [True, False])
async def test_folders_with_long_paths(
    backend: MemoryBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: bool
) -> None:
    short = Path("/tmp") / f"roost-test-{tmp_path.parent.name[-12:]}-{runtime:d}"
    short.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short) if runtime else "/nonexistent")
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    async with serve(backend, folder) as endpoint:
        assert len(endpoint.socket.encode()) <= MAX_SOCKET_PATH
        place = Path(endpoint.socket).parent
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert (place.parent == short) is runtime
        client = await find_agent(folder)
        assert client is not None
        assert (await client.call(ask.WhoAmI())).name == "Alice"
    assert not place.exists()
    short.rmdir()
