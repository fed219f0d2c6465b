"""Files that a browser sends: whole or in pieces, gone on with after a cut, never outside their folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from roost.agent.api.server import serve
from roost.agent.attachments import FileSource
from tests.agent.memory_backend import MemoryBackend

ID = "0123456789abcdef" * 2


class NoFiles:
    async def close(self) -> None: ...


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with serve(MemoryBackend(), tmp_path, files=cast(FileSource, NoFiles())) as endpoint:
        headers = {"Authorization": f"Bearer {endpoint.token}", "Content-Type": "application/octet-stream"}
        async with aiohttp.ClientSession(endpoint.url, headers=headers) as session:
            yield session


async def put(web: aiohttp.ClientSession, data: bytes, **query: Any) -> tuple[int, dict[str, Any]]:
    async with web.post("/v1/upload", params=query, data=data) as answer:
        return answer.status, await answer.json()


async def here(web: aiohttp.ClientSession) -> dict[str, Any]:
    async with web.get("/v1/upload", params={"id": ID}) as answer:
        told: dict[str, Any] = await answer.json()
        return told


def contents(told: dict[str, Any]) -> bytes:
    return Path(told["path"]).read_bytes()


async def test_in_one_piece(web: aiohttp.ClientSession, tmp_path: Path) -> None:
    status, told = await put(web, b"hello", name="../../no te.txt")
    path = Path(told["path"])
    assert (status, told["size"], contents(told)) == (200, 5, b"hello")
    assert path.parent.parent == tmp_path / "uploads"
    async with web.post("/v1/upload-drop", json={"paths": [str(path)]}, headers={"Content-Type": "application/json"}):
        assert not path.parent.exists()


async def test_in_pieces_and_again_what_was_answered_already(web: aiohttp.ClientSession) -> None:
    assert await here(web) == {"received": 0}
    assert await put(web, b"one ", id=ID, offset=0, size=9, name="a.txt") == (200, {"received": 4})
    status, told = await put(web, b"one ", id=ID, offset=0, size=9, name="a.txt")
    assert (status, told["error"]["code"]) == (400, "wrong_offset")
    assert await here(web) == {"received": 4}
    status, told = await put(web, b"two 3", id=ID, offset=4, size=9, name="a.txt")
    assert contents(told) == b"one two 3"
    assert await here(web) == told
    assert await put(web, b"two 3", id=ID, offset=4, size=9, name="a.txt") == (200, told)


async def test_what_came_before_a_cut_stays(web: aiohttp.ClientSession) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        await asyncio.sleep(0.2)
        raise ConnectionResetError

    with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
        await put(web, cast(bytes, cut()), id=ID, offset=0, size=400_000, name="a.bin")
    for _ in range(50):
        received = (await here(web))["received"]
        if received:
            break
        await asyncio.sleep(0.02)
    assert 0 < received <= 300_000
    _, told = await put(web, b"y" * (400_000 - received), id=ID, offset=received, size=400_000, name="a.bin")
    assert contents(told) == b"x" * received + b"y" * (400_000 - received)


@pytest.mark.parametrize(
    "query",
    [
        {"id": "../../etc", "offset": 0, "size": 1},
        {"id": ID.upper(), "offset": 0, "size": 1},
        {"id": ID, "offset": -1, "size": 1},
        {"id": ID, "offset": 0, "size": 2**31 + 1},
        {"id": ID, "offset": 0, "size": 2},  # the body has more
        {"id": ID},
    ],
)
async def test_what_is_refused(web: aiohttp.ClientSession, query: dict[str, Any], tmp_path: Path) -> None:
    status, told = await put(web, b"123", **query)
    assert status == 400
    assert told["error"]["code"] in {"bad_request", "too_large"}
    assert not list((tmp_path / "uploads").rglob("*.txt"))


async def test_dropped_by_id_in_the_middle(web: aiohttp.ClientSession, tmp_path: Path) -> None:
    await put(web, b"one ", id=ID, offset=0, size=9)
    kind = {"Content-Type": "application/json"}
    async with web.post("/v1/upload-drop", json={"ids": [ID, "../..", 7]}, headers=kind) as answer:
        assert answer.status == 200
    assert await here(web) == {"received": 0}
    assert list((tmp_path / "uploads").iterdir()) == []
