"""What people want of a group, and the one commit that brings about as much of it as may be.

An intent stays until a commit of anybody's has fulfilled it, or until it may not be any more. So whoever loses a race
tries again on top of the winner, and two admins who want the same harm nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from roost.crypto import mls
from roost.errors import CallerError
from roost.messaging.groups import offers, rules, states
from roost.messaging.groups.rules import Change, NotPermitted
from roost.messaging.groups.states import Person
from roost.messaging.records import GroupIntent, GroupRow, IntentKind
from roost.messaging.work import Work
from roost.wire.addresses import HostAddress
from roost.wire.codec import TextRecord, decode, encode
from roost.wire.groups import GroupState, LogPlace, MemberRole, Permissions, Role

MAX_ADDED = 512  # devices in one commit
MAX_INTENTS = 6_000  # of one group: all its people, and some more


class StateChange(TextRecord, frozen=True):
    """Fields of the group's state that are to change; None: as it is."""

    title: str | None = None
    description: str | None = None
    avatar: bytes | None = None
    timer_s: int | None = None
    permissions: Permissions | None = None
    history: int | None = None
    approval: bool | None = None

    def __post_init__(self) -> None:  # the state itself checks lengths
        pass


def want(
    work: Work,
    group: GroupRow,
    kind: IntentKind,
    *,
    account: bytes = b"",
    device: bytes = b"",
    data: bytes = b"",
    quiet: bool = False,
) -> GroupIntent:
    """Note what is wanted, unless it is the last thing noted about the same. Raises CallerError `too_many_changes`."""
    fresh = GroupIntent(0, group.id, int(kind), account, device, data, work.now, quiet=quiet)
    return _note(work, fresh, _held(work, group))


def want_each(work: Work, group: GroupRow, kind: IntentKind, accounts: Iterable[bytes]) -> None:
    """As `want`, for many people."""
    held = _held(work, group)
    for account in accounts:
        _note(work, GroupIntent(0, group.id, int(kind), account, b"", b"", work.now), held)


_Held = dict[tuple[int, bytes, bytes], GroupIntent]


def _held(work: Work, group: GroupRow) -> _Held:
    """The last intent about each thing."""
    rows = sorted(work.find(GroupIntent, where={"group": group.id}), key=lambda row: row.number)
    return {(_about(row.kind), row.account, row.device): row for row in rows}


def _note(work: Work, fresh: GroupIntent, held: _Held) -> GroupIntent:
    about = (_about(fresh.kind), fresh.account, fresh.device)
    last = held.get(about)
    if last is not None and (last.kind, last.data) == (fresh.kind, fresh.data):
        return last
    if len(held) >= MAX_INTENTS:
        raise CallerError("Too many changes of this group wait.", code="too_many_changes", hint="Try again later.")
    held[about] = work.put(msgspec.structs.replace(fresh, number=work.next_number("intent")))
    return held[about]


def _about(kind: int) -> int:
    """Kinds of which the later word holds count as one."""
    if kind in (IntentKind.ADD, IntentKind.REMOVE, IntentKind.BAN, IntentKind.UNBAN, IntentKind.LEAVE):
        return IntentKind.ADD
    if kind in (IntentKind.ADD_DEVICE, IntentKind.REMOVE_DEVICE):
        return IntentKind.ADD_DEVICE
    return kind


@dataclass
class Plan:
    """A commit in the making: the state that it leads to, who comes and goes, and which intents that fulfils."""

    state: GroupState
    people: Mapping[bytes, Person]
    adds: dict[tuple[bytes, bytes], mls.KeyPackage] = field(default_factory=dict)
    removes: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    move: bool = False
    update: bool = False
    covered: tuple[int, ...] = ()

    def changes_nothing(self, other: Plan) -> bool:
        mine = (self.state, self.adds.keys(), self.removes.keys(), self.move, self.update)
        return mine == (other.state, other.adds.keys(), other.removes.keys(), other.move, other.update)

    @property
    def empty(self) -> bool:
        return not self.covered


@dataclass(frozen=True)
class Planned:
    """A plan, and what became of the intents that are not in it."""

    plan: Plan
    change: Change
    fulfilled: tuple[GroupIntent, ...]
    refused: tuple[tuple[GroupIntent, str], ...]


def make_plan(work: Work, row: GroupRow, group: mls.Group, relay: HostAddress | None) -> Planned:
    """The commit that the intents which are due ask for. `relay`: where a new log would be made."""
    before, people = states.state_of(group.extensions), states.roster(group)
    held = [intent for intent in work.find(GroupIntent, where={"group": row.id}) if intent.not_before <= work.now]
    due = sorted(held, key=lambda intent: intent.number)
    maker = _Maker(work, before, people, relay)
    try:
        return maker.together(due)
    except NotPermitted:
        return maker.one_by_one(due)


