"""What must hold of the world's group when it was left in peace: one group for all, everything said delivered once to
everybody who was meant and is still there, and to nobody else; what was not is seen to wait; a fork is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.messaging import records as r

from .driver import Device
from .group_actions import members, row_of
from .group_ledger import SaidInGroup

if TYPE_CHECKING:
    from .world import World


def at_rest(world: World) -> bool:
    if not world.group.id:
        return True
    wrong = _membership(world) or _rest(world) or _missing(world) or _agreement(world)
    return not (wrong or _with_files(world, r.FileState.REMOTE))


def problems(world: World) -> list[str]:
    """Everything that does not hold."""
    if not world.group.id:
        return []
    wrong = [*_membership(world), *_shown(world)]
    if told_of_fork(world):
        return wrong
    wrong += [*_rest(world), *_order(world), *_agreement(world)]
    for state in (r.FileState.REMOTE, r.FileState.LOST):
        wrong += [_text(world, *case, f"has a file that is {state.name} at") for case in _with_files(world, state)]
    return wrong + [_text(world, said, device, "is missing at") for said, device in _missing(world)]


# --- one group --------------------------------------------------------------------------------------------------------


def _present(world: World) -> list[Device]:
    """Devices that are still somebody's."""
    return [device for device in world.devices if not device.removed and device.look().me.linked]


def _with_status(world: World, *wanted: r.GroupStatus) -> list[Device]:
    rows = [(device, row_of(device)) for device in _present(world)]
    return [device for device, row in rows if row is not None and row.status in wanted]


def current(world: World) -> list[Device]:
    active = _with_status(world, r.GroupStatus.ACTIVE)
    return [device for device in active if device not in stranded(world)]


def stranded(world: World) -> list[Device]:
    """Devices in an epoch that is over, whose host showed them nothing else before it forgot that or lied, and who know
    nobody in the group who could tell them: docs/protocol/groups.md, section 6, says so."""
    held = _with_status(world, r.GroupStatus.ACTIVE, r.GroupStatus.LOST, r.GroupStatus.JOINING)
    epochs = {device: row.epoch for device in held if (row := row_of(device)) is not None}
    last = max(epochs.values(), default=0)
    ahead = [device for device, epoch in epochs.items() if epoch == last]
    could = world.group.host_lied or any(action.kind in ("absent", "week", "days") for action in world.plan.actions)
    behind = [device for device, epoch in epochs.items() if epoch < last] if could else []
    return [device for device in behind if not any(_know_each_other(device, other) for other in ahead)]


def _went_unheard(world: World, row: r.GroupRow | None) -> bool:
    """It left, and who could have taken it out never got its word: it is a member in name until somebody does."""
    return (
        row is not None and row.status == r.GroupStatus.LEFT and (world.group.host_lied or bool(world.group.returned))
    )


def _know_each_other(one: Device, other: Device) -> bool:
    if one.person == other.person:
        return True
    held = [(one, other.look().me.account), (other, one.look().me.account)]
    contacts = [device.look().get(r.Contact, account) for device, account in held]
    return all(contact is not None and contact.state == r.ContactState.ACCEPTED for contact in contacts)


def told_of_fork(world: World) -> bool:
    """Whether the group says of itself that it cannot go on here, after its host forked it: it stopped, or everybody
    lost it and says so. An admin may reopen it elsewhere then."""
    lost = not current(world) and _with_status(world, r.GroupStatus.LOST)
    return world.group.host_lied and bool(lost or _with_status(world, r.GroupStatus.STOPPED))


def _membership(world: World) -> list[str]:
    """All current devices of all current members hold the same state, in which they are the members."""
    stopped = [device.name for device in _with_status(world, r.GroupStatus.STOPPED)]
    if told_of_fork(world):
        return []
    if stopped:
        return [f"{stopped} took an honest host for a liar"]
    here = current(world)
    views = {device.name: _view(device) for device in here}
    wrong = []
    if len(set(views.values())) > 1:
        wrong.append("\n".join(["the group split:", *(f"  {name}: {view}" for name, view in views.items())]))
        return wrong
    if not here:
        return [] if not _with_status(world, r.GroupStatus.LOST, r.GroupStatus.JOINING) else [_stranded(world)]
    accounts = {member.account for member in members(here[0])}
    inside = {key for member in members(here[0]) for key in member.devices}
    should = [device for device in _present(world) if device.look().me.account in accounts]
    if inside != {device.look().me.device for device in should}:
        names = sorted(device.name for device in world.devices if device.look().me.device in inside)
        wrong.append(f"the group's devices are {names}, its members' {[device.name for device in should]}")
    for device in should:
        row = row_of(device)
        if device not in here and device not in stranded(world) and not _went_unheard(world, row):
            wrong.append(f"{device.name} is in the group and does not know: {row and r.GroupStatus(row.status).name}")
    wrong += [f"{device.name} takes itself for a member" for device in here if device not in should]
    return wrong


def _stranded(world: World) -> str:
    lost = _with_status(world, r.GroupStatus.LOST, r.GroupStatus.JOINING)
    return f"nobody is in the group, and {[device.name for device in lost]} wait to be let in"


def _view(device: Device) -> object:
    row = row_of(device)
    assert row is not None
    people = tuple(sorted((device.world.name_of(m.account), len(m.devices), m.role) for m in members(device)))
    return row.epoch, row.transcript[:4].hex(), row.title, row.generation, people


