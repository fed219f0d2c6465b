"""Groups as apps see them: rows to views, what changed in words, events. Reads only; the counterpart of `showing`."""

from __future__ import annotations

import hashlib

from roost.agent import events as e
from roost.agent import groups as g
from roost.agent import views as v
from roost.agent.networks import network_to
from roost.crypto import account_id
from roost.messaging import records as r
from roost.messaging.groups import links, rules
from roost.messaging.work import Work
from roost.wire.codec import decode
from roost.wire.groups import GroupIntroduction, GroupNote, GroupState, NoteKind, Role

ROLES = {
    Role.READ_ONLY: g.Role.READ_ONLY,
    Role.MEMBER: g.Role.MEMBER,
    Role.MODERATOR: g.Role.MODERATOR,
    Role.ADMIN: g.Role.ADMIN,
}
ROLES_NAMED = {name: role for role, name in ROLES.items()}
_STATES = {status: g.GroupState(status.name.lower()) for status in r.GroupStatus}
_CLOSED = (r.GroupStatus.LEFT, r.GroupStatus.REMOVED)
_DONE = {
    r.IntentKind.ADD: "added",
    r.IntentKind.REMOVE: "removed",
    r.IntentKind.BAN: "banned",
    r.IntentKind.UNBAN: "unbanned",
    r.IntentKind.ROLE: "role",
    r.IntentKind.STATE: "settings",
    r.IntentKind.MOVE: "moved",
}
_WAITS_FOR_KEYS = "None of their devices has offered keys for groups yet; it goes on by itself when one does."


def is_closed(row: r.GroupRow) -> bool:
    """Left, or removed from."""
    return row.status in _CLOSED


def state_of(row: r.GroupRow) -> GroupState | None:
    """The state in force, or as it was last; None while the group is being joined."""
    return decode(GroupState, row.state) if row.state else None


# --- people ----------------------------------------------------------------------------------------------------------


def name_of(work: Work, group: bytes, account: bytes) -> str:
    """What a person of a group is called here: the contact's name, else their own."""
    if account == work.me.account:
        return work.me.about.name
    contact = work.get(r.Contact, account)
    if contact is not None and (contact.alias or contact.name):
        return contact.alias or contact.name
    known = work.get(r.GroupMember, group, account) or work.get(r.GroupFormer, group, account)
    return (known.name if known else "") or account_id(account)[:8]


def who(work: Work, account: bytes) -> str:
    return v.ME if account == work.me.account else account_id(account)


def member(work: Work, row: r.GroupMember) -> g.MemberView:
    contact = work.get(r.Contact, row.account)
    mine = row.account == work.me.account
    about = work.me.about if mine else (contact.about if contact else None)
    return g.MemberView(
        member=account_id(row.account),
        name=name_of(work, row.group, row.account),
        role=ROLES[Role(row.role)],
        me=mine,
        contact=contact is not None and contact.state == r.ContactState.ACCEPTED,
        devices=len(row.devices),
        since=v.instant(row.since),
        leaving=row.leaving,
        picture=_digest(about.picture) if about else "",
        own_name=work.me.about.name if mine else row.name,
        verified=not mine and contact is not None and contact.verified,
    )


# --- groups ----------------------------------------------------------------------------------------------------------


def _digest(picture: bytes) -> str:
    return hashlib.blake2b(picture, digest_size=8).hexdigest() if picture else ""


def own_role(work: Work, row: r.GroupRow) -> Role:
    """My role, or what it was last."""
    state = state_of(row)
    return rules.role_of(state, work.me.account) if state else Role.MEMBER


def network_of(work: Work, row: r.GroupRow) -> v.NetworkKind:
    """Central where the group's log is at a relay of mine."""
    state, log = state_of(row), work.get(r.SharedLog, row.log)  # the log alone while the group is being joined
    place = state.place.relay if state is not None else log.relay if log is not None else None
    return network_to(work, place) if place is not None else v.NetworkKind.CENTRAL


