"""Waiting until everything is done that can be done now: for `sync`, for `--wait`, and before a profile closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from roost.agent import showing_channels
from roost.agent.devices import MEET_S
from roost.errors import Unreachable
from roost.messaging import floors, hosting, identity, logs, mailboxes, outbox
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network import sentence
from roost.wire.addresses import DeviceHost
from roost.wire.mailbox import RefusalCode

if TYPE_CHECKING:
    from roost.agent.engine import Engine

LOOK_AGAIN_S = 0.25
BE_MET_S = 2.0  # in which a device that is near greets one that has come
PRESS_S = 1.0
GROUPS_WITHIN_MS = 4_500  # who removes a leaver, and losers of a race between commits, wait so long at most
HELD_WORDS = "It waits: the way that it would take exposes more than this conversation allows."
NOT_SHOWN = "The channel's rules did not allow it, so nobody shows it."
_PASSING = frozenset({"", RefusalCode.SLOW_DOWN, RefusalCode.WORK_NEEDED, RefusalCode.BLOBS_MISSING})


async def until(engine: Engine, reached: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until something holds of the profile; False when the time is over first."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not reached():
        left = deadline - loop.time()
        if left <= 0:
            return False
        await engine.changed(min(left, LOOK_AGAIN_S))
    return True


async def pressing(engine: Engine, reached: Callable[[], bool], timeout_s: float) -> bool:
    """As `until`, while no back-off is waited out: what could not be reached is tried again every PRESS_S."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not await until(engine, reached, min(max(deadline - loop.time(), 0.0), PRESS_S)):
        if loop.time() >= deadline:
            return False
        if not all(engine.network.reachable(row.relay) for row in engine.look().find(r.OwnRelay)):
            engine.network.retry_now()
        engine.hurry()
    return True


async def connect(engine: Engine, timeout_s: float) -> None:
    """Wait for my relays; one at home is given the time to be found. Raises Unreachable (or what the relay's trouble
    is) when none can be reached."""
    relays = engine.look().find(r.OwnRelay)
    homes = [row.link.address for row in relays if not row.here and isinstance(row.link.address, DeviceHost)]
    await until(engine, lambda: engine.devices.met(homes), timeout_s)
    engine.network.retry_now()
    standing = await asyncio.gather(*(engine.network.connected(row.relay, timeout_s) for row in relays))
    if not any(standing):
        problems = [engine.network.problem(row.relay) for row in relays]
        raise next((problem for problem in problems if problem), None) or Unreachable(
            "None of your relays can be reached.", hint="What waits is kept and sent later. Check your connection."
        )