def _rest(world: World) -> list[str]:
    """Nobody waits for anything that could be done."""
    wrong = []
    for device in current(world):
        work = device.look()
        where = {"group": world.group.id}
        unsaid = [said for said in work.find(r.GroupSaid, where=where) if said.landed_at == r.NEVER]
        if unsaid:
            wrong.append(f"{device.name} has not said {len(unsaid)} entries, first {unsaid[0].counter}")
        if work.find(r.GroupCommit, where=where):
            wrong.append(f"{device.name} has a commit that nobody took")
    return wrong


# --- what was said ----------------------------------------------------------------------------------------------------


def _missing(world: World) -> list[tuple[SaidInGroup, Device]]:
    return [
        (said, device)
        for said in world.group.said.values()
        for device in current(world)
        if device.number in said.to and not device.received.get(said.id) and not _excused(world, said, device)
    ]


def _with_files(world: World, state: r.FileState) -> list[tuple[SaidInGroup, Device]]:
    """Messages that came with files in this state."""
    found = []
    for said in world.group.said.values():
        for device in current(world):
            rows = device.look().find(r.StoredFile, where={"message": said.id})
            if device.number in said.to and not _excused(world, said, device) and state in {row.state for row in rows}:
                found.append((said, device))
    return found


def _excused(world: World, said: SaidInGroup, device: Device) -> bool:
    """Whether a message need not be there: lost with an older copy, the device came anew since, or it never left and
    its person sees that."""
    sender = world.devices[said.sender]
    if device.lost(said.at) or sender.lost(said.at):
        return True
    if any(epoch > said.epoch for epoch in world.group.joined.get(device.number, ())):
        return True
    message = sender.look().get(r.Message, said.id)
    if message is not None and message.state == r.MessageState.FAILED:  # its right to post was taken first
        return True
    gone = sender not in current(world) or any(at > said.at for at in world.group.ended.get(sender.number, ()))
    if gone and waits(sender, said):
        return True
    was_lost = any(at > said.at for at in world.group.returned.get(device.number, ()))
    if was_lost and (gone or message is None or message.deleted):  # what was deleted is not said again
        return True
    return world.group.host_lied and (gone or not _heard_later(world, said, device))


def _heard_later(world: World, said: SaidInGroup, device: Device) -> bool:
    """Whether the device has something newer of the same sender: without that it cannot know that anything is missing,
    where the host kept it back."""
    others = (one for one in world.group.said.values() if one.sender == said.sender and one.order > said.order)
    return any(device.received.get(one.id) for one in others)


def waits(sender: Device, said: SaidInGroup) -> bool:
    """Its person sees that it has not been sent."""
    message = sender.look().get(r.Message, said.id)
    return message is not None and message.state in (r.MessageState.QUEUED, r.MessageState.FAILED)


def _shown(world: World) -> list[str]:
    wrong = []
    for said in world.group.said.values():
        for device in world.devices:
            count = device.received.get(said.id, 0)
            later = any(epoch > said.epoch for epoch in world.group.joined.get(device.number, ()))
            if count and device.number not in said.to and device.number != said.sender and not later:
                wrong.append(_text(world, said, device, "was never meant for"))
            if count > 1:
                wrong.append(_text(world, said, device, f"was shown {count} times at"))
    return wrong


def _order(world: World) -> list[str]:
    """What one device said is shown in its order; what had to be said again because a device or the host lost it may
    come late."""
    wrong = []
    for number, ids in world.ledger.order.items():
        device = world.devices[number]
        if device.doubtful or world.group.host_lied or world.group.returned.get(number):
            continue
        last: dict[int, int] = {}
        for id in ids:
            said = world.group.said.get(id)
            if said is None or said.with_file or number not in said.to or world.devices[said.sender].doubtful:
                continue
            if said.order < last.get(said.sender, -1):
                wrong.append(_text(world, said, device, "came too late at"))
            last[said.sender] = max(said.order, last.get(said.sender, -1))
    return wrong


def _agreement(world: World) -> list[str]:
    """Whoever has a message sees it alike, if those who changed it are still here and nothing was kept back."""
    wrong = []
    here = [] if world.group.host_lied else current(world)
    for said in world.group.said.values():
        hands = [world.devices[number] for number in world.group.changed.get(said.id, ())]
        if any(device.doubtful or device not in here or world.group.ended.get(device.number) for device in hands):
            continue
        views = {}
        for device in here:
            rejoined = any(epoch > said.epoch for epoch in world.group.joined.get(device.number, ()))
            rejoined = rejoined or device.doubtful or bool(world.group.returned.get(device.number))
            message = device.look().get(r.Message, said.id)
            if message is not None and not rejoined:
                reactions = device.look().find(r.ReactionRow, where={"target": said.id})
                seen = tuple(sorted((row.account, row.emoji) for row in reactions))
                views[device.name] = (message.text, message.deleted, seen)
        if len(set(views.values())) > 1:
            wrong.append(f"{said.id[:4].hex()} looks different: {views}")
    return wrong


def _text(world: World, said: SaidInGroup, device: Device, what: str) -> str:
    return f"{said.id[:4].hex()} of {world.devices[said.sender].name} in the group {what} {device.name}"