def may_post(work: Work, row: r.GroupRow) -> bool:
    state = state_of(row)
    open_now = row.status in (r.GroupStatus.ACTIVE, r.GroupStatus.LOST)
    return state is not None and open_now and rules.may_post(state, work.me.account)


def movable(work: Work, relay: bytes) -> tuple[str, ...]:
    """The titles of groups and channels at a relay that are mine to take elsewhere."""
    found = [row.title for row in work.find(r.ChannelRow) if row.own and row.relay.key == relay]
    for row in work.find(r.GroupRow):
        state = state_of(row)
        if state is not None and state.place.relay.key == relay and "administer" in rights(work, row):
            found.append(row.title)
    return tuple(sorted(found))


def rights(work: Work, row: r.GroupRow) -> tuple[str, ...]:
    """What my role allows: of invite, describe, post, pin, moderate, administer."""
    state = state_of(row)
    if state is None or is_closed(row):
        return ()
    role, allowed = rules.role_of(state, work.me.account), state.permissions
    if role is Role.READ_ONLY:
        return ()
    least = {
        "invite": allowed.invite,
        "describe": allowed.describe,
        "post": allowed.post,
        "pin": allowed.pin,
        "moderate": Role.MODERATOR,
        "administer": Role.ADMIN,
    }
    return tuple(name for name, needed in least.items() if role >= needed)


def group(work: Work, row: r.GroupRow) -> g.GroupView:
    state = state_of(row)
    return g.GroupView(
        group=account_id(row.id),
        title=row.title,
        state=_STATES[r.GroupStatus(row.status)],
        role=ROLES[own_role(work, row)],
        members=len(work.find(r.GroupMember, where={"group": row.id})),
        description=state.description if state else "",
        avatar=_digest(state.avatar) if state else "",
        timer_s=state.timer_s if state else 0,
        unread=len(work.find(r.Message, where={"conversation": row.id, "state": int(r.MessageState.RECEIVED)})),
        network=network_of(work, row),
        requests=len(links.requests(work, row.id)) if "invite" in rights(work, row) else 0,
    )


def info(work: Work, row: r.GroupRow) -> g.GroupInfoView:
    state = state_of(row)
    allowed = state.permissions if state else None
    shown = {name: getattr(view, name) for view in (group(work, row),) for name in view.__struct_fields__}
    return g.GroupInfoView(
        **shown,
        permissions=g.PermissionsView(
            invite=ROLES[allowed.invite] if allowed else g.Role.MEMBER,
            describe=ROLES[allowed.describe] if allowed else g.Role.MODERATOR,
            post=ROLES[allowed.post] if allowed else g.Role.MEMBER,
            pin=ROLES[allowed.pin] if allowed else g.Role.MODERATOR,
        ),
        history=state.history if state else 0,
        approval=state.approval if state else True,
        banned=tuple(
            g.BannedView(member=account_id(account), name=name_of(work, row.id, account))
            for account in (state.banned if state else ())
        ),
        waiting=tuple(_waiting(work, row, intent) for intent in waiting_changes(work, row.id)),
        invited_by=who(work, row.inviter) if row.inviter else "",
        link=next((held.link for held in links.of_group(work, row.id)), ""),
        host=state.place.relay.endpoint if state else "",
        epoch=row.epoch,
        may=rights(work, row),
        successor=account_id(row.successor) if row.successor else "",
    )


def join_request(work: Work, row: r.GroupRequest) -> g.JoinRequestView:
    group = work.get(r.GroupRow, row.group)
    return g.JoinRequestView(
        id=row.id.hex(),
        group=account_id(row.group),
        title=group.title if group else "",
        name=row.name,
        greeting=row.greeting,
        account=account_id(row.account),
        received_at=v.instant(row.received_at),
    )


