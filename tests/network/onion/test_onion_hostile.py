"""Guards and nodes that keep to the forms and do harm all the same: they drop everything, ask for endless patience or
for work; and what a node that keeps two mailboxes of one person sees."""

from __future__ import annotations

import asyncio

import pytest

from roost.crypto import WORK_NONCE_SIZE, try_work, work_strength
from roost.errors import Refused
from roost.network.backoff import BackoffPolicy
from roost.network.link import Link
from roost.network.onion.entries import Entries
from roost.network.onion.paths import DAY_S, FAILED_DAYS, Guards
from roost.network.onion.session import Session
from roost.network.onion.work import Work
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.mailbox import (
    AttachOnion,
    Create,
    Done,
    MailboxKind,
    Put,
    Refusal,
    RefusalCode,
    Reply,
    Request,
    Response,
    Stored,
    Subscribe,
    WorkChallenge,
)
from roost.wire.onion import MAX_ADMISSION_BITS, SessionDown, admission_hash
from tests.network.onion.onion_world import PERIOD_S, Client, SeededEntropy, World, capability, envelope
from tests.network.onion.test_onion_session import session
from tests.network.tiny_relay import TinyRelay, eventually

GET, PUT = capability("get"), capability("put")
LONG_MS = 2**53
NONCE = b"n" * WORK_NONCE_SIZE
CREATE = Create(MailboxKind.ORDINARY, (), place=bytes(16))


def outsiders(world: World, count: int = 2) -> list[bytes]:
    swarm = {node.key for node in world.swarm()}
    return [key for key in world.nodes if key not in swarm][:count]


# --- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_guard_that_drops_all_is_passed_by_and_used_again_when_it_is_better(seed: int) -> None:
    world = World(seed, 12)
    first, second = outsiders(world)
    client = Client(world, first, second)
    client.subscribe(GET)
    assert client.answer(Put(PUT, envelope(1))) == Stored(1)
    world.nodes[first].drops = 1.0
    assert client.answer(Put(PUT, envelope(2)), 60) == Stored(2)
    assert world.run(60, lambda: len(client.delivered) == 2)
    assert client.exchange.doubted == {first}
    before = world.dropped[first]
    world.run(1_800)
    assert client.exchange.doubted == {first}
    assert 10 < world.dropped[first] - before < 100  # it is tried now and then
    assert client.answer(Put(PUT, envelope(3)), 5) == Stored(3)
    assert second in client.exchange.trusted(world.now)
    world.nodes[first].drops = 0.0
    assert world.run(2 * 3_600, lambda: not client.exchange.doubted)
    assert client.answer(Put(PUT, envelope(4)), 5) == Stored(4)
    assert world.run(5, lambda: len(client.delivered) == 4)


def test_a_network_that_loses_a_little_everywhere_makes_no_guard_doubtful() -> None:
    world = World(21, 12, loss=0.02)
    client = Client(world, *outsiders(world))
    for number in range(40):
        assert isinstance(client.answer(Put(PUT, envelope(number)), 60), Stored)
        assert not client.exchange.doubted


def test_a_guard_that_drops_is_replaced_though_its_link_stands() -> None:
    world = World(22)
    guards = Guards()
    guards.update(world.consensus, 0, SeededEntropy(1))
    first = guards.in_order()[0]
    for day in range(FAILED_DAYS):
        guards = Guards(guards.encoded())
        guards.update(world.consensus, day * DAY_S, SeededEntropy(2))
        guards.stood(first)
        guards.failed(first, (day + 1) * DAY_S, drops=True)
    assert first not in [guard.node for guard in guards.kept]
    second = guards.kept[0].node
    guards.failed(second, DAY_S, drops=True)
    guards.passed(second)
    assert guards.kept[0].failed_days == 0


async def test_a_third_guard_steps_in_for_one_that_drops() -> None:
    relays = {relay.address: relay for relay in (TinyRelay() for _ in range(3))}
    for relay in relays.values():
        relay.reply = lambda request: Done() if isinstance(request, AttachOnion) else None

    async def connect(address: RelayAddress) -> Link:
        return await relays[address].connect(address)

    nothing = lambda *_: None  # noqa: E731
    entries = Entries(connect, SeededEntropy(1), BackoffPolicy(), *[nothing] * 6)
    first, second, third = relays
    entries.keep([first, second, third])
    await eventually(lambda: [key for key, _ in entries.attached()] == [first.key, second.key])
    entries.doubt(frozenset((first.key,)))
    await eventually(lambda: len(entries.attached()) == 3)
    entries.doubt(frozenset())
    await eventually(lambda: [key for key, _ in entries.attached()] == [first.key, second.key])
    await entries.close()


def test_a_guard_that_asks_for_patience_without_end() -> None:
    world = World(23)
    client = Client(world, *outsiders(world))
    client.exchange.pushed_back(LONG_MS / 1000, world.now)
    assert client.answer(Put(PUT, envelope(1)), 10) == Stored(1)


# --- nodes that lead --------------------------------------------------------------------------------------------------


def test_a_leader_that_refuses_subscriptions_is_left() -> None:
    world = World(24)
    leader = world.swarm()[0]

    def lies(request: Request, answer: Response) -> Response:
        return Refusal(RefusalCode.SLOW_DOWN, retry_after_ms=LONG_MS) if isinstance(request, Subscribe) else answer

    leader.lies = lies
    client = Client(world, *outsiders(world))
    client.subscribe(GET)
    assert client.answer(Put(PUT, envelope(1))) == Stored(1)
    assert world.run(300, lambda: leader.asked["Subscribe"] == 3)
    world.leads[GET[:16]] = world.swarm()[1].key
    assert world.run(120, lambda: bool(client.delivered))


