"""Who may do what in a channel: one table for clients, documents and tests. Pure.

A channel's log takes whatever the holder of a capability writes; what these rules do not allow is not shown by anybody.
They depend on the log's order and on the times that authors give, so all readers judge alike (but for posts in slow
mode that pretend to be later than they are: who reads them later cannot know).
"""

from __future__ import annotations

from dataclasses import dataclass

from roost.errors import PeerError
from roost.wire import content as c
from roost.wire.channels import ChannelRole, ChannelState, Posting

OLDEST_MS = 45 * 86_400_000  # longer than any host keeps an envelope: an older one was put there again by somebody
LATE_MS = 3_600_000  # in slow mode: behind the owner's and moderators' times
EARLY_MS = 5 * 60_000  # in slow mode: ahead of the reader's clock

SAID = c.Text | c.Poll | c.Unknown
CHANGES = c.Edit | c.Deletion | c.Reaction | c.Vote | c.Pin


class NotAllowedHere(PeerError):
    """A record of a channel that its rules do not allow: dropped."""

    code = "not_permitted"


@dataclass(frozen=True, slots=True)
class Author:
    """What counts of whoever wrote something. `posted_at`: the time that their newest post gave."""

    role: ChannelRole
    banned: bool
    posted_at: int


def check_age(at: int, clock: int) -> None:
    """`clock` is the newest time that the owner or a moderator gave: a reader whose own clock is wrong loses nothing.
    Raises NotAllowedHere `stale`."""
    if at < clock - OLDEST_MS:
        raise NotAllowedHere("it is from long ago", code="stale")


def check_writer(state: ChannelState, author: Author) -> None:
    """Whether this author may write at all. Raises NotAllowedHere `banned`, `not_permitted`."""
    if author.banned and author.role != ChannelRole.OWNER:
        raise NotAllowedHere("this pseudonym is banned", code="banned")
    if state.posting == Posting.ROLES and author.role < ChannelRole.POSTER:
        raise NotAllowedHere("only some may write here")


def check_pace(state: ChannelState, author: Author, at: int, clock: int, now: int) -> None:
    """Slow mode holds for posts of all but the owner and moderators. Raises NotAllowedHere `slow_mode`."""
    if not state.slow_s or author.role >= ChannelRole.MODERATOR:
        return
    if not clock - LATE_MS <= at <= now + EARLY_MS or (
        author.posted_at and at < author.posted_at + state.slow_s * 1_000
    ):
        raise NotAllowedHere("too soon after the last one", code="slow_mode")


def may_change(content: object, author: Author, *, own: bool, target: ChannelRole) -> bool:
    """Whether a change of a post holds: `own` says whether the post is the author's, `target` what its author is."""
    match content:
        case c.Edit():
            return own
        case c.Deletion():
            return own or (author.role >= ChannelRole.MODERATOR and author.role >= target != ChannelRole.OWNER)
        case c.Pin():
            return author.role >= ChannelRole.MODERATOR
        case _:
            return True


def may_ban(role: ChannelRole, target: ChannelRole) -> bool:
    """Moderators ban whoever is below them; nobody bans the owner."""
    return role >= ChannelRole.MODERATOR and target < role
