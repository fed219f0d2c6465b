"""What a person does with a group: one function for each. Changes are *wanted* at once and come about by a commit;
until then `changes_waiting` shows them. What is said in a group is messaging.conversations' business, as with contacts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.crypto import mls
from roost.errors import CallerError
from roost.messaging import mailboxes, peers, travel
from roost.messaging.groups import (
    committing,
    holding,
    intents,
    keeping,
    notes,
    offers,
    places,
    rules,
    sending,
    states,
)
from roost.messaging.groups.intents import StateChange
from roost.messaging.records import (
    Contact,
    ContactState,
    GroupFormer,
    GroupIntent,
    GroupMember,
    GroupRow,
    GroupStatus,
    IntentKind,
)
from roost.messaging.work import Work
from roost.wire import groups as g
from roost.wire.groups import GroupNote, GroupState, LogPlace, MemberRole, NoteKind, Permissions, Role

GROUP_ID_SIZE = 32


def group(work: Work, id: bytes) -> GroupRow:
    """The group, whatever became of it. Raises CallerError `unknown_group`."""
    row = work.get(GroupRow, id)
    if row is None:
        raise CallerError("There is no such group.", code="unknown_group", hint="List them: roost groups")
    return row


def active(work: Work, id: bytes) -> GroupRow:
    """A group that this device is in. Raises CallerError."""
    row = group(work, id)
    match GroupStatus(row.status):
        case GroupStatus.ACTIVE | GroupStatus.LOST:
            return row
        case GroupStatus.JOINING:
            raise CallerError("This group is still being joined.", code="group_joining", hint="Try again in a moment.")
        case GroupStatus.STOPPED:
            raise CallerError(
                "This group was stopped: its host showed its members different things.",
                code="group_stopped",
                hint="An admin can reopen it elsewhere: roost group reopen GROUP",
            )
    raise CallerError("You are not in this group any more.", code="not_a_member", hint="Ask a member to add you.")


# --- making and filling one ------------------------------------------------------------------------------------------


def create(work: Work, title: str, accounts: Sequence[bytes] = (), *, description: str = "") -> bytes:
    """A new group with me as its admin, at my primary relay; the accounts are added by themselves. Its id, 32 bytes.

    Raises CallerError: a title that is empty or too long, or an account that is no contact.
    """
    _check_title(title)
    _check_size("description", description.encode(), g.MAX_DESCRIPTION)
    for account in accounts:
        _contact(work, account)
    id = work.entropy.bytes(GROUP_ID_SIZE)
    place = LogPlace(mailboxes.log_host(work, mailboxes.primary_relay(work)), 0)
    state = GroupState(title, place, (MemberRole(work.me.account, Role.ADMIN),), description)
    secrets = offers.make_secrets(work)
    made = mls.Group.create(
        secrets, id, work.entropy, extensions=states.extensions_of(state), settings=holding.SETTINGS
    )
    secret = holding.log_secret(made.epoch.secrets, 0)
    log = places.create(work, id, place.relay, secret, [])
    row = GroupRow(
        id,
        GroupStatus.ACTIVE,
        title,
        work.now,
        log=log.id,
        log_secret=secret,
        updated_at=work.now,
        counter=sending.first_counter(0),
    )
    row = holding.keep_epoch(work, row, made)
    places.open_to_requests(work, row)
    places.enter_epoch(work, row, made)
    notes.add(work, row, work.me.account, GroupNote(NoteKind.CREATED, work.me.account, title), 0)
    work.tell("group", id, work.me.account, "created")
    keeping.tend(work, row)
    add(work, id, accounts)
    return id


def add(work: Work, id: bytes, accounts: Sequence[bytes]) -> None:
    """Add people. Those whose devices have given no key package yet come when they do.

    Raises CallerError: no contact, banned, or my role may not.
    """
    row = active(work, id)
    state = states.held_state(row)
    for account in accounts:
        _contact(work, account)
        if account in state.banned:
            raise CallerError("This person is banned.", code="banned", hint="End the ban first: roost group unban")
    _need(work, row, state.permissions.invite)
    intents.want_each(work, row, IntentKind.ADD, accounts)
    committing.pump(work, id)


def remove(work: Work, id: bytes, accounts: Sequence[bytes]) -> None:
    """Remove people with all their devices. The log moves, so they can read, write and fetch nothing any more.

    Raises CallerError: no member, or my role may not.
    """
    _each(work, id, accounts, IntentKind.REMOVE)


def ban(work: Work, id: bytes, accounts: Sequence[bytes]) -> None:
    """Remove people, and let nobody add them again. Who is no member can be banned too."""
    row = active(work, id)
    state = states.held_state(row)
    for account in accounts:
        if account == work.me.account or not rules.outranks(state, work.me.account, account):
            raise _not_permitted()
        intents.want(work, row, IntentKind.BAN, account=account)
    committing.pump(work, id)


def unban(work: Work, id: bytes, accounts: Sequence[bytes]) -> None:
    row = active(work, id)
    _need(work, row, Role.MODERATOR)
    for account in accounts:
        intents.want(work, row, IntentKind.UNBAN, account=account)
    committing.pump(work, id)


def _each(work: Work, id: bytes, accounts: Sequence[bytes], kind: IntentKind) -> None:
    row = active(work, id)
    state = states.held_state(row)
    for account in accounts:
        _member(work, row, account)
        if account == work.me.account:
            raise CallerError("To go yourself, leave the group.", code="own_account", hint="roost group leave GROUP")
        if not rules.outranks(state, work.me.account, account):
            raise _not_permitted()
    intents.want_each(work, row, kind, accounts)
    committing.pump(work, id)


def set_role(work: Work, id: bytes, account: bytes, role: Role) -> None:
    """Make a member an admin, moderator, member or reader. Raises CallerError."""
    row = active(work, id)
    _need(work, row, Role.ADMIN)
    _member(work, row, account)
    state = states.held_state(row)
    if rules.admins(state) == (account,) and role is not Role.ADMIN:
        raise CallerError("A group needs an admin.", code="last_admin", hint="Make somebody else an admin first.")
    intents.want(work, row, IntentKind.ROLE, account=account, data=bytes((role,)))
    committing.pump(work, id)


def leave(work: Work, id: bytes) -> None:
    """Leave, with all my devices. What was said stays on them. The last admin names another one on the way out."""
    row = group(work, id)
    if row.status != GroupStatus.ACTIVE or len(states.members(work, id)) == 1:
        committing.close(work, row, GroupStatus.LEFT)
        return
    row = work.put(msgspec.structs.replace(row, leaving=True))
    keeping.tend(work, row)
    committing.pump(work, id)


def forget(work: Work, id: bytes) -> None:
    """Remove a group that was left, with all that was said in it, from this device. Raises CallerError."""
    row = group(work, id)
    if row.status in (GroupStatus.ACTIVE, GroupStatus.LOST):
        raise CallerError("Leave the group first.", code="still_a_member", hint="roost group leave GROUP")
    committing.close(work, row, GroupStatus.LEFT)
    for kind in (GroupMember, GroupFormer):
        for person in work.find(kind, where={"group": id}):
            work.delete(person)
    travel.forget(work, id)
    work.delete(row)


# --- what it is like -------------------------------------------------------------------------------------------------


def change(
    work: Work,
    id: bytes,
    *,
    title: str | None = None,
    description: str | None = None,
    avatar: bytes | None = None,
    timer_s: int | None = None,
    permissions: Permissions | None = None,
    history: int | None = None,
    approval: bool | None = None,
) -> None:
    """Change what is given. Raises CallerError: my role may not, or a value is too long."""
    row = active(work, id)
    state = states.held_state(row)
    if title is not None:
        _check_title(title)
    _check_size("description", (description or "").encode(), g.MAX_DESCRIPTION)
    _check_size("picture", avatar or b"", g.MAX_AVATAR)
    if not 0 <= (history or 0) <= g.MAX_HISTORY or not 0 <= (timer_s or 0) < 2**32:
        raise CallerError("This number is out of bounds.", code="out_of_bounds")
    if permissions is not None or history is not None or approval is not None:
        _need(work, row, Role.ADMIN)
    else:
        _need(work, row, state.permissions.describe)
    wanted = StateChange(title, description, avatar, timer_s, permissions, history, approval)
    intents.want(work, row, IntentKind.STATE, data=intents.state_change(wanted))
    committing.pump(work, id)


def move(work: Work, id: bytes) -> None:
    """Let the group go on in a new log at my relay. Admins only."""
    row = active(work, id)
    _need(work, row, Role.ADMIN)
    intents.want(work, row, IntentKind.MOVE)
    committing.pump(work, id)


def reopen(work: Work, id: bytes) -> bytes:
    """Go on in a new group, at my primary relay, with those members who are my contacts; the new one's id. For admins
    of a group that was stopped, or whose host is gone for good. Raises CallerError.
    """
    row = group(work, id)
    held = states.held_state(row)
    if rules.role_of(held, work.me.account) is not Role.ADMIN:
        raise _not_permitted()
    people = [member for member in members(work, id) if member.account != work.me.account]
    known = [member.account for member in people if _is_accepted(work, member.account)]
    new = create(work, held.title, known, description=held.description)
    made = group(work, new)
    work.put(msgspec.structs.replace(made, replaces=id))
    work.put(msgspec.structs.replace(row, successor=new))
    kept = StateChange(
        avatar=held.avatar or None,
        timer_s=held.timer_s or None,
        permissions=held.permissions,
        history=held.history,
        approval=held.approval,
    )
    intents.want(work, made, IntentKind.STATE, data=intents.state_change(kept))
    for member in people:
        if member.account in known and member.role != Role.MEMBER:
            intents.want(work, made, IntentKind.ROLE, account=member.account, data=bytes((member.role,)))
    committing.pump(work, new)
    return new


# --- looking at it ---------------------------------------------------------------------------------------------------


def state(work: Work, id: bytes) -> GroupState:
    """The group's state as of the present epoch. Raises CallerError while it is being joined."""
    return states.held_state(group(work, id))