async def refresh(engine: Engine, timeout_s: float) -> bool:
    """Fetch what is there, if a relay answers in time; never an error."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        await connect(engine, timeout_s)
    except Unreachable:
        return False
    engine.wake()
    await until(engine, lambda: not _to_create(engine.look()), deadline - loop.time())
    await asyncio.sleep(0)
    engine.logs.look_now()
    taken = await engine.incoming.caught_up(max(deadline - loop.time(), 0.05))
    return await until(engine, lambda: engine.logs.caught_up, max(deadline - loop.time(), 0.05)) and taken


async def sync(engine: Engine, timeout_s: float) -> tuple[int, int]:
    """Send and fetch all that is waiting, without waiting out a back-off; how many messages came and left.

    Raises Unreachable when no relay of mine can be reached.
    """
    counted = {"message": 0, "sent": 0}

    def count(event: r.Event) -> None:
        if event.kind == "message" and event.detail != "note":
            counted["message"] += 1
        elif event.kind == "receipt" and event.detail == "sent":
            counted["sent"] += 1

    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    stop = engine.listen(count)
    try:
        await connect(engine, timeout_s)
        await _meet(engine, max(deadline - loop.time(), 0.0))
        engine.hurry(everything=True)
        engine.transfers.hurry()
        engine.wake()
        await refresh(engine, max(deadline - loop.time(), 0.05))
        await until(engine, lambda: _quiet(engine, acknowledgements=True), max(deadline - loop.time(), 0.05))
        await engine.incoming.trims_done()
    finally:
        stop()
    return counted["message"], counted["sent"]


async def flush(engine: Engine, timeout_s: float) -> None:
    """Before closing: send what can be sent at once. What was written in this run, and is for somebody's device, is
    given the time to find that."""
    fresh = waiting_at_devices(engine.look(), since=engine.devices.opened_ms)
    if not fresh and _quiet(engine, acknowledgements=False):
        return
    try:
        await connect(engine, timeout_s)
    except Unreachable:
        return
    if await until(engine, lambda: engine.devices.met(fresh), timeout_s):
        engine.hurry()
    engine.wake()
    await until(engine, lambda: _quiet(engine, acknowledgements=False), timeout_s)


async def _meet(engine: Engine, timeout_s: float) -> None:
    """Give devices that are near the time to find this one, less where nothing waits for any."""
    work = engine.look()
    waited_for = waiting_at_devices(work)
    hosts, within_s = (waited_for, MEET_S) if waited_for else (set(hosting.sought(work)), BE_MET_S)
    await until(engine, lambda: engine.devices.met(hosts, within_s), timeout_s)


async def meet(engine: Engine, account: bytes, timeout_s: float) -> None:
    """Give the devices of a contact to whom something was written the time to be found, where they are near."""
    peers = engine.look().find(r.PeerDevice, where={"account": account})
    hosts = [address.relay for peer in peers for address in peer.addresses]
    wanted = [host for host in hosts if isinstance(host, DeviceHost)]
    await until(engine, lambda: engine.devices.met(wanted), timeout_s)


def waiting_at_devices(work: Work, *, since: int = 0) -> set[DeviceHost]:
    """The devices for which something waits that was written then or later."""
    found: set[DeviceHost] = set()
    for row in outbox.waiting(work):
        peer = work.get(r.PeerDevice, row.account, row.device)
        addresses = (row.address,) if row.address else peer.addresses if peer else ()
        if row.created_at >= since:
            found |= {address.relay for address in addresses if isinstance(address.relay, DeviceHost)}
    return found


def waiting_messages(work: Work) -> int:
    """My messages that have not reached their host."""
    return len(work.find(r.Message, where={"state": int(r.MessageState.QUEUED)}))


def _quiet(engine: Engine, *, acknowledgements: bool) -> bool:
    """Nothing is left that could be done now."""
    work = engine.look()
    if not (engine.incoming.idle and engine.outgoing.idle and engine.transfers.idle and engine.logs.idle):
        return False
    if any(row.problem in _PASSING for row in logs.unstored(work)) or _group_moves(work):
        return False
    if _to_create(work) or any(_can_leave(work, row) for row in outbox.waiting(work)):
        return False
    return not (acknowledgements and any(_due(work, session) for session in _acknowledging(work)))


def _to_create(work: Work) -> bool:
    if mailboxes.awaited(work) or work.find(r.OwnMailbox, where={"state": int(r.MailboxState.TO_DELETE)}):
        return True
    cards = (r.InvitationState.TO_PUT, r.InvitationState.USED, r.InvitationState.REVOKED)
    logs_wait = (r.LogState.TO_CREATE, r.LogState.TO_SEAL, r.LogState.TO_DELETE)
    if any(work.find(r.SharedLog, where={"state": int(state)}) for state in logs_wait):
        return True
    return any(work.find(r.InvitationRow, where={"state": int(state)}) for state in cards)


def unsaid(work: Work, group: bytes) -> list[r.GroupSaid]:
    """What this device said in a group and has not seen in its log."""
    return [said for said in work.find(r.GroupSaid, where={"landed_at": r.NEVER}) if said.group == group]


def _group_moves(work: Work) -> bool:
    """Whether something in groups is on its way: appended and not seen in the log yet, or to be committed."""
    if work.find(r.GroupCommit, limit=1):
        return True
    soon = work.now + GROUPS_WITHIN_MS
    if any(intent.not_before <= soon and intent.not_before for intent in work.find(r.GroupIntent)):
        return True
    puts = work.find(r.LogPut, where={"state": int(r.LogPutState.STORED)}, limit=50)
    return any(put.problem in _PASSING and put.attempts <= 1 for put in puts)


def on_its_way(work: Work, message: bytes) -> bool:
    """Whether something of the message can still leave now."""
    row = work.get(r.Message, message)
    if row is not None and work.get(r.GroupRow, row.conversation) is not None:
        return row.state == r.MessageState.QUEUED and not _problem_in_group(work, row)
    channel = work.get(r.ChannelRow, row.conversation) if row is not None else None
    if row is not None and channel is not None:
        return any(put.problem in _PASSING for put in _puts_of(work, channel, row))
    return any(_can_leave(work, row) for row in work.find(r.Outbox, where={"message": message}))


def _can_leave(work: Work, row: r.Outbox) -> bool:
    """Whether the row has an address and a key, and has not been refused for a reason that lasts."""
    peer = work.get(r.PeerDevice, row.account, row.device)
    if row.state == r.OutboxState.QUEUED and not (peer and (peer.session or peer.card)):
        return False
    if (row.address or (peer.address if peer else None)) is None:
        return False
    return row.problem in _PASSING and floors.may_leave(work, row, peer)


def held_up_by(engine: Engine, message: r.Message, *, new: bool = False) -> str:
    """Why a message of mine has not reached its host, in one sentence; empty where nothing is wrong. `new`: it was said
    just now, so no host can have refused it."""
    if message.state == r.MessageState.FAILED:
        return showing_channels.why_failed(engine.look(), message)
    if message.state != r.MessageState.QUEUED:
        return ""
    work = engine.look()
    if work.me.removed_at:
        return identity.REMOVED
    if not engine.network.any_reachable():
        problems = (engine.network.problem(row.relay) for row in work.find(r.OwnRelay))
        return next((problem.message for problem in problems if problem), "")
    if work.get(r.GroupRow, message.conversation) is not None:
        problem = _problem_in_group(work, message)
        return sentence(problem) if problem else ""
    channel = work.get(r.ChannelRow, message.conversation)
    if channel is not None:
        puts = _puts_of(work, channel, message)
        if not puts:
            return NOT_SHOWN
        return next((sentence(put.problem) for put in puts if put.problem), "")
    if new:
        return HELD_WORDS if floors.holds(work, message.conversation) else ""
    rows = work.find(r.Outbox, where={"message": message.id, "account": message.conversation})
    if any(problem_of(work, row) == outbox.HELD for row in rows):
        return HELD_WORDS
    return next((sentence(row.problem) for row in rows if row.problem), "")


def _puts_of(work: Work, channel: r.ChannelRow, message: r.Message) -> list[r.LogPut]:
    return [put for put in work.find(r.LogPut, where={"log": channel.log}) if put.subject == message.id]


def _problem_in_group(work: Work, message: r.Message) -> str:
    """What the host of a group's log said last of my message; empty where nothing lasting is wrong."""
    rows = [said for said in unsaid(work, message.conversation) if said.message == message.id and said.put]
    puts = [work.get(r.LogPut, said.put) for said in rows]
    return next((put.problem for put in puts if put is not None and put.problem not in _PASSING), "")


def problem_of(work: Work, row: r.Outbox) -> str:
    """Why a row has not reached its host: the code of what was said last, or that its conversation's floor holds it."""
    peer = work.get(r.PeerDevice, row.account, row.device)
    return row.problem if floors.may_leave(work, row, peer) else outbox.HELD


def _acknowledging(work: Work) -> list[r.SessionRow]:
    """The sessions with something to acknowledge within the random pause."""
    return work.find(r.SessionRow, at_most=("acknowledge_at", work.now + 5_000))


def _due(work: Work, session: r.SessionRow) -> bool:
    peer = work.get(r.PeerDevice, session.account, session.device)
    return peer is not None and peer.address is not None
