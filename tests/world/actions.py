"""What people do and what goes wrong, as the plan says: one function for each kind of action."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.messaging import accounts, contact_sync, conversations, devices, identity, requests, travel
from roost.messaging import records as r
from roost.wire.content import Text
from roost.wire.travel import Network

from . import group_actions
from .device_files import attachment_of
from .driver import Crashed, Device, DiskFailed
from .hosts import Lies
from .network import Weather
from .plan import DAY, HOUR, LIARS, MAX_DEVICES, SECOND, Action

if TYPE_CHECKING:
    from .world import World

EMOJI = ("👍", "🎉", "😢", "")


def perform(world: World, action: Action) -> None:
    world.log(str(action))
    function = _ACTIONS[action.kind]
    world.group.host_lied |= action.kind in LIARS
    try:
        function(world, action)
    except (Crashed, DiskFailed):
        world.log(f"    {action.kind} failed with its device")
    except RoostError as error:
        world.log(f"    {action.kind} refused: {error.code}")


def _device(world: World, number: int) -> Device | None:
    able = [device for device in world.devices if device.running and device.look().me.linked]
    return able[number % len(able)] if able else None


def _contact(device: Device, number: int) -> r.Contact | None:
    found = [row for row in device.look().find(r.Contact) if row.state != r.ContactState.SELF]
    return found[number % len(found)] if found else None


def _message(device: Device, number: int, *, mine: bool) -> r.Message | None:
    work = device.look()
    found = [row for row in work.find(r.Message) if not mine or row.author == work.me.account]
    return found[number % min(len(found), 12) - min(len(found), 12)] if found else None


# --- talking ----------------------------------------------------------------------------------------------------------


def recipients(world: World, device: Device, contact: r.Contact) -> frozenset[int]:
    """Every device that the saying one knows to be theirs, or its own person's."""
    work = device.look()
    known = [*identity.entries(work.me.devices), *(identity.entries(contact.devices) if contact.devices else ())]
    keys = {entry.signing for entry in known} - {work.me.device}
    return frozenset(other.number for other in world.devices if other.look().me.device in keys)


def say(world: World, device: Device, contact: r.Contact, text: str, *, with_file: bool = False) -> None:
    id, to = device.entropy.bytes(16), recipients(world, device, contact)
    attachment, local = attachment_of(id)
    said = Text(text, attachments=(attachment,) if with_file else ())
    with contextlib.suppress(Crashed):  # before or after the commit
        device.step(conversations.say, contact.account, said, id=id, local_files=(local,) if with_file else ())
    if device.look().get(r.Message, id) is not None:
        world.ledger.accepted(device, id, contact.account, to, world.time.now)
        world.log(f"    {device.name} says {id[:4].hex()} to {sorted(world.devices[n].name for n in to)}")
    device.wake()


