"""Who may change what in a group: the one table of rules, shared by those who commit, those who receive, and the docs.

A commit is judged by the state that it ends, by its author and by what it does, and by nothing else: not by clocks, nor
by what a device knows besides. So all members agree about it, whenever they read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from roost.errors import PeerError
from roost.wire.groups import MAX_MEMBERS, GroupState, Role

Members = Mapping[bytes, frozenset[bytes]]
"""Devices by account."""


class NotPermitted(PeerError):
    """A commit that its author may not make: everybody ignores it. `code` is the rule's name."""

    code = "not_permitted"


@dataclass(frozen=True)
class Change:
    """What a commit does, told in people and devices. `added` and `removed` are pairs of account and device."""

    committer: bytes
    device: bytes
    before: GroupState
    after: GroupState
    members: Members
    added: tuple[tuple[bytes, bytes], ...] = ()
    removed: tuple[tuple[bytes, bytes], ...] = ()
    external: bool = False
    reopens: bool = False

    @property
    def role(self) -> Role:
        return role_of(self.before, self.committer)

    def members_after(self) -> dict[bytes, frozenset[bytes]]:
        return self._after

    @cached_property
    def _after(self) -> dict[bytes, frozenset[bytes]]:
        gone = set(self.removed)
        after = {
            account: frozenset(device for device in devices if (account, device) not in gone)
            for account, devices in self.members.items()
        }
        for account, device in self.added:
            after[account] = after.get(account, frozenset()) | {device}
        return {account: devices for account, devices in after.items() if devices}


def role_of(state: GroupState, account: bytes) -> Role:
    """The role of a member. (Of anybody else it says nothing.)"""
    return next((entry.role for entry in state.roles if entry.account == account), Role.MEMBER)


def outranks(state: GroupState, actor: bytes, target: bytes) -> bool:
    """Whether `actor` may remove or ban `target`: admins anybody, moderators those below them."""
    role = role_of(state, actor)
    return role is Role.ADMIN or (role is Role.MODERATOR and role_of(state, target) < role)


def admins(state: GroupState) -> tuple[bytes, ...]:
    return tuple(entry.account for entry in state.roles if entry.role is Role.ADMIN)


def may_post(state: GroupState, account: bytes) -> bool:
    role = role_of(state, account)
    return role > Role.READ_ONLY and role >= state.permissions.post


def may_pin(state: GroupState, account: bytes) -> bool:
    role = role_of(state, account)
    return role > Role.READ_ONLY and role >= state.permissions.pin


def must_move(change: Change) -> bool:
    """Whether those who know the present log's capabilities include somebody who must not any more."""
    lost = set(admins(change.before)) - set(admins(change.after))
    return not change.external and bool(change.removed or lost)


# --- the rules -------------------------------------------------------------------------------------------------------


def _external(change: Change) -> bool:
    own = ((change.committer, change.device),)
    return not change.external or (change.added == change.removed == own and change.after == change.before)


def _invite(change: Change) -> bool:
    if change.external:
        return True
    allowed = change.role > Role.READ_ONLY and change.role >= change.before.permissions.invite
    return all(
        allowed or (account == change.committer and account in change.members)
        for account, _ in change.added
        if account not in change.after.banned
    )


def _banned_stay_out(change: Change) -> bool:
    return not change.members_after().keys() & set(change.after.banned)


def _remove(change: Change) -> bool:
    return all(
        account == change.committer or outranks(change.before, change.committer, account)
        for account, _ in change.removed
    )


def _ban(change: Change) -> bool:
    before, after = set(change.before.banned), set(change.after.banned)
    return all(
        outranks(change.before, change.committer, account) and account != change.committer for account in after - before
    ) and (before <= after or change.role >= Role.MODERATOR)


def _roles(change: Change) -> bool:
    before = {entry.account: entry.role for entry in change.before.roles}
    after = {entry.account: entry.role for entry in change.after.roles}
    here = change.members_after()
    touched = {
        account
        for account in {*before, *after}
        if before.get(account) != after.get(account) and not (account not in here and account not in after)
    }
    return set(after) <= here.keys() and (not touched or change.role is Role.ADMIN)


def _an_admin_remains(change: Change) -> bool:
    return bool(set(admins(change.after)) & change.members_after().keys())


def _describe(change: Change) -> bool:
    old, new = change.before, change.after
    same = (old.title, old.description, old.avatar, old.timer_s) == (
        new.title,
        new.description,
        new.avatar,
        new.timer_s,
    )
    return same or (change.role > Role.READ_ONLY and change.role >= old.permissions.describe)


def _administer(change: Change) -> bool:
    old, new = change.before, change.after
    same = (old.permissions, old.history, old.approval, old.extensions) == (
        new.permissions,
        new.history,
        new.approval,
        new.extensions,
    )
    return same or change.role is Role.ADMIN


def _place(change: Change) -> bool:
    old, new = change.before.place, change.after.place
    if new.generation == old.generation:
        return new == old and not must_move(change)
    moves = new.generation == old.generation + 1
    return moves and not change.external and (must_move(change) or change.role is Role.ADMIN)


def _size(change: Change) -> bool:
    return len(change.members_after()) <= MAX_MEMBERS


def _reopen(change: Change) -> bool:
    return not change.reopens or change.role is Role.ADMIN


@dataclass(frozen=True)
class Rule:
    name: str
    says: str
    holds: Callable[[Change], bool]


RULES: Final[tuple[Rule, ...]] = (
    Rule("external", "One who comes from outside replaces the leaf of the same device and changes nothing else.",
         _external),
    Rule("invite", "Who adds people has at least the role that may invite; further devices of a member may be added by "
         "that member's own too.", _invite),
    Rule("banned", "Nobody who is banned is a member.", _banned_stay_out),
    Rule("remove", "Admins remove anybody, moderators those with a lower role, everybody devices of their own.",
         _remove),
    Rule("ban", "Who bans could remove the person as well; moderators and admins end bans.", _ban),
    Rule("roles", "Admins alone change roles, and only members have one; it ends with the membership.", _roles),
    Rule("admin_remains", "One member at least is an admin.", _an_admin_remains),
    Rule("describe", "Title, description, picture and timer are changed by those whose role may describe.", _describe),
    Rule("administer", "Permissions, history and approval are changed by admins.", _administer),
    Rule("place", "The log moves by one generation, at an admin's wish, and always when somebody is removed or stops "
         "being an admin; otherwise it stays.", _place),
    Rule("size", f"A group has at most {MAX_MEMBERS} people.", _size),
    Rule("reopen", "Admins alone let the group go on as another one.", _reopen),
)  # fmt: skip


def check(change: Change) -> None:
    """Raises NotPermitted, with the name of the first rule that the change breaks as its code."""
    for rule in RULES:
        if not rule.holds(change):
            raise NotPermitted("a commit that its author may not make", code=rule.name)


def with_roles(
    state: GroupState, roles: Mapping[bytes, Role], members: Iterable[bytes]
) -> tuple[tuple[bytes, Role], ...]:
    """The roles of `state` with some changed, of members only, in order, without those that go without saying."""
    here = set(members)
    merged = {entry.account: entry.role for entry in state.roles} | dict(roles)
    return tuple(sorted((a, role) for a, role in merged.items() if a in here and role is not Role.MEMBER))
