"""The rules of channels (rules.py) applied to what this profile knows."""

from __future__ import annotations

from roost.errors import CallerError
from roost.messaging.channels import rules, states
from roost.messaging.records import ChannelRow, Message, SharedLog
from roost.messaging.work import Work
from roost.wire.channels import ChannelRole

_WORDS = {
    "banned": ("You were banned from this channel.", ""),
    "not_permitted": (
        "Only some may write in this channel.",
        "Its owner can let you: tell them your pseudonym (roost channel info).",
    ),
    "slow_mode": ("This channel is in slow mode.", "Wait a little before the next post."),
}


def author_of(work: Work, row: ChannelRow, account: bytes) -> rules.Author:
    """What counts of an author; my own account stands for my pseudonym."""
    key = states.my_key(row).public.raw if account == work.me.account else account
    found = states.member(work, row, key)
    return rules.Author(states.role_of(work, row, key), found.banned, found.posted_at)


def may_change(work: Work, row: ChannelRow, content: object, author: bytes, message: Message) -> bool:
    """Whether what the author says about a post holds."""
    target = author_of(work, row, message.author).role
    return rules.may_change(content, author_of(work, row, author), own=message.author == author, target=target)


def check_open(work: Work, row: ChannelRow, *, posting: bool) -> None:
    """Raises CallerError unless I may write here now; `posting`: a new post, which slow mode holds up."""
    state, log = states.held(row), work.get(SharedLog, row.log)
    if state is None or log is None:
        raise CallerError("This channel was not read yet.", code="channel_unread", hint="Try again when it is there.")
    me = author_of(work, row, work.me.account)
    try:
        rules.check_writer(state, me)
        if posting:
            mine = rules.Author(me.role, me.banned, max(me.posted_at, row.posted_at))
            rules.check_pace(state, mine, work.now, 0, work.now)
    except rules.NotAllowedHere as error:
        words, hint = _WORDS[error.code]
        raise CallerError(words, code=error.code, hint=hint) from error
    if not log.put:
        raise CallerError(_WORDS["not_permitted"][0], code="not_permitted", hint=_WORDS["not_permitted"][1])


def need(work: Work, row: ChannelRow, least: ChannelRole) -> ChannelRole:
    """My role here. Raises CallerError `not_permitted` where it is less."""
    role = author_of(work, row, work.me.account).role
    if role < least:
        raise CallerError("Your role in this channel does not allow that.", code="not_permitted")
    return role