@dataclass(frozen=True)
class _Maker:
    """Puts intents into a plan: all at once, which is quick where a thousand people are added, or each on trial."""

    work: Work
    before: GroupState
    people: Mapping[bytes, Person]
    relay: HostAddress | None

    def together(self, due: list[GroupIntent]) -> Planned:
        """Raises NotPermitted when one of them is not allowed."""
        plan, fulfilled = Plan(self.before, self.people), []
        for intent in due:
            trial = self._with(plan, intent)
            if trial is None or (len(trial.adds) > MAX_ADDED and plan.covered):
                continue
            if trial.changes_nothing(plan):
                fulfilled.append(intent)
            else:
                plan = trial
        return Planned(plan, self._checked(plan), tuple(fulfilled), ())

    def one_by_one(self, due: list[GroupIntent]) -> Planned:
        plan, fulfilled, refused = Plan(self.before, self.people), [], []
        for intent in due:
            trial = self._with(plan, intent)
            if trial is None or (len(trial.adds) > MAX_ADDED and plan.covered):
                continue
            if trial.changes_nothing(plan):
                fulfilled.append(intent)
                continue
            try:
                self._checked(trial)
            except NotPermitted as error:
                refused.append((intent, error.code))
            else:
                plan = trial
        return Planned(plan, self._checked(plan), tuple(fulfilled), tuple(refused))

    def _with(self, plan: Plan, intent: GroupIntent) -> Plan | None:
        """The plan with one more intent; None while that has to wait for key packages."""
        covered = (*plan.covered, intent.number)
        trial = replace(plan, adds=dict(plan.adds), removes=dict(plan.removes), covered=covered)
        return None if _apply(self.work, intent, trial) else trial

    def _checked(self, plan: Plan) -> Change:
        change = _change(self.work, plan, self.before, self.relay)
        if change.after.place == self.before.place and (plan.move or rules.must_move(change)):
            raise NotPermitted("no relay takes a new log", code="no_relay")
        if not plan.empty:
            rules.check(change)
        return change


def _change(work: Work, plan: Plan, before: GroupState, relay: HostAddress | None) -> Change:
    """The plan as the rules see it, its state complete: roles of members only, and the log where it must be."""
    me = work.me
    members = {account: frozenset(person.devices) for account, person in plan.people.items()}
    change = Change(me.account, me.device, before, plan.state, members, tuple(plan.adds), tuple(plan.removes))
    here = change.members_after()
    roles = tuple(MemberRole(*entry) for entry in rules.with_roles(plan.state, {}, here))
    after = msgspec.structs.replace(plan.state, roles=roles)
    change = replace(change, after=after)
    if relay is not None and (plan.move or rules.must_move(change)):
        place = LogPlace(relay, before.place.generation + 1)
        change = replace(change, after=msgspec.structs.replace(after, place=place))
    return change


# --- each kind -------------------------------------------------------------------------------------------------------


def _apply(work: Work, intent: GroupIntent, plan: Plan) -> bool:
    """Put the intent into the plan. True: it has to wait for key packages."""
    match IntentKind(intent.kind):
        case IntentKind.ADD | IntentKind.ADD_DEVICE:
            return _add(work, intent, plan)
        case IntentKind.REMOVE | IntentKind.REMOVE_DEVICE | IntentKind.LEAVE:
            _remove(intent, plan)
        case IntentKind.BAN:
            _ban(intent, plan)
        case IntentKind.UNBAN:
            _unban(intent, plan)
        case IntentKind.ROLE:
            _role(intent, plan)
        case IntentKind.STATE:
            _state(intent, plan)
        case IntentKind.UPDATE:
            plan.update = True
        case IntentKind.MOVE:
            plan.move = True
    return False


def _add(work: Work, intent: GroupIntent, plan: Plan) -> bool:
    packages = offers.packages_of(work, intent.account)
    here = plan.people.get(intent.account, Person()).devices
    known = {device for device in here if (intent.account, device) not in plan.removes}
    if intent.kind == IntentKind.ADD_DEVICE:
        packages = {device: package for device, package in packages.items() if device == intent.device}
        if intent.account not in plan.people:
            return False
    elif known:
        return False
    for device, package in packages.items():
        if device not in known:
            plan.adds[intent.account, device] = package
    return not packages and intent.device not in known


def _remove(intent: GroupIntent, plan: Plan) -> None:
    person = plan.people.get(intent.account, Person())
    for device, index in person.devices.items():
        if intent.kind != IntentKind.REMOVE_DEVICE or device == intent.device:
            plan.removes[intent.account, device] = index


def _ban(intent: GroupIntent, plan: Plan) -> None:
    banned = {*plan.state.banned, intent.account}
    plan.state = msgspec.structs.replace(plan.state, banned=tuple(sorted(banned)))
    for pair in [pair for pair in plan.adds if pair[0] == intent.account]:
        del plan.adds[pair]
    _remove(intent, plan)


def _unban(intent: GroupIntent, plan: Plan) -> None:
    banned = tuple(account for account in plan.state.banned if account != intent.account)
    plan.state = msgspec.structs.replace(plan.state, banned=banned)


def _role(intent: GroupIntent, plan: Plan) -> None:
    here = {*plan.people, *(account for account, _ in plan.adds)}
    if intent.account in here:
        roles = rules.with_roles(plan.state, {intent.account: Role(intent.data[0])}, here)
        plan.state = msgspec.structs.replace(plan.state, roles=tuple(MemberRole(*entry) for entry in roles))


def _state(intent: GroupIntent, plan: Plan) -> None:
    change = decode(StateChange, intent.data)
    fields = {name: getattr(change, name) for name in change.__struct_fields__}
    plan.state = msgspec.structs.replace(plan.state, **{k: value for k, value in fields.items() if value is not None})


def state_change(change: StateChange) -> bytes:
    return encode(change)