def members(work: Work, id: bytes) -> list[GroupMember]:
    """The members, those with higher roles first, then by name."""
    found = states.members(work, id).values()
    return sorted(found, key=lambda member: (-member.role, member.name.casefold(), member.account))


def changes_waiting(work: Work, id: bytes) -> list[GroupIntent]:
    """What was asked for and has not come about yet, the oldest first."""
    found = work.find(GroupIntent, where={"group": id})
    return sorted((intent for intent in found if not intent.quiet), key=lambda intent: intent.number)


def cancel(work: Work, number: int) -> None:
    """Give up a change that waits. Raises CallerError `under_way`: members may see it already."""
    intent = work.get(GroupIntent, number)
    if intent is None:
        return
    if not committing.call_off(work, group(work, intent.group), number):
        raise CallerError("This change is on its way already.", code="under_way", hint="Change it back instead.")
    work.delete(intent)
    committing.pump(work, intent.group)


def role(work: Work, id: bytes, account: bytes) -> Role:
    """The role of a member. Raises CallerError for anybody else."""
    row = group(work, id)
    _member(work, row, account)
    return rules.role_of(states.held_state(row), account)


def verify(work: Work, account: bytes, verified: bool) -> Contact:
    """I compared the safety number with somebody who is in a group with me and need be no contact, or take that back.
    It is remembered on this device for as long as a group is shared. Raises CallerError `unknown_member`.
    """
    contact = work.get(Contact, account)
    if contact is None:
        if not work.find(GroupMember, where={"account": account}, limit=1):
            raise CallerError("There is no such member.", code="unknown_member", hint="roost group members GROUP")
        work.put(Contact(account, ContactState.MEMBER, "", work.now))
    return peers.verify(work, account, verified)


