"""Operations on groups, and what they answer (docs/cli.md, "Groups").

Saying, reading and arranging is the same for groups as for contacts: those operations take a group's id or title as
`conversation`. Here is what only groups have. Place: agent, a part of the table in operations.py.

In every request `group` is a group's id or its title where unambiguous; `members` and `member` are contacts or members
by id or name. A change is asked for at once and comes about with a commit that all members see: the answer's `state` is
`done` when that happened within `wait_timeout_s`, else `waiting`, and it comes about by itself.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.agent.request import Duration, Request, Wait
from roost.agent.views import Done, Instant, NetworkKind, View

SETTLE_S = 10.0


class Role(enum.StrEnum):
    """What a person may do in a group; each may what those before it may."""

    READ_ONLY = "read-only"
    MEMBER = "member"
    MODERATOR = "moderator"
    ADMIN = "admin"


class GroupState(enum.StrEnum):
    """How this profile stands to a group. In those that it is not in any more, what was said can be read."""

    JOINING = "joining"  # on the way in
    ACTIVE = "active"
    LOST = "lost"  # cannot follow what the others do: asks by itself to be let in again
    REMOVED = "removed"
    LEFT = "left"
    ASKED = "asked"  # its link was followed; somebody has to let one in
    STOPPED = "stopped"  # its host showed members different things: nothing is said in it any more


class ChangeState(enum.StrEnum):
    DONE = "done"
    WAITING = "waiting"


# --- answers ---------------------------------------------------------------------------------------------------------


class PermissionsView(View, frozen=True, kw_only=True):
    """The least role that may: add people; change title, description, picture and timer; write; pin messages."""

    invite: Role
    describe: Role
    post: Role
    pin: Role


class GroupView(View, frozen=True, kw_only=True):
    """A group. `members`: how many people; `role`: one's own."""

    group: str
    title: str
    state: GroupState
    role: Role
    members: int
    description: str = ""
    avatar: str = ""  # changes when the picture does; empty: none (docs/api.md: pictures)
    timer_s: int = 0
    unread: int = 0
    network: NetworkKind = NetworkKind.CENTRAL
    requests: int = 0  # people who ask to join and whom one may let in


class MemberView(View, frozen=True, kw_only=True):
    """A person in a group. `name` is the contact's name here, else what they call themselves. `me`: oneself."""

    member: str
    name: str
    role: Role
    me: bool = False
    contact: bool = False  # an accepted contact
    devices: int = 1
    since: Instant | None = None  # as far as this device knows
    leaving: bool = False
    picture: str = ""
    own_name: str = ""  # what they call themselves
    verified: bool = False  # one compared safety numbers with them


class WaitingChange(View, frozen=True, kw_only=True):
    """A change that was asked for here and has not come about: `done` is what it will be, `name` whom it is about."""

    number: int
    done: str
    member: str = ""
    name: str = ""
    reason: str = ""


class BannedView(View, frozen=True, kw_only=True):
    member: str
    name: str


class GroupInfoView(GroupView, frozen=True, kw_only=True):
    """All that is known of a group beside who is in it. `history`: how many messages newcomers get. `approval`: who
    comes by the link waits until somebody lets them in. `host`: where the group's log is."""

    permissions: PermissionsView
    history: int = 0
    approval: bool = True
    banned: tuple[BannedView, ...] = ()
    waiting: tuple[WaitingChange, ...] = ()
    link: str = ""
    invited_by: str = ""
    host: str = ""
    epoch: int = 0
    may: tuple[str, ...] = ()  # of invite, describe, post, pin, moderate, administer: what one's own role allows
    successor: str = ""  # the group that goes on in its place


class GroupChanged(Done, frozen=True, kw_only=True):
    """`done` says what: created, added, introduced, removed, left, banned, unbanned, role, title, description, avatar,
    timer, permissions, joined, asked, accepted, declined, forgotten, moved, reopened, resumed, cancelled. `reason`:
    why it waits, where that is known."""

    group: str
    title: str
    done: str
    state: ChangeState = ChangeState.DONE
    members: tuple[str, ...] = ()  # whom it is about
    reason: str = ""


class GroupLinkView(View, frozen=True, kw_only=True):
    """`link` is empty when the group has none (any more)."""

    group: str
    title: str
    link: str
    approval: bool


class JoinRequestView(View, frozen=True, kw_only=True):
    """Somebody who has the group's link asks to join. `account` is theirs."""

    id: str
    group: str
    title: str
    name: str
    greeting: str
    account: str
    received_at: Instant


class GroupIntroductionView(View, frozen=True, kw_only=True):
    """A contact would let one into a group. `id` is the message's in their conversation."""

    id: str
    group: str
    title: str
    by: str
    by_name: str
    received_at: Instant


# --- requests --------------------------------------------------------------------------------------------------------

People = Annotated[tuple[str, ...], Meta(max_length=1_000)]


class GroupCreate(Request[GroupChanged], frozen=True, kw_only=True):
    """Make a group with oneself as its admin, and add contacts to it."""

    title: str
    members: People = ()
    description: str = ""
    wait_timeout_s: Wait = SETTLE_S


class GroupAdd(Request[GroupChanged], frozen=True, kw_only=True):
    """Add contacts to a group."""

    group: str
    members: People
    wait_timeout_s: Wait = SETTLE_S


class GroupIntroduce(Request[GroupChanged], frozen=True, kw_only=True):
    """Invite contacts into a group by a message in one's conversation with each: who says yes is added."""

    group: str
    members: People


class GroupRemove(Request[GroupChanged], frozen=True, kw_only=True):
    """Remove members: they read nothing that is said afterwards."""

    group: str
    members: People
    wait_timeout_s: Wait = SETTLE_S


