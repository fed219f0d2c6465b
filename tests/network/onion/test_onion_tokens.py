"""A client pays its guards for the tokens that it attaches: once, for the next one before the last one ends, and anew
when a guard wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from roost.errors import Refused
from roost.network.backoff import BackoffPolicy
from roost.network.onion.entries import Entries
from roost.network.onion.work import Work
from roost.relay.core.admission import NetworkNonces, TokenAdmission
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.tokens import Tokens
from roost.wire.mailbox import AttachOnion, Done, OnionPacket, Request, Response
from roost.wire.onion import MAX_ADMISSION_BITS
from roost.wire.sizes import ONION_PACKET_SIZE
from tests.network.onion.onion_world import SeededEntropy
from tests.network.tiny_relay import Client as Far
from tests.network.tiny_relay import TinyRelay, eventually

RANDOMS = [bytes([number]) * 32 for number in range(1, 6)]
PACKET = bytes(ONION_PACKET_SIZE)


class Guard(TinyRelay):
    """A node as far as its clients' links are concerned."""

    def __init__(self) -> None:
        super().__init__()
        self.nonces = NetworkNonces()
        self.nonces.renew(RANDOMS[0])
        self.admission = TokenAdmission(self.nonces, 4, self.key.public.raw)
        self.tokens: Tokens[int] = Tokens()
        self.taken: list[AttachOnion] = []
        self.asked = 0
        self.carried = 0

    async def answer(self, request: Request, client: Far | None = None, call: int = 0) -> Response:
        try:
            match request:
                case AttachOnion():
                    self.tokens.attach(id(client), request.token, self.admission.admit(request, 0))
                    self.taken.append(request)
                case OnionPacket():
                    if self.tokens.share(id(client), self.admission.valid(0)) is None:
                        raise self.admission.needed(0)
                    self.carried += 1
        except RefusedRequest as error:
            self.asked += 1
            return error.refusal
        return Done()


@dataclass
class Entered:
    """A client's links, to one guard."""

    guard: Guard = field(default_factory=Guard)
    work: Work = field(default_factory=Work)
    may_work: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        nothing = lambda *_: None  # noqa: E731
        policy = BackoffPolicy(0.001, 0.001)
        self.entries = Entries(self.guard.connect, SeededEntropy(1), policy, *[nothing] * 5, self._prove)
        self.entries.keep([self.guard.address])
        self.may_work.set()

    async def _prove(self, request: AttachOnion, asked: Refused, guard: bytes) -> AttachOnion:
        await self.may_work.wait()
        return await self.work.proven_to(guard, request, asked)

    @property
    def token(self) -> bytes | None:
        return next((token for _, token in self.entries.attached()), None)

    async def attached(self, *, but: bytes | None = None) -> bytes:
        await eventually(lambda: self.token not in (None, but))
        assert self.token is not None
        return self.token

    def send(self) -> None:
        self.entries.send(self.guard.address.key, PACKET)


@pytest.fixture
async def client() -> AsyncIterator[Entered]:
    async with entered() as made:
        yield made


@asynccontextmanager
async def entered() -> AsyncIterator[Entered]:
    made = Entered()
    try:
        yield made
    finally:
        await made.entries.close()


async def test_a_token_is_paid_for_once_also_when_its_link_is_lost(client: Entered) -> None:
    token = await client.attached()
    assert client.guard.asked == 1
    for times in range(2, 4):
        client.guard.goodbye(0)
        await eventually(lambda times=times: len(client.guard.taken) == times)  # type: ignore[misc]
    assert await client.attached() == token
    assert client.guard.taken == [client.guard.taken[0]] * 3
    assert client.guard.asked == 1


async def test_the_old_token_serves_until_the_new_one_is_paid_for(client: Entered) -> None:
    old, guard = await client.attached(), client.guard
    guard.nonces.renew(RANDOMS[1])
    client.may_work.clear()
    client.entries.renew()
    await eventually(lambda: guard.asked == 2)
    client.send()
    await eventually(lambda: guard.carried == 1)
    assert client.token == old
    client.may_work.set()
    new = await client.attached(but=old)
    assert guard.tokens.link(old) == guard.tokens.link(new) is not None
    guard.nonces.renew(RANDOMS[2])
    client.send()
    await eventually(lambda: guard.carried == 2)
    guard.goodbye(0)  # what was paid for in a period that is over is not paid for again
    await eventually(lambda: len(guard.taken) == 3)
    assert [request.token for request in guard.taken] == [old, new, new]


async def test_whose_token_is_too_old_gets_another(client: Entered) -> None:
    old, guard = await client.attached(), client.guard
    for number in (1, 2):
        guard.nonces.renew(RANDOMS[number])
    client.send()
    client.send()
    await client.attached(but=old)
    assert not guard.carried
    assert len(guard.clients) == 1
    client.send()
    await eventually(lambda: guard.carried == 1)
    assert len(guard.taken) == 2


async def test_a_token_that_cannot_be_paid_for_costs_no_link(client: Entered) -> None:
    old, guard = await client.attached(), client.guard
    guard.admission.bits = MAX_ADMISSION_BITS + 1
    client.entries.renew()
    await eventually(lambda: guard.asked == 2)
    client.send()
    await eventually(lambda: guard.carried == 1)
    assert client.token == old
    assert len(guard.clients) == 1
    guard.admission.bits = 1
    client.entries.retry_now()
    await client.attached(but=old)
