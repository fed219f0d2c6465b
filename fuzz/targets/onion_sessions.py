"""The target of an onion node's sessions: whatever comes in packets, in any order, and answers that come late."""

from __future__ import annotations

from fuzz.tools import Choices, Target, insist
from roost.wire.codec import encode
from roost.wire.mailbox import BlobData, Call, Done, Get, GetBlob, Ping, Refusal, RefusalCode, Subscribe
from roost.wire.onion import SessionUp
from tests.relay.relay_core import blob_data, capability, name32
from tests.relay.session_world import SessionWorld

CALLS = (Ping(), Get(capability("get"), 0), GetBlob(capability("get"), name32("b")), Subscribe(capability("get"), 0))
ANSWERS = (Done(), BlobData(blob_data("x")), Refusal(RefusalCode.SLOW_DOWN, 100))
_SIZE = 200_000 + 96 * 16 + 512 * 1_024 + 256 * 1_024  # the most that one session with small blocks takes
_STEPS = 60


def sessions(data: bytes) -> None:
    world, choices = SessionWorld(), Choices(data)
    given: set[bytes] = set()
    for step in range(_STEPS):
        if not choices.left:
            break
        _step(world, choices, step, given)
    used = [block for block, _ in world.sent]
    insist(len(used) == len(set(used)), "a reply block was used twice")
    insist(set(used) <= given, "a reply block came from nowhere")
    for session in {session for session, *_ in world.host.asked}:
        insist(session.size <= _SIZE, "a session takes too much")  # type: ignore[attr-defined]


def _step(world: SessionWorld, choices: Choices, step: int, given: set[bytes]) -> None:
    how = choices.below(8)
    if how == 0:
        world.sessions.arrived(choices.take(choices.number(1)))
        return
    if how == 1 and world.host.asked:
        _, _, _, respond = world.host.asked.pop(choices.below(len(world.host.asked)))
        respond(ANSWERS[choices.below(len(ANSWERS))])
        return
    if how == 2:
        world.now += choices.number(2) / 16
        world.sessions.upkeep()
        return
    blocks = tuple(b"%d %d" % (step, number) for number in range(choices.below(3)))
    given.update(blocks)
    session = b"%16d" % choices.below(3)
    if how == 3:
        body = choices.take(choices.number(1))
    else:
        body = encode(Call(choices.below(5), CALLS[choices.below(len(CALLS))])) if how < 7 else b""
    parts = 1 + choices.below(3)
    part, message = choices.below(parts), choices.below(4)
    size = -(-len(body) // parts)
    up = SessionUp(session, message, part, parts, body[part * size : (part + 1) * size], blocks)
    world.sessions.arrived(encode(up))


TARGETS = (
    Target("onion-sessions", sessions, "whatever comes in packets, a session stays small and uses a block once", 2_048),
)
