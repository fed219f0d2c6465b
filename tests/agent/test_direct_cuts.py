"""A link that is cut at any byte: what was under way goes on where it was, and arrives once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from roost.agent import operations as o
from roost.agent import views as v
from roost.errors import Unreachable
from roost.network.direct.carrier import Place, Stream
from roost.network.direct.memory import MemoryCarrier
from roost.wire.addresses import DeviceHost
from tests.agent.test_direct_people import Near, near, person, until_said
from tests.agent.test_service import befriend

__all__ = ["near"]
MESSAGES = 40


class Cut:
    """A stream that ends when so many bytes have gone either way, in the middle of what was written last."""

    def __init__(self, stream: Stream, left: int) -> None:
        self._stream = stream
        self._left = left

    async def read(self) -> bytes:
        data = await self._stream.read()
        taken = data[: self._take(len(data))]
        if len(taken) < len(data):
            self._stream.abort()
        return taken

    async def write(self, data: bytes) -> None:
        taken = data[: self._take(len(data))]
        await self._stream.write(taken)
        if len(taken) < len(data):
            self._stream.abort()
            raise Unreachable("cut")

    def _take(self, size: int) -> int:
        taken = min(size, self._left)
        self._left -= taken
        return taken

    async def close(self) -> None:
        await self._stream.close()

    def abort(self) -> None:
        self._stream.abort()


class CuttingCarrier(MemoryCarrier):
    """Every stream that this end dials is cut, each somewhere else, until it is told to spare them."""

    chance = random.Random(7)
    sparing = False
    cuts = 0

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:
        stream = await super().dial(host, places)
        if CuttingCarrier.sparing:
            return stream
        CuttingCarrier.cuts += 1
        return Cut(stream, self.chance.choice((300, 3_000, 30_000, 150_000)) + self.chance.randrange(3_000))


async def test_what_is_under_way_arrives_once_wherever_the_link_is_cut(
    tmp_path: Path,
    near: Near,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(near, "make", lambda *what: near.of.setdefault(what[2].name, CuttingCarrier(near.air)))
    monkeypatch.setattr("roost.agent.devices.make_carrier", near.make)
    CuttingCarrier.sparing, CuttingCarrier.cuts = True, 0
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * 1_200)
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        CuttingCarrier.sparing = False
        for carrier in near.of.values():
            carrier.reachable(False)
            carrier.reachable(True)
        said = [f"{number}" for number in range(MESSAGES)]
        for text in said:
            await alice.call(o.Send(conversation="Bob", text=text))
            await bob.call(o.Send(conversation="Alice", text=text))
        with_file = await alice.call(o.Send(conversation="Bob", files=(str(file),)))
        await asyncio.sleep(6)
        cuts, CuttingCarrier.sparing = CuttingCarrier.cuts, True
        await until_said(bob, "Alice", 2 * MESSAGES + 1)
        await until_said(alice, "Bob", 2 * MESSAGES + 1)
        for service, other in ((alice, "Bob"), (bob, "Alice")):
            page = await service.call(o.Read(conversation=other, limit=500))
            for mine in (True, False):
                heard = [row.text for row in page.messages if row.text and (row.sender == v.ME) is mine]
                assert heard == said
        saved = await bob.call(o.Save(id=with_file.id, to=str(tmp_path / "saved")))
        assert await asyncio.to_thread(Path(saved.path).read_bytes) == file.read_bytes()
    assert cuts > 5
