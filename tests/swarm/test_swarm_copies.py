"""Copies of a place that come in more than once, late, and through one another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from swarm_world import expect
from test_swarm_engines import RealNetwork, RealNode, running
from test_swarm_liars import now_view, say

from roost.relay.core.copies import encode_operations
from roost.relay.core.operations import ChangeGrantRows, CreateMailbox, GrantRow, MailboxRow, Operation
from roost.wire.swarm import Deposit, Member, Retire, Taken

PLACE = b"p" * 16
GRANT = GrantRow(b"g" * 32, 1, 0)
PIECES: tuple[tuple[Operation, ...], ...] = (
    (CreateMailbox(0, 0, 20_000, ()),),
    (ChangeGrantRows(0, (GRANT,), ()),),
)


def deposit(net: RealNetwork, piece: int, sequence: int = 0) -> Deposit:
    members = tuple(Member(node.key, b"i" * 16) for node in net.swarm(PLACE))
    view, last = now_view(net), piece + 1 == len(PIECES)
    return Deposit(PLACE, view, members, sequence, piece, last, encode_operations(PIECES[piece]), view)


async def held(node: RealNode) -> MailboxRow | None:
    """The mailbox, if the node says that it has what it was given."""
    assert node.swarm is not None
    replica = node.swarm.replica
    record = await replica.record(PLACE)
    if not record.present:
        return None
    row = await replica.ask(lambda reader: reader.mailbox(record.mailbox))
    assert row is not None
    return row


async def test_a_copy_that_begins_again_is_not_taken_for_the_one_that_ended(tmp_path: Path) -> None:
    """A leader that waited too long for an answer begins again while the last piece is still being written."""
    async with running(tmp_path) as net:
        leader, taker, *_ = net.swarm(PLACE)
        for sequence in (0, 1):
            assert expect(await say(leader.key, taker, deposit(net, 0)), Taken).done
            await asyncio.gather(
                say(leader.key, taker, deposit(net, 1)), say(leader.key, taker, deposit(net, 0, sequence))
            )
            row = await held(taker)
            assert row is None or row.grants == (GRANT,)
        for piece in range(len(PIECES)):
            assert expect(await say(leader.key, taker, deposit(net, piece, 2)), Taken).done
        row = await held(taker)
        assert row is not None
        assert row.grants == (GRANT,)


async def test_a_copy_of_which_a_part_was_deleted_is_not_taken(tmp_path: Path) -> None:
    async with running(tmp_path, 7) as net:
        swarm = net.swarm(PLACE)
        leader, other = swarm[0], swarm[1]
        net.agree([key for key in net.nodes if key not in {node.key for node in swarm[1:]}])
        taker = next(node for node in net.swarm(PLACE) if node not in swarm)
        assert expect(await say(leader.key, taker, deposit(net, 0)), Taken).done
        net.agree(list(net.nodes))
        members = tuple(Member(node.key, b"i" * 16) for node in swarm)
        retire = Retire(PLACE, now_view(net) - 16, members, 1)
        assert expect(await say(other.key, taker, retire), Taken).done
        assert not expect(await say(leader.key, taker, deposit(net, 1)), Taken).done
        assert await held(taker) is None