def introduction(work: Work, row: r.Message, content: GroupIntroduction) -> g.GroupIntroductionView:
    return g.GroupIntroductionView(
        id=row.id.hex(),
        group=account_id(content.group),
        title=content.title,
        by=account_id(row.author),
        by_name=name_of(work, content.group, row.author),
        received_at=v.instant(row.received_at),
    )


def invites(work: Work, content: GroupIntroduction) -> v.InvitesView:
    """What a message says that invites somebody into a group."""
    row = work.get(r.GroupRow, content.group)
    state = _STATES[r.GroupStatus(row.status)].value if row else ""
    return v.InvitesView(group=account_id(content.group), title=content.title, state=state)


def invites_text(work: Work, row: r.Message, content: GroupIntroduction) -> str:
    if row.author == work.me.account:
        return f"You invited {name_of(work, content.group, row.conversation)} to the group “{content.title}”."
    return f"You are invited to the group “{content.title}”."


def waiting_changes(work: Work, id: bytes) -> list[r.GroupIntent]:
    """What a person asked for and has not come about, the oldest first."""
    found = work.find(r.GroupIntent, where={"group": id})
    return sorted((intent for intent in found if not intent.quiet), key=lambda intent: intent.number)


def _waiting(work: Work, row: r.GroupRow, intent: r.GroupIntent) -> g.WaitingChange:
    return g.WaitingChange(
        number=intent.number,
        done=_DONE.get(r.IntentKind(intent.kind), "changed"),
        member=who(work, intent.account) if intent.account else "",
        name=name_of(work, row.id, intent.account) if intent.account else "",
        reason=why_waiting(work, intent),
    )


def why_waiting(work: Work, intent: r.GroupIntent) -> str:
    """Why a change has not come about, in one sentence; empty where it is just on its way."""
    keys = work.find(r.KeyPackageRow, where={"account": intent.account})
    wants_keys = intent.kind == r.IntentKind.ADD and not any(key.expires_at > work.now for key in keys)
    return _WAITS_FOR_KEYS if wants_keys else ""


# --- what changed, in words ------------------------------------------------------------------------------------------

_A_ROLE = {"admin": "an admin", "moderator": "a moderator", "member": "a member", "read_only": "a reader"}


def note(work: Work, row: r.Message, content: GroupNote) -> v.NoteView:
    name = ""
    if content.account:
        gone = content.kind in (NoteKind.REMOVED, NoteKind.BANNED, NoteKind.LEFT)
        known = work.get(r.GroupMember, row.conversation, content.account) or work.get(r.Contact, content.account)
        name = content.detail if gone and not known else ""
        name = name or name_of(work, row.conversation, content.account)
    detail = content.detail
    if content.kind is NoteKind.ROLE:
        detail = detail.replace("_", "-")
    elif content.kind not in (NoteKind.TITLE, NoteKind.TIMER, NoteKind.CREATED, NoteKind.JOINED, NoteKind.UNSENT):
        detail = ""
    return v.NoteView(
        change=content.kind.name.lower(),
        member=who(work, content.account) if content.account else "",
        name=name,
        detail=detail,
    )


def note_text(work: Work, row: r.Message, content: GroupNote) -> str:
    """One English sentence: "Ann added Bob."."""
    mine = row.author == work.me.account
    by = "You" if mine else (name_of(work, row.conversation, row.author) if row.author else "Somebody")
    me = content.account == work.me.account
    whom = "you" if me else note(work, row, content).name
    match content.kind:
        case NoteKind.CREATED:
            return f"{by} created the group “{content.detail}”."
        case NoteKind.JOINED:
            return f"You joined “{content.detail}”." if mine or not row.author else f"{by} added you."
        case NoteKind.ADDED | NoteKind.REMOVED | NoteKind.BANNED if content.account == row.author:
            subject = "You" if me else by
            return f"{subject} joined." if content.kind is NoteKind.ADDED else f"{subject} left."
        case NoteKind.ADDED | NoteKind.REMOVED | NoteKind.BANNED:
            return f"{by} {content.kind.name.lower()} {whom}."
        case NoteKind.UNBANNED:
            return f"{by} ended the ban of {whom}."
        case NoteKind.LEFT:
            return "You left." if me else f"{whom} left."
        case NoteKind.ROLE:
            return f"{by} made {whom} {_A_ROLE.get(content.detail, content.detail)}."
        case NoteKind.REJOINED:
            return "You are back." if me else f"{whom} is back."
        case _:
            return _of_the_group(by, content)


