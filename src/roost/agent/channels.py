"""Operations on channels, and what they answer (docs/cli.md, "Channels").

Saying, reading and arranging is the same for channels as for contacts: those operations take a channel's id or title as
`conversation`. Here is what only channels have. Place: agent, a part of the table in operations.py.

In every request `channel` is a channel's id or its title where unambiguous; `pseudonym` is somebody's id in it, or
their name there.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.agent.request import Duration, Request, Wait
from roost.agent.views import Done, NetworkKind, SentMessage, View

JOIN_S = 15.0
Name = Annotated[str, Meta(max_length=256)]


class ChannelRole(enum.StrEnum):
    """What a pseudonym is in a channel; each may what those before it may."""

    READER = "reader"
    POSTER = "poster"
    MODERATOR = "moderator"
    OWNER = "owner"


class Posting(enum.StrEnum):
    """Who posts: those with a role, or everybody who has the link."""

    ROLES = "roles"
    ALL = "all"


class ChannelCondition(enum.StrEnum):
    """How this profile stands to a channel."""

    JOINING = "joining"  # nothing of it was read yet
    OPEN = "open"
    LOST = "lost"  # its host knows it no longer; asked again now and then
    BANNED = "banned"  # one reads on, and posts nothing


# --- answers ---------------------------------------------------------------------------------------------------------


class ChannelView(View, frozen=True, kw_only=True):
    """A channel. `role`: one's own."""

    channel: str
    title: str
    state: ChannelCondition
    role: ChannelRole
    posting: Posting
    may_post: bool
    description: str = ""
    avatar: str = ""  # changes when the picture does; empty: none
    slow_s: int = 0
    unread: int = 0
    network: NetworkKind = NetworkKind.CENTRAL


class PseudonymView(View, frozen=True, kw_only=True):
    """Somebody in a channel who has a role or is banned. `name` is their own word."""

    pseudonym: str
    name: str
    role: ChannelRole = ChannelRole.READER
    banned: bool = False


class ChannelInfoView(ChannelView, frozen=True, kw_only=True):
    """All that is known of a channel. `link`: with it anybody joins. `pseudonym` and `name`: one's own there."""

    link: str
    pseudonym: str
    name: str
    people: tuple[PseudonymView, ...] = ()  # with a role, or banned
    host: str = ""
    version: int = 0
    refused: str = (
        ""  # why one's last post that nobody shows was not allowed: banned, not_permitted, slow_mode, removed
    )


class ChannelChanged(Done, frozen=True, kw_only=True):
    """`done` says what: created, joined, left, deleted, removed, banned, unbanned, role, settings, moved."""

    channel: str
    title: str
    done: str
    link: str = ""
    pseudonym: str = ""  # whom it is about; one's own for created and joined
    id: str = ""  # the message that was removed
    state: ChannelCondition = ChannelCondition.OPEN


# --- requests --------------------------------------------------------------------------------------------------------


class Channels(Request[tuple[ChannelView, ...]], frozen=True, kw_only=True):
    """All channels that this profile reads. Works offline."""


class ChannelCreate(Request[ChannelChanged], frozen=True, kw_only=True):
    """Make a channel at one's first relay and become its owner; returns when its link can be used.

    `name` is what one goes by there, empty for none.
    """

    title: Name
    posting: Posting = Posting.ROLES
    description: str = ""
    slow_s: Duration = 0
    name: str = ""
    wait_timeout_s: Wait = JOIN_S


class ChannelJoin(Request[ChannelChanged], frozen=True, kw_only=True):
    """Read a channel from now on, under a pseudonym made for it; returns when it was read, or after the time."""

    link: str
    name: str = ""
    wait_timeout_s: Wait = JOIN_S


class ChannelLeave(Request[ChannelChanged], frozen=True, kw_only=True):
    """Forget a channel with all its posts. `delete`: its owner ends it for everybody."""

    channel: str
    delete: bool = False


class ChannelMove(Request[ChannelChanged], frozen=True, kw_only=True):
    """The owner: let a channel go on at one's own relay, under a new link (in the answer). Readers follow by
    themselves, or by that link where its relay is gone."""

    channel: str
    wait_timeout_s: Wait = JOIN_S


class ChannelPost(Request[SentMessage], frozen=True, kw_only=True):
    """Post to a channel; as `send` does."""

    channel: str
    text: str = ""
    files: tuple[str, ...] = ()
    key: Annotated[str, Meta(max_length=200)] | None = None


class ChannelInfo(Request[ChannelInfoView], frozen=True, kw_only=True):
    """All that is known of a channel, with its link. Works offline."""

    channel: str


class ChannelRemove(Request[ChannelChanged], frozen=True, kw_only=True):
    """Remove a post for everybody: one's own, or as a moderator anybody's but the owner's."""

    channel: str
    id: str


class ChannelBan(Request[ChannelChanged], frozen=True, kw_only=True):
    """Have nobody show a pseudonym's posts from now on; with `purge` the earlier ones neither; or show them again."""

    channel: str
    pseudonym: str
    banned: bool = True
    purge: bool = False


class ChannelSetRole(Request[ChannelChanged], frozen=True, kw_only=True):
    """The owner: make a pseudonym a moderator, a poster, or a plain reader."""

    channel: str
    pseudonym: str
    role: ChannelRole


class ChannelSettings(Request[ChannelChanged], frozen=True, kw_only=True):
    """Change a channel; None leaves it as it is. Only `name`, what one goes by, is not the owner's alone.

    `avatar` is the path of a picture; empty takes it away.
    """

    channel: str
    title: Name | None = None
    description: str | None = None
    avatar: str | None = None
    posting: Posting | None = None
    slow_s: Duration | None = None
    name: str | None = None


REQUESTS: tuple[type[Request[object]], ...] = (
    *(Channels, ChannelCreate, ChannelJoin, ChannelLeave, ChannelPost, ChannelInfo),  # type: ignore[assignment]
    *(ChannelRemove, ChannelBan, ChannelSetRole, ChannelSettings, ChannelMove),
)