class GroupBan(Request[GroupChanged], frozen=True, kw_only=True):
    """Remove people and let nobody add them again. Who is no member is named by id, or as a contact."""

    group: str
    members: People
    wait_timeout_s: Wait = SETTLE_S


class GroupUnban(Request[GroupChanged], frozen=True, kw_only=True):
    """End a ban."""

    group: str
    members: People
    wait_timeout_s: Wait = SETTLE_S


class GroupLeave(Request[GroupChanged], frozen=True, kw_only=True):
    """Leave a group with all one's devices; what was said stays here."""

    group: str
    wait_timeout_s: Wait = SETTLE_S


class GroupForget(Request[GroupChanged], frozen=True, kw_only=True):
    """Remove a group that one is not in any more, with all that was said in it, from this device."""

    group: str


class GroupMove(Request[GroupChanged], frozen=True, kw_only=True):
    """Let a group go on in a new log at one's own relay, its members with it: for admins, as long as the relay where it
    is still works."""

    group: str
    wait_timeout_s: Wait = SETTLE_S


class GroupReopen(Request[GroupChanged], frozen=True, kw_only=True):
    """Go on in a new group, at one's own relay, with those members who are contacts: for admins of a group that was
    stopped, or whose host is gone. The answer's `group` is the new one."""

    group: str
    wait_timeout_s: Wait = SETTLE_S


class GroupResume(Request[GroupChanged], frozen=True, kw_only=True):
    """Go on in a group that was stopped, and believe none who say that its host shows members different things."""

    group: str


class GroupCancel(Request[GroupChanged], frozen=True, kw_only=True):
    """Give up a change that waits, by its number in `GroupInfoView.waiting`."""

    group: str
    number: Annotated[int, Meta(ge=0)]


class GroupRole(Request[GroupChanged], frozen=True, kw_only=True):
    """Give a member a role."""

    group: str
    member: str
    role: Role
    wait_timeout_s: Wait = SETTLE_S


class GroupTitle(Request[GroupChanged], frozen=True, kw_only=True):
    """Change a group's title."""

    group: str
    title: str
    wait_timeout_s: Wait = SETTLE_S


class GroupDescription(Request[GroupChanged], frozen=True, kw_only=True):
    """Change a group's description."""

    group: str
    description: str
    wait_timeout_s: Wait = SETTLE_S


class GroupAvatar(Request[GroupChanged], frozen=True, kw_only=True):
    """Change a group's picture (a path; empty takes it away). Large pictures are made small."""

    group: str
    picture: str
    wait_timeout_s: Wait = SETTLE_S


class GroupTimer(Request[GroupChanged], frozen=True, kw_only=True):
    """New messages of the group disappear `seconds` after they were read; 0 is off."""

    group: str
    seconds: Duration
    wait_timeout_s: Wait = SETTLE_S


class GroupPermissions(Request[GroupChanged], frozen=True, kw_only=True):
    """Change who may do what, how many messages newcomers get, whether the link needs approval; None: as it is."""

    group: str
    invite: Role | None = None
    describe: Role | None = None
    post: Role | None = None
    pin: Role | None = None
    history: Annotated[int, Meta(ge=0, le=500)] | None = None
    approval: bool | None = None
    wait_timeout_s: Wait = SETTLE_S


class GroupLink(Request[GroupLinkView], frozen=True, kw_only=True):
    """The link that people join by, made if there is none; `revoke` ends it, `renew` replaces it."""

    group: str
    revoke: bool = False
    renew: bool = False


class GroupJoin(Request[GroupChanged], frozen=True, kw_only=True):
    """Join a group by its link, or ask to; or by an introduction: the id of its message, or the group's title or id.
    Answers `waiting` until somebody, or the device of who introduced one, lets one in."""

    link: str
    greeting: str = ""
    wait_timeout_s: Wait = SETTLE_S


class GroupIntroductions(Request[tuple[GroupIntroductionView, ...]], frozen=True, kw_only=True):
    """Groups into which contacts would let one, not answered yet. Works offline."""


class GroupRequests(Request[tuple[JoinRequestView, ...]], frozen=True, kw_only=True):
    """People who ask to join, of one group or of all."""

    group: str | None = None


class GroupAccept(Request[GroupChanged], frozen=True, kw_only=True):
    """Let somebody in who asks, named by the request's id or the asker's name where unambiguous."""

    id: str
    wait_timeout_s: Wait = SETTLE_S


class GroupDecline(Request[GroupChanged], frozen=True, kw_only=True):
    """Forget a request to join, or an introduction; nobody is told."""

    id: str


class GroupInfo(Request[GroupInfoView], frozen=True, kw_only=True):
    """What a group is like. Works offline."""

    group: str


class GroupMembers(Request[tuple[MemberView, ...]], frozen=True, kw_only=True):
    """Who is in a group, those with higher roles first. Works offline."""

    group: str


class Groups(Request[tuple[GroupView, ...]], frozen=True, kw_only=True):
    """All groups. `all` also those that one is not in any more."""

    all: bool = False


REQUESTS: tuple[type[Request[object]], ...] = (
    *(GroupCreate, GroupAdd, GroupIntroduce, GroupRemove, GroupBan, GroupUnban, GroupLeave, GroupForget, GroupRole),
    *(GroupMove, GroupReopen, GroupResume, GroupCancel),
    *(GroupTitle, GroupDescription, GroupAvatar, GroupTimer, GroupPermissions),
    *(GroupLink, GroupJoin, GroupIntroductions, GroupRequests, GroupAccept, GroupDecline),
    *(GroupInfo, GroupMembers, Groups),
)  # type: ignore[assignment]
