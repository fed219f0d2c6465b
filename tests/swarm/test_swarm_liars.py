"""What nodes of the network cannot do to a place, whatever they say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from swarm_people import Box, Session
from swarm_world import expect
from test_swarm_engines import RealNetwork, RealNode, RealPerson, envelope, running

from roost.errors import Unreachable
from roost.relay.core import places
from roost.relay.core.copies import encode_operations
from roost.relay.onion.memory import Before, FileMemory
from roost.relay.onion.swarm import LIMITS
from roost.wire.codec import decode, encode
from roost.wire.mailbox import Done, Entries, Get, MailboxKind, Put, Refusal, RefusalCode, Stored
from roost.wire.swarm import (
    Adopt,
    Deposit,
    Member,
    Nudge,
    Prepare,
    Promise,
    Retire,
    Seen,
    SwarmMessage,
    SwarmReply,
    Taken,
)

PUTS = 5
FAR = 2**33 - 1


async def filled(net: RealNetwork) -> tuple[Box, RealPerson]:
    """A mailbox with something in it."""
    box = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
    me = RealPerson(net, box.place)
    expect(await me.ask(box.create()), Done)
    for number in range(PUTS):
        expect(await me.ask(Put(box.put, envelope(str(number)))), Stored)
    return box, me


async def say(sender: bytes, node: RealNode, message: SwarmMessage) -> SwarmReply:
    assert node.swarm is not None
    return decode(SwarmReply, await node.swarm.message(sender, encode(message)))  # type: ignore[arg-type]


async def read(me: RealPerson, box: Box) -> int:
    return len(expect(await me.ask(Get(box.get, 0)), Entries).entries)


def now_view(net: RealNetwork) -> int:
    return places.next_view(0, 0, net.clock() + 3_600)


async def test_who_does_not_keep_a_place_cannot_have_it_deleted(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box, me = await filled(net)
        swarm = net.swarm(box.place)
        outside = next(node for node in net.nodes.values() if node not in swarm)
        for node in swarm:
            for members in ((), (Member(outside.key, b"i" * 16),)):
                taken = await say(outside.key, node, Retire(box.place, now_view(net), members))
                assert taken == Taken(done=False, incarnation=expect(taken, Taken).incarnation)
        assert await read(me, box) == PUTS


async def test_nor_can_one_who_keeps_it_as_long_as_the_others_are_to(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        box, me = await filled(net)
        liar, *others = net.swarm(box.place)
        for node in others:
            for named in ((liar,), (liar, *others)):
                members = tuple(Member(one.key, b"i" * 16) for one in named)
                assert not expect(await say(liar.key, node, Retire(box.place, now_view(net), members)), Taken).done
        assert await read(me, box) == PUTS


async def test_what_began_anew_deletes_nothing_that_it_has_not_taken_in(tmp_path: Path) -> None:
    """The whole swarm is exchanged while nobody can speak with the old one, and the mailbox is made again."""
    async with running(tmp_path, 7) as net:
        box, _ = await filled(net)
        old = net.swarm(box.place)
        for node in old:
            await node.stop()
        for _ in range(2):
            net.agree([key for key in net.nodes if net.nodes[key] not in old])
        expect(await RealPerson(net, box.place).ask(box.create()), Done)
        leader = next(node for node in net.swarm(box.place) if node.swarm is not None and box.place in node.swarm.leads)
        assert leader.swarm is not None
        lead = leader.swarm.leads[box.place]
        for node in net.swarm(box.place):
            await node.stop()  # what follows, the leader says
        for node in old:
            await node.start()
            assert node.swarm is not None
            record = await node.swarm.replica.record(box.place)
            piece = encode_operations([])
            view, members, origin = now_view(net), lead.members, lead.view
            assert not expect(await say(leader.key, node, Retire(box.place, view, members, origin)), Taken).done
            deposit = Deposit(box.place, view, members, 0, 0, True, piece, origin)
            assert not expect(await say(leader.key, node, deposit), Taken).done
            assert (await node.swarm.replica.record(box.place)).mailbox == record.mailbox


async def test_a_view_that_is_too_high_is_not_promised(tmp_path: Path) -> None:
    """There would be none above it."""
    async with running(tmp_path) as net:
        box, me = await filled(net)
        liar, *others = net.swarm(box.place)
        members = tuple(Member(node.key, b"i" * 16) for node in (liar, *others))
        for node in others:
            assert not expect(await say(liar.key, node, Prepare(box.place, FAR, members)), Promise).granted
            assert not expect(await say(liar.key, node, Adopt(box.place, FAR, members, 0, 0)), Taken).done
        assert me.session is not None
        await net.nodes[me.session.node.key].stop()
        assert await read(me, box) == PUTS
        expect(await me.ask(Put(box.put, envelope("more"))), Stored)


async def test_who_says_that_it_promised_too_much_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as net:
        box, me = await filled(net)
        assert me.session is not None
        leader = net.nodes[me.session.node.key]
        liar = next(node for node in net.swarm(box.place) if node is not leader)
        assert liar.swarm is not None
        honest = liar.swarm.message

        async def lying(node: bytes, body: bytes) -> bytes:
            reply = decode(SwarmReply, await honest(node, body))  # type: ignore[arg-type,var-annotated]
            if isinstance(reply, Seen):
                standing = reply.standing
                said = type(standing)(standing.incarnation, True, FAR, liar.key, present=True, view=FAR)
                return encode(Seen(said))
            return encode(reply)

        monkeypatch.setattr(liar.swarm, "message", lying)
        await leader.stop()
        await leader.start()
        assert await read(me, box) == PUTS


async def test_a_nudge_for_a_place_that_nobody_holds_begins_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        place = b"p" * 16
        swarm = net.swarm(place)
        outside = next(node for node in net.nodes.values() if node not in swarm)
        for node in swarm:
            assert not expect(await say(outside.key, node, Nudge(place)), Taken).done
            assert node.swarm is not None
            assert not node.swarm._electing
            await outside.stop()
            with pytest.raises(Unreachable):
                await say(outside.key, node, Nudge(place))
            await outside.start()


async def test_only_so_many_places_are_looked_for_at_one_time(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as net:
        node, *others = net.nodes.values()
        for other in others:
            await other.stop()
        assert node.swarm is not None
        answers: list[object] = []
        session = Session(net, node, answers.append)  # type: ignore[arg-type]
        for number in range(1_000):
            get = Get(number.to_bytes(16, "big") * 2, 0)
            node.swarm.handle(session, number, get, answers.append)
        assert len(node.swarm._electing) == 256
        assert len(answers) == 1_000 - 256
        assert {expect(answer, Refusal).code for answer in answers} == {RefusalCode.SLOW_DOWN}


async def test_questions_for_places_where_nothing_is_keep_nobody_out(tmp_path: Path) -> None:
    """They ask other nodes so many times and no more; what is held is found meanwhile, and what is made as well."""
    async with running(tmp_path, 3) as net:
        box, me = await filled(net)
        node = net.swarm(box.place)[0]
        node.limits = replace(LIMITS, place_burst=20.0)
        await node.stop()
        await node.start()
        assert node.swarm is not None
        answers: list[object] = []
        session = Session(net, node, answers.append)  # type: ignore[arg-type]
        for number in range(200):
            node.swarm.handle(session, number, Get(number.to_bytes(16, "big") * 2, 0), answers.append)
        while len(answers) < 200:  # noqa: ASYNC110 - for a moment
            await asyncio.sleep(0.01)
        certain = [answer for answer in answers if expect(answer, Refusal).code == RefusalCode.DENIED]
        assert len(certain) <= 20
        late = [answer for answer in answers if expect(answer, Refusal).code == RefusalCode.SLOW_DOWN]
        assert len(late) >= 180
        me.at = 0
        answer = await me.once(node, Get(box.get, 0))
        assert isinstance(answer, Entries) or expect(answer, Refusal).code == RefusalCode.MOVED
        assert await read(me, box) == PUTS
        other = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        maker = RealPerson(net, other.place)
        assert expect(await maker.once(node, Get(other.get, 0)), Refusal).code == RefusalCode.SLOW_DOWN
        assert await maker.ask(other.create()) == Done()
        assert await read(maker, other) == 0
        net.period += 1  # an hour later
        answer = await maker.once(node, Get(bytes(32), 0))
        assert answer is None or expect(answer, Refusal).code in (RefusalCode.DENIED, RefusalCode.MOVED)


async def test_nobody_says_that_there_is_nothing_without_knowing_who_kept_it(tmp_path: Path) -> None:
    async with running(tmp_path) as net:
        net.agree(list(net.nodes))
        first = Box(net, MailboxKind.SHARED)  # type: ignore[arg-type]
        node = net.swarm(first.place)[0]
        assert node.swarm is not None
        assert net.previous is not None
        follows = type(net.current)(bytes(32), 9, net.previous.id, bytes(32), net.current.nodes)
        node.swarm.on_consensus(follows, None)
        assert not node.swarm.colleagues.complete
        me = RealPerson(net, first.place)
        answer = await me.once(node, Get(first.get, 0))
        assert answer is None or expect(answer, Refusal).code == RefusalCode.SLOW_DOWN
        node.swarm.on_consensus(follows, net.current)  # not the one before it
        answer = await me.once(node, Get(first.get, 0))
        assert answer is None or expect(answer, Refusal).code == RefusalCode.SLOW_DOWN
        node.swarm.on_consensus(follows, net.previous)
        await me.ask(Get(first.get, 0))
        assert expect(await me.ask(Get(first.get, 0)), Refusal).code == RefusalCode.DENIED
        assert await me.ask(first.create()) == Done()


def test_the_consensus_before_is_known_after_a_restart(tmp_path: Path) -> None:
    net = RealNetwork(tmp_path, 3)
    first, second, third = (net.consensus(list(net.nodes)) for _ in range(3))
    for used in (first, second, second):
        Before(FileMemory(tmp_path), bytes(32)).used(used)
    again = Before(FileMemory(tmp_path), bytes(32))
    assert again.before(second) == first
    assert again.before(third) == second  # it came early, and is in use from the start on
    again.used(third)
    assert Before(FileMemory(tmp_path), bytes(32)).before(third) == second
    (tmp_path / f"{bytes(32).hex()}-before").write_bytes(b"cut")
    assert Before(FileMemory(tmp_path), bytes(32)).before(third) is None