def _of_the_group(by: str, content: GroupNote) -> str:
    match content.kind:
        case NoteKind.TITLE:
            return f"{by} changed the title to “{content.detail}”."
        case NoteKind.DESCRIPTION:
            return f"{by} changed the description."
        case NoteKind.AVATAR:
            return f"{by} changed the picture."
        case NoteKind.TIMER if content.detail in ("", "0"):
            return f"{by} turned disappearing messages off."
        case NoteKind.TIMER:
            return f"{by} made new messages disappear {_duration(int(content.detail))} after they were read."
        case NoteKind.REOPENED:
            return f"{by} reopened the group."
        case NoteKind.UNSENT:
            return f"Edits, reactions or votes of yours that did not reach the group: {content.detail}."
        case _:
            return f"{by} changed what members may do."


def _duration(seconds: int) -> str:
    for size, unit in ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' * (seconds != size)}"
    return f"{seconds} seconds"


# --- events ----------------------------------------------------------------------------------------------------------

_TOLD_BY_NOTES = ("created", "joined", "removed", "rejoined", "")  # a line in the conversation says the same
_WORDS = {
    "leaving": "{name} wants to leave.",
    "request": "{name} asks to join.",
    "answered": "The request to join was answered.",
    "asked": "You asked to join.",
    "left": "You left the group.",
    "lost": "This device lost the group's thread and asks to be let in again.",
    "forked": "{name} saw another history of this group: its host, or {name}, is lying. Nothing more is said here.",
    "resumed": "The group goes on here.",
    "reopened": "{name} reopened the group elsewhere.",
    "stopped": "The group's host showed its members different things. Nothing more is said here.",
    "history": "Earlier messages came.",
    "join-failed": "The group could not be joined.",
    "refused": "A change that was asked for is not allowed by the group's rules.",
}


def note_event(work: Work, row: r.Message, content: GroupNote) -> e.GroupEvent:
    shown = note(work, row, content)
    group = work.get(r.GroupRow, row.conversation)
    return e.GroupEvent(
        group=account_id(row.conversation),
        title=group.title if group else "",
        change=shown.change,
        text=note_text(work, row, content),
        sender=who(work, row.author) if row.author else "",
        member=shown.member,
        name=shown.name,
        detail=shown.detail,
        id=row.id.hex(),
        at=v.instant(row.sent_at),
    )


def _name_told(work: Work, happened: r.Event) -> str:
    """Of a member, or of somebody who asks to become one."""
    asks = work.find(r.GroupRequest, where={"account": happened.account})
    return next((row.name for row in asks), "") or name_of(work, happened.subject, happened.account)


def event(work: Work, happened: r.Event) -> e.GroupEvent | None:
    """What no line in the conversation says."""
    change, _, detail = happened.detail.partition(":")
    change = {"not_permitted": "refused", "join_failed": "join-failed"}.get(change, change)
    if change in _TOLD_BY_NOTES:
        return None
    row = work.get(r.GroupRow, happened.subject)
    name = _name_told(work, happened) if happened.account else ""
    text = _WORDS.get(change, "").format(name=name or "Somebody")
    return e.GroupEvent(
        group=account_id(happened.subject),
        title=row.title if row else "",
        change=change,
        text=text,
        member=who(work, happened.account) if happened.account else "",
        name=name,
        detail=detail,
        at=v.instant(work.now),
    )
