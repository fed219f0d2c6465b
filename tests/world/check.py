"""What must hold of a world that was left in peace: delivered exactly once, in order, to nobody else; all agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.messaging import records as r

from . import group_check
from .driver import Device
from .ledger import Said

if TYPE_CHECKING:
    from .world import World


def everything(world: World) -> None:
    """Raises Broken with everything that does not hold."""
    from .world import Broken

    wrong = [
        *_delivery(world),
        *_files(world, r.FileState.REMOTE, r.FileState.LOST),
        *_order(world),
        *_outboxes(world),
        *_agreement(world),
    ]
    wrong += group_check.problems(world)
    if wrong:
        raise Broken("\n".join(wrong[:12]))


def at_rest(world: World) -> bool:
    waits = _outboxes(world) or any(_missing(world)) or _files(world, r.FileState.REMOTE)
    return not waits and group_check.at_rest(world)


# --- delivery ---------------------------------------------------------------------------------------------------------


def _delivery(world: World) -> list[str]:
    wrong = [_text(world, said, device, "is missing at") for said, device in _missing(world)]
    for said in world.ledger.said.values():
        for device in world.devices:
            count = device.received.get(said.id, 0)
            if count and device.number not in said.to and device.number != said.sender:
                wrong.append(_text(world, said, device, "was never meant for"))
            if count > 1:
                wrong.append(_text(world, said, device, f"was shown {count} times at"))
    return wrong


def _missing(world: World) -> list[tuple[Said, Device]]:
    """Messages that a device should have and has not, and that nobody shows as waiting either."""
    found = []
    for said in world.ledger.said.values():
        sender = world.devices[said.sender]
        for number in said.to:
            device = world.devices[number]
            if device.received.get(said.id) or excused(world, said, sender, device):
                continue
            found.append((said, device))
    return found


def _files(world: World, *states: r.FileState) -> list[str]:
    """Messages that came with files that are in one of these states. Whoever blocks somebody has what lies at the host
    deleted, files too."""
    wrong = []
    for said in world.ledger.said.values():
        sender = world.devices[said.sender]
        for device in (world.devices[number] for number in said.to):
            pair = device.look().me.account, sender.look().me.account
            if excused(world, said, sender, device) or device.doubtful or pair in world.ledger.blocked:
                continue
            found = {row.state for row in device.look().find(r.StoredFile, where={"message": said.id})}
            if found & set(states):
                wrong.append(_text(world, said, device, f"has files in states {found} at"))
    return wrong


def excused(world: World, said: Said, sender: Device, device: Device) -> bool:
    """Whether a message need not be there: one of the two is no longer part of it."""
    if device.removed or sender.removed or not device.look().me.linked:
        return True
    if device.lost(said.at) or sender.lost(said.at):
        return True
    work = device.look()
    account = sender.look().me.account
    if account == work.me.account:  # a copy for the sender's other device
        contact = work.get(r.Contact, said.conversation)
        return contact is None or any(world.parted(one, said.conversation) for one in (sender, device))
    mine, theirs = work.get(r.Contact, account), sender.look().get(r.Contact, said.conversation)
    if mine is None or theirs is None or world.parted(sender, said.conversation) or world.parted(device, account):
        return True
    if {mine.state, theirs.state} & {r.ContactState.BLOCKED, r.ContactState.REQUESTED}:
        return _waits(sender, said, device)
    return False


def _waits(sender: Device, said: Said, device: Device) -> bool:
    """It is in the outbox and the person can see it there."""
    rows = sender.look().find(r.Outbox, where={"message": said.id})
    return any(row.device == device.look().me.device for row in rows)


def _order(world: World) -> list[str]:
    """What one device said in one conversation is shown in the order in which it was said."""
    wrong = []
    for number, ids in world.ledger.order.items():
        device = world.devices[number]
        last: dict[tuple[int, bytes], int] = {}
        for id in ids:
            said = world.ledger.said.get(id)
            if said is None or device.doubtful or world.devices[said.sender].doubtful:
                continue
            if world.parted(device, said.conversation) or world.parted(world.devices[said.sender], said.conversation):
                continue
            key = said.sender, said.conversation
            if said.order < last.get(key, -1):
                wrong.append(_text(world, said, device, "came too late at"))
            last[key] = max(said.order, last.get(key, -1))
    return wrong


# --- rest and agreement -----------------------------------------------------------------------------------------------


def _outboxes(world: World) -> list[str]:
    """Nothing waits for somebody who could have it."""
    wrong = []
    for device in world.devices:
        work = device.look()
        if device.removed or not work.me.linked:
            continue
        for row in work.find(r.Outbox):
            other = next((one for one in world.devices if one.look().me.device == row.device), None)
            if other is None or other.removed or not other.look().me.linked or not _talk(device, row, other):
                continue
            wrong.append(
                f"{device.name} still has row {row.number} for {other.name}: state {row.state} {row.problem} "
                f"attempts {row.attempts} message {row.message[:4].hex()}"
            )
    return wrong


def _talk(device: Device, row: r.Outbox, other: Device) -> bool:
    mine = device.look().get(r.Contact, row.account)
    theirs = other.look().get(r.Contact, device.look().me.account)
    settled = (r.ContactState.ACCEPTED, r.ContactState.SELF)
    return mine is not None and theirs is not None and mine.state in settled and theirs.state in settled


def _agreement(world: World) -> list[str]:
    """Whoever has a message sees it alike."""
    wrong = []
    for said in world.ledger.said.values():
        sender = world.devices[said.sender]
        hands = [world.devices[number] for number in world.ledger.changed.get(said.id, ())]
        if any(device.removed or device.doubtful or _blocked_there(device, said) for device in hands):
            continue  # what it said last may have reached some and not others
        views = {}
        for number in (said.sender, *said.to):
            device = world.devices[number]
            if number != said.sender and (excused(world, said, sender, device) or not device.received.get(said.id)):
                continue
            if device.removed or device.doubtful or sender.removed or sender.doubtful:
                continue
            message = device.look().get(r.Message, said.id)
            if message is not None and not _blocked(device, message):
                reactions = device.look().find(r.ReactionRow, where={"target": said.id})
                seen = tuple(sorted((row.account, row.emoji) for row in reactions))
                views[device.name] = (message.text, message.deleted, seen)
        if len(set(views.values())) > 1:
            wrong.append(f"{said.id[:4].hex()} looks different: {views}")
    return wrong


def _blocked_there(device: Device, said: Said) -> bool:
    """Whether who changed the message has blocked the conversation since: what still had to leave waits there."""
    message = device.look().get(r.Message, said.id)
    return message is None or _blocked(device, message)


def _blocked(device: Device, message: r.Message) -> bool:
    contact = device.look().get(r.Contact, message.conversation)
    return contact is None or contact.state != r.ContactState.ACCEPTED


def _text(world: World, said: Said, device: Device, what: str) -> str:
    return f"{said.id[:4].hex()} of {world.devices[said.sender].name} {what} {device.name}"