def _say(world: World, action: Action, length: int = 0, count: int = 1, *, with_file: bool = False) -> None:
    device = _device(world, action.a)
    contact = _contact(device, action.b) if device else None
    if device is None or contact is None:
        return
    for index in range(count):
        if device.running:
            text = f"{action.c}.{index} " + "long " * (length // 5)
            say(world, device, contact, text, with_file=with_file and index == 1)


def _on_message(
    world: World, action: Action, change: Callable[[Device, r.Message], None], *, mine: bool = False
) -> None:
    device = _device(world, action.a)
    message = _message(device, action.b, mine=mine) if device else None
    if device is not None and message is not None:
        world.ledger.changed.setdefault(message.id, set()).add(device.number)
        change(device, message)
        device.wake()


def _edit(world: World, action: Action) -> None:
    _on_message(world, action, lambda d, m: d.step(conversations.edit, m.id, f"edit {action.c}"), mine=True)


def _delete(world: World, action: Action) -> None:
    _on_message(world, action, lambda d, m: d.step(conversations.delete_for_all, m.id), mine=True)


def _react(world: World, action: Action) -> None:
    emoji = EMOJI[action.c % len(EMOJI)]
    _on_message(world, action, lambda d, m: d.step(conversations.react, m.id, emoji))


def _read(world: World, action: Action) -> None:
    def read(device: Device, message: r.Message) -> None:
        unread = device.look().find(r.Message, where={"conversation": message.conversation})
        device.step(conversations.mark_read, message.conversation, tuple(row.id for row in unread))

    _on_message(world, action, read)


def _timer(world: World, action: Action) -> None:
    device = _device(world, action.a)
    contact = _contact(device, action.b) if device else None
    if device is not None and contact is not None:
        device.step(conversations.set_timer, contact.account, (0, 0, 3_600, 86_400)[action.c % 4])
        device.wake()


# --- people and devices -----------------------------------------------------------------------------------------------


def _add(world: World, action: Action) -> None:
    inviter, adder = _device(world, action.a), _device(world, action.b)
    if inviter and adder and inviter.person != adder.person:
        world.befriend(inviter, adder)


def _settled(world: World, person: int) -> list[Device]:
    """The person's devices, if they all know the same list; else none: two lists made at once are a fork."""
    everyone = [device for device in world.people[person] if not device.removed]
    linked = [device for device in everyone if device.look().me.linked]
    agree = len({device.look().me.devices.list for device in linked}) == 1
    known = len(linked) == len(everyone) and len(identity.entries(linked[0].look().me.devices)) == len(linked)
    return [device for device in linked if device.running] if agree and known else []


def _link(world: World, action: Action) -> None:
    able = _settled(world, action.a % len(world.people))
    if able and len(world.devices) < MAX_DEVICES:
        world.link(able[action.b % len(able)])


def _remove_device(world: World, action: Action) -> None:
    able = _settled(world, action.a % len(world.people))
    if len(able) < 2:
        return
    old, gone = able[action.b % len(able)], able[(action.b + 1 + action.c % (len(able) - 1)) % len(able)]
    key = gone.look().me.device
    try:
        old.step(lambda work: devices.remove(work, key, accounts.account_key(work.me, None)))
    finally:  # it may die before the commit or after it
        gone.removed = key not in {entry.signing for entry in identity.entries(old.look().me.devices)}
        world.log(f"    {old.name} removes {gone.name}: {gone.removed}")
    old.wake()


def _with_contact(function: Callable[..., object]) -> Callable[[World, Action], None]:
    def run(world: World, action: Action) -> None:
        device = _device(world, action.a)
        contact = _contact(device, action.b) if device else None
        if device is not None and contact is not None:
            world.log(f"    {device.name} with {world.name_of(contact.account)}")
            if function is requests.remove:
                world.part(device, contact.account)
            if function is requests.block:
                world.ledger.blocked.add((device.look().me.account, contact.account))
            device.step(function, contact.account)
            device.wake()

    return run


def _prefer(world: World, action: Action) -> None:
    """Somebody chooses, or no longer, by which network they write to a contact first."""
    device = _device(world, action.a)
    contact = _contact(device, action.b) if device else None
    if device is not None and contact is not None:
        device.step(travel.choose, contact.account, prefers=Network(action.c % len(Network)))
        device.wake()


def _week(world: World, action: Action) -> None:
    world.time.skip(8 * DAY)
    world.everybody_wakes()


# --- faults of devices ------------------------------------------------------------------------------------------------


def _crash(world: World, action: Action) -> None:
    device = world.devices[action.a % len(world.devices)]
    device.crash_next = ("before", "after")[action.b % 2]


def _disk(world: World, action: Action) -> None:
    world.devices[action.a % len(world.devices)].disk_fails = 1 + action.b % 6


def _clock(world: World, action: Action) -> None:
    device = world.devices[action.a % len(world.devices)]
    span = (10 * SECOND, HOUR, DAY, 5 * DAY)[action.b % 4]
    device.clock_offset = random.Random(action.c).randrange(-span, span) if action.b % 5 else 0
    device.wake()


def _backup(world: World, action: Action) -> None:
    device = world.devices[action.a % len(world.devices)]
    world.backups[device.number] = (device.rows.copy(), dict(device.received), _structure(world))


def _restore(world: World, action: Action) -> None:
    """Only while people and devices are the same: what else was forgotten is not a matter of messages."""
    held = [number for number, (_, _, structure) in world.device_backups() if structure == _structure(world)]
    if not held:
        return
    device = world.devices[held[action.a % len(held)]]
    rows, received, _ = world.backups.pop(device.number)  # type: ignore[misc]
    world.log(f"    {device.name} is restored from a copy")
    device.restore(rows, received)


def _structure(world: World) -> object:
    return tuple(
        (
            device.removed,
            device.look().me.devices.list,
            *sorted((c.account, c.state) for c in device.look().find(r.Contact)),
        )
        for device in world.devices
    )


# --- faults of the network and of relays ------------------------------------------------------------------------------


def _relay(world: World, action: Action) -> object:
    return list(world.relays.values())[action.a % len(world.relays)]


def _for_a_while(world: World, action: Action, end: Callable[[], None]) -> None:
    world.time.after((5 * SECOND, 60 * SECOND, HOUR)[action.c % 3], end)


def _cut(world: World, action: Action) -> None:
    device = world.devices[action.a % len(world.devices)]
    pair = device.name, world.relay_of(device).name
    world.network.cut(*pair)
    _for_a_while(world, action, partial(world.network.heal, *pair))


def _cut_relays(world: World, action: Action) -> None:
    names = [relay.name for relay in world.relays.values()]
    if len(names) > 1:
        pair = (names[action.a % 2], names[1 - action.a % 2])
        world.network.cut(*pair)
        _for_a_while(world, action, partial(world.network.heal, *pair))


def _storm(world: World, action: Action) -> None:
    world.network.weather = Weather((50.0, 500.0, 5_000.0)[action.a % 3], (0.0, 0.1, 0.4)[action.b % 3], 0.1)
    _for_a_while(world, action, lambda: setattr(world.network, "weather", Weather()))


def _relay_crash(world: World, action: Action) -> None:
    relay = _relay(world, action)
    if action.b % 3 == 0:
        relay.delivered_only = True  # type: ignore[attr-defined]
    else:
        relay.crash()  # type: ignore[attr-defined]
        world.everybody_wakes()


def _relay_down(world: World, action: Action) -> None:
    relay = _relay(world, action)
    world.network.stop(relay.name)  # type: ignore[attr-defined]
    relay.crash()  # type: ignore[attr-defined]
    _for_a_while(world, action, partial(world.network.back, relay.name))  # type: ignore[attr-defined]


def _relay_full(world: World, action: Action, *, disk: bool = False) -> None:
    relay = _relay(world, action)
    relay.set_full(mailboxes=not disk, disk=disk)  # type: ignore[attr-defined]
    _for_a_while(world, action, relay.set_full)  # type: ignore[attr-defined]


def _lies(world: World, action: Action) -> None:
    relay, rng = _relay(world, action), random.Random(action.b)
    kinds = ("replay", "shuffle", "withhold", "forge", "damage")
    relay.lies = Lies(**{kind: rng.choice((0.0, 0.1, 0.5)) for kind in kinds})  # type: ignore[attr-defined]

    def honest() -> None:
        relay.lies = None  # type: ignore[attr-defined]
        relay.crash()  # type: ignore[attr-defined]
        world.everybody_wakes()

    _for_a_while(world, action, honest)


def _forget(world: World, action: Action) -> None:
    _relay(world, action).forget_some((0.2, 1.0)[action.b % 2])  # type: ignore[attr-defined]
    world.everybody_wakes()


def _relay_backup(world: World, action: Action) -> None:
    relay = _relay(world, action)
    world.backups[relay.name] = relay.engine.backup()  # type: ignore[attr-defined]


def _relay_restore(world: World, action: Action) -> None:
    relay = _relay(world, action)
    backup = world.backups.get(relay.name)  # type: ignore[attr-defined]
    if backup is not None:
        relay.restore(backup)  # type: ignore[attr-defined]
        world.everybody_wakes()


_ACTIONS: dict[str, Callable[[World, Action], None]] = {
    "say": _say,
    "say_long": partial(_say, length=9_000),
    "burst": partial(_say, count=12),
    "attach": partial(_say, count=3, with_file=True),
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "read": _read,
    "timer": _timer,
    "pause": lambda world, action: None,
    "add": _add,
    "link": _link,
    "remove_device": _remove_device,
    "block": _with_contact(requests.block),
    "unblock": _with_contact(requests.unblock),
    "remove": _with_contact(requests.remove),
    "rename": _with_contact(lambda work, account: contact_sync.changed(work, work.need(r.Contact, account))),
    "prefer": _prefer,
    "week": _week,
    "crash": _crash,
    "disk": _disk,
    "clock": _clock,
    "cut": _cut,
    "cut_relays": _cut_relays,
    "storm": _storm,
    "relay_crash": _relay_crash,
    "relay_down": _relay_down,
    "relay_full": _relay_full,
    "disk_full": partial(_relay_full, disk=True),
    "lies": _lies,
    "forget": _forget,
    "relay_backup": _relay_backup,
    "relay_restore": _relay_restore,
    "backup": _backup,
    "restore": _restore,
    **group_actions.ACTIONS,
}