# --- checks ----------------------------------------------------------------------------------------------------------


def _contact(work: Work, account: bytes) -> Contact:
    contact = work.get(Contact, account)
    if contact is None or contact.state not in (ContactState.ACCEPTED, ContactState.REQUESTED):
        raise CallerError("There is no such contact.", code="unknown_contact", hint="List them: roost contacts")
    return contact


def _is_accepted(work: Work, account: bytes) -> bool:
    contact = work.get(Contact, account)
    return contact is not None and contact.state == ContactState.ACCEPTED


def _member(work: Work, row: GroupRow, account: bytes) -> GroupMember:
    member = work.get(GroupMember, row.id, account)
    if member is None:
        raise CallerError("This person is not in the group.", code="unknown_member", hint="roost group members GROUP")
    return member


def _need(work: Work, row: GroupRow, least: Role) -> None:
    own = rules.role_of(states.held_state(row), work.me.account)
    if own < least or own is Role.READ_ONLY:
        raise _not_permitted()


def _not_permitted() -> CallerError:
    return CallerError("Your role in this group does not allow that.", code="not_permitted", hint="Ask an admin.")


def _check_title(title: str) -> None:
    if not title.strip():
        raise CallerError("A group needs a title.", code="no_title")
    _check_size("title", title.encode(), g.MAX_TITLE)


def _check_size(what: str, data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise CallerError(f"The {what} is too long.", code="too_long", hint=f"At most {limit} bytes.")
