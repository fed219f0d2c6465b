"""What people do with the world's group, and what goes wrong with it: one function for each kind of action."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.messaging import conversations
from roost.messaging import records as r
from roost.messaging.groups import actions as groups
from roost.messaging.groups import rules, states
from roost.wire.content import Text
from roost.wire.groups import Role

from .device_files import attachment_of
from .driver import Crashed, Device, DiskFailed
from .group_ledger import SaidInGroup
from .plan import DAY, Action

if TYPE_CHECKING:
    from .world import World

EMOJI = ("👍", "🎉", "😢", "")
ROLES = (Role.ADMIN, Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.READ_ONLY, Role.MEMBER)


def set_up(world: World) -> None:
    """The first person makes the group with everybody who is a contact; two others may get roles."""
    maker = world.people[0][0]
    people = [account(world, number) for number in range(1, len(world.people) - world.plan.outside)]
    world.group.id = maker.step(groups.create, "Choir", people)
    maker.wake()
    world.run_for(300_000)
    for person, role in zip(people, (Role.ADMIN, Role.MODERATOR)[: 1 + world.plan.seed % 2], strict=False):
        maker.step(groups.set_role, world.group.id, person, role)
        maker.wake()
    world.run_for(300_000)


def account(world: World, person: int) -> bytes:
    return world.people[person % len(world.people)][0].look().me.account


def members(device: Device) -> list[r.GroupMember]:
    return device.look().find(r.GroupMember, where={"group": device.world.group.id})


def row_of(device: Device) -> r.GroupRow | None:
    return device.look().get(r.GroupRow, device.world.group.id)


def _inside(world: World, number: int) -> Device | None:
    """A device that takes itself for a member's."""
    able = [device for device in world.devices if device.running and _is_inside(device)]
    return able[number % len(able)] if able else None


def _is_inside(device: Device) -> bool:
    row = row_of(device)
    return row is not None and row.status in (r.GroupStatus.ACTIVE, r.GroupStatus.LOST)


# --- talking ----------------------------------------------------------------------------------------------------------


def say(world: World, device: Device, text: str, *, with_file: bool = False) -> None:
    id, row = device.entropy.bytes(16), row_of(device)
    assert row is not None
    work = device.look()
    keys = {key for member in members(device) for key in member.devices} - {work.me.device}
    to = frozenset(other.number for other in world.devices if other.look().me.device in keys)
    attachment, local = attachment_of(id)
    content = Text(text, attachments=(attachment,) if with_file else ())
    with contextlib.suppress(Crashed):  # before or after the commit
        device.step(conversations.say, world.group.id, content, id=id, local_files=(local,) if with_file else ())
    if device.look().get(r.Message, id) is not None:
        ledger = world.group
        ledger.said[id] = SaidInGroup(id, device.number, len(ledger.said), world.time.now, row.epoch, to, with_file)
        names = sorted(world.devices[n].name for n in to)
        world.log(f"    {device.name} says {id[:4].hex()} in epoch {row.epoch} to {names}")
    device.wake()


def _say(world: World, action: Action, count: int = 1, *, with_file: bool = False) -> None:
    device = _inside(world, action.a)
    for index in range(count if device else 0):
        if device is not None and device.running:
            say(world, device, f"{action.c}.{index}", with_file=with_file and index == 0)


def _on_message(world: World, action: Action, change: Callable[[Device, bytes], None], *, mine: bool = False) -> None:
    device = _inside(world, action.a)
    if device is None:
        return
    work = device.look()
    found = [row for row in work.find(r.Message, where={"conversation": world.group.id}) if row.device]
    found = [row for row in found if not mine or row.author == work.me.account]
    if found:
        message = found[action.b % min(len(found), 12) - min(len(found), 12)]
        world.group.changed.setdefault(message.id, set()).add(device.number)
        change(device, message.id)
        device.wake()


def _edit(world: World, action: Action) -> None:
    _on_message(world, action, lambda d, id: d.step(conversations.edit, id, f"edit {action.c}"), mine=True)


def _delete(world: World, action: Action) -> None:
    _on_message(world, action, lambda d, id: d.step(conversations.delete_for_all, id), mine=action.c % 3 > 0)


def _react(world: World, action: Action) -> None:
    _on_message(world, action, lambda d, id: d.step(conversations.react, id, EMOJI[action.c % len(EMOJI)]))


def _read(world: World, action: Action) -> None:
    device = _inside(world, action.a)
    if device is not None:
        unread = device.look().find(r.Message, where={"conversation": world.group.id})
        device.step(conversations.mark_read, world.group.id, tuple(row.id for row in unread))
        device.wake()


# --- changing the group -----------------------------------------------------------------------------------------------


def _change(world: World, device: Device, kind: int, a: int, b: int) -> None:
    """One change, by whoever it is: what they may not do they are refused."""
    id, whom = world.group.id, account(world, a)
    world.log(f"    {device.name} changes {kind % 10}: {world.name_of(whom)} {b}")
    match kind % 10:
        case 0 | 1:
            device.step(groups.add, id, [whom])
        case 2:
            device.step(groups.remove, id, [whom])
        case 3 | 4:
            role = ROLES[b % len(ROLES)]
            device.step(groups.set_role, id, whom, role)
        case 5 | 6:
            device.step(groups.change, id, title=f"title {b}")
        case 7:
            device.step(groups.change, id, description=f"description {b}")
        case 8:
            device.step(groups.move, id)
        case 9:
            device.step(*((groups.ban, id, [whom]) if b % 2 else (groups.unban, id, [whom])))
    device.wake()


def _one(world: World, action: Action, kind: int) -> None:
    device = _inside(world, action.a)
    if device is not None:
        _change(world, device, kind, action.b, action.c)


def _race(world: World, action: Action) -> None:
    """Everybody who is an admin changes something in the same moment."""
    for index, device in enumerate(list(world.devices)):
        row = row_of(device)
        if not device.running or row is None or not row.state or not _is_inside(device):
            continue
        if rules.role_of(states.held_state(row), device.look().me.account) is Role.ADMIN:
            with contextlib.suppress(RoostError, Crashed, DiskFailed):
                _change(world, device, action.a + 3 * index, action.b + index, action.c + index)


def _leave(world: World, action: Action) -> None:
    device = _inside(world, action.a)
    if device is not None and len(members(device)) > 2:
        device.step(groups.leave, world.group.id)
        device.wake()


# --- absence ----------------------------------------------------------------------------------------------------------


def _absent(world: World, action: Action) -> None:
    """A device is away from everything for days or weeks; the others go on."""
    device = world.devices[action.a % len(world.devices)]
    for relay in world.owns(device):
        world.network.cut(device.name, relay.name)
        days = (1, 4, 12, 35)[action.b % 4]
        world.time.after(days * DAY, partial(world.network.heal, device.name, relay.name))


ACTIONS: dict[str, Callable[[World, Action], None]] = {
    "g_say": _say,
    "g_attach": partial(_say, count=2, with_file=True),
    "g_burst": partial(_say, count=8),
    "g_edit": _edit,
    "g_delete": _delete,
    "g_react": _react,
    "g_read": _read,
    "g_add": partial(_one, kind=0),
    "g_remove": partial(_one, kind=2),
    "g_role": partial(_one, kind=3),
    "g_title": partial(_one, kind=5),
    "g_describe": partial(_one, kind=7),
    "g_move": partial(_one, kind=8),
    "g_ban": partial(_one, kind=9),
    "g_race": _race,
    "g_leave": _leave,
    "absent": _absent,
    "days": lambda world, action: None,
}