def test_a_node_that_says_moved_and_asks_for_endless_patience() -> None:
    client = session()
    client.call(Put(PUT, envelope(1)), 0.0)
    assert client.next_up(0.0) is not None
    moved = Refusal(RefusalCode.MOVED, LONG_MS, b"?" * 32)
    client.receive(SessionDown(client.id, 1, 0, 1, encode(Reply(1, moved)), 8), 1.0)
    assert client.next_up(1.0) is None
    assert client.next_up(62.0) is not None


# --- what several mailboxes do together -------------------------------------------------------------------------------


def test_sessions_do_not_act_in_one_moment() -> None:
    world = World(25, 16)
    first, second = outsiders(world)
    client = Client(world, first, second)
    gets = [capability("get", bytes([number]) * 16) for number in range(8)]
    sessions = [client.subscribe(get) for get in gets]
    for one in sessions:
        one.beat_s = float("inf")
    client.exchange.upkeep = lambda _: None  # type: ignore[method-assign]
    began = acting(world, client, sessions, 10.0)
    assert len(began) == len(set(began.values())) == 8
    client.exchange.attached([token for token in client.tokens if token[0] == second], world.now)
    again = acting(world, client, sessions, 10.0)
    assert len(again) == len(set(again.values())) == 8
    renewed = acting(world, client, sessions, float(PERIOD_S))
    assert len(renewed) == len(set(renewed.values())) == 8


def acting(world: World, client: Client, sessions: list[Session], seconds: float) -> dict[bytes, float]:
    """When each session first sends something, of those that do."""
    found: dict[bytes, float] = {}
    pack = client.exchange._packing.pack

    def noted(one, up, now):  # type: ignore[no-untyped-def]
        found.setdefault(one.id, now)
        return pack(one, up, now)

    client.exchange._packing.pack = noted  # type: ignore[method-assign]
    world.run(seconds)
    client.exchange._packing.pack = pack  # type: ignore[method-assign]
    return found


def test_a_call_is_not_delayed_by_what_is_spread() -> None:
    world = World(26)
    first, second = outsiders(world)
    client = Client(world, first, second)
    client.subscribe(GET)
    world.run(5)
    client.exchange.attached([token for token in client.tokens if token[0] == second], world.now)
    assert client.answer(Put(PUT, envelope(1)), 0.5) == Stored(1)


# --- work -------------------------------------------------------------------------------------------------------------


def asked(nonce: bytes, bits: int) -> Refused:
    return Refused("work", code=RefusalCode.WORK_NEEDED, detail=encode(WorkChallenge(nonce, bits)))


async def test_work_is_done_for_the_directorys_values_only() -> None:
    work = Work()
    proven = await work.proven(CREATE, asked(NONCE, 12), {NONCE})
    assert isinstance(proven, Create)
    assert work_strength(NONCE, bytes(32), admission_hash(CREATE), proven.admission) >= 12
    for refusal in (asked(b"o" * WORK_NONCE_SIZE, 1), asked(NONCE, MAX_ADMISSION_BITS + 1)):
        with pytest.raises(Refused):
            await work.proven(CREATE, refusal, {NONCE})
    with pytest.raises(Refused):
        await work.proven(proven, asked(NONCE, 12), {NONCE})  # it was done already


async def test_a_guard_has_a_client_work_a_few_times_in_a_period() -> None:
    """It may take a token and say at once that another is needed, or ask for the other of two values."""
    work, other = Work(), b"o" * WORK_NONCE_SIZE
    guard, token = b"g" * 32, AttachOnion(bytes(16))
    for number in range(4):
        token = await work.proven_to(guard, token, asked((NONCE, other)[number % 2], 8))
    assert work_strength(other, guard, admission_hash(token), token.admission) >= 8
    with pytest.raises(Refused):
        await work.proven_to(guard, token, asked(NONCE, 8))
    await work.proven_to(b"h" * 32, token, asked(NONCE, 8))
    await work.proven(CREATE, asked(NONCE, 8), {NONCE})
    work.begin_period()
    for refusal in (asked(NONCE, MAX_ADMISSION_BITS + 1), asked(other, 8), Refused("", code=RefusalCode.WORK_NEEDED)):
        with pytest.raises(Refused):
            await work.proven_to(guard, token, refusal)
    await work.proven_to(guard, token, asked(NONCE, 8))


async def test_work_is_given_up_with_the_call() -> None:
    work = Work()
    hard = asyncio.ensure_future(work.proven(CREATE, asked(NONCE, MAX_ADMISSION_BITS), {NONCE}))
    easy = asyncio.ensure_future(work.proven(CREATE, asked(NONCE, 1), {NONCE}))
    await asyncio.sleep(0)
    hard.cancel()
    assert isinstance(await easy, Create)
    assert hard.cancelled()


def test_work_in_slices_finds_the_same() -> None:
    assert try_work(NONCE, bytes(32), bytes(32), 10, 0, 1) is None
    proof = try_work(NONCE, bytes(32), bytes(32), 10, 0, 100_000)
    assert proof is not None
    found = int.from_bytes(proof, "big")
    assert try_work(NONCE, bytes(32), bytes(32), 10, 0, found) is None
    assert try_work(NONCE, bytes(32), bytes(32), 10, found, 1) == proof
