"""Channels as apps see them: rows to views. Reads only."""

from __future__ import annotations

import hashlib

from roost.agent import channels as ch
from roost.agent import events as e
from roost.agent import views as v
from roost.agent.networks import network_to
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.channels import actions, moving, permits, states
from roost.messaging.groups import committing
from roost.messaging.work import Work
from roost.wire.channels import ChannelRole, Posting

ROLES = {
    ChannelRole.READER: ch.ChannelRole.READER,
    ChannelRole.POSTER: ch.ChannelRole.POSTER,
    ChannelRole.MODERATOR: ch.ChannelRole.MODERATOR,
    ChannelRole.OWNER: ch.ChannelRole.OWNER,
}
POSTING = {Posting.ROLES: ch.Posting.ROLES, Posting.ALL: ch.Posting.ALL}
_WORDS = {
    "created": "You made the channel.",
    "changed": "The channel was changed.",
    "joined": "The channel is here.",
    "left": "You left the channel.",
    "moved": "The channel goes on at another place; its link is another one.",
    "lost": "The channel's relay knows it no longer.",
    "refused": "A post of yours is not shown: the channel's rules did not allow it.",
}


def condition(work: Work, row: r.ChannelRow) -> ch.ChannelCondition:
    log = work.get(r.SharedLog, row.log)
    if log is None or log.state == r.LogState.LOST:
        return ch.ChannelCondition.LOST
    if not row.version:
        return ch.ChannelCondition.JOINING
    banned = permits.author_of(work, row, work.me.account).banned
    return ch.ChannelCondition.BANNED if banned else ch.ChannelCondition.OPEN


def may_post(work: Work, row: r.ChannelRow) -> bool:
    try:
        permits.check_open(work, row, posting=False)
    except CallerError:
        return False
    return True


def network_of(work: Work, row: r.ChannelRow) -> v.NetworkKind:
    """Central where the channel is at a relay of mine."""
    return network_to(work, row.relay)


def title_of(row: r.ChannelRow) -> str:
    return row.title or account_id(row.id)[:8]


def name_of(work: Work, row: r.ChannelRow, author: bytes) -> str:
    """What an author goes by there: their own word, or the beginning of their id."""
    if author == work.me.account:
        return row.name or v.ME
    return states.member(work, row, author).name or account_id(author)[:8]


def why_failed(work: Work, message: r.Message) -> str:
    """Why a message of mine will not be sent any more."""
    return committing.ENDED if work.get(r.ChannelRow, message.conversation) is None else moving.ENDED


def channel(work: Work, row: r.ChannelRow) -> ch.ChannelView:
    state = states.held(row)
    return ch.ChannelView(
        channel=account_id(row.id),
        title=title_of(row),
        state=condition(work, row),
        role=ROLES[permits.author_of(work, row, work.me.account).role],
        posting=POSTING[state.posting] if state else ch.Posting.ROLES,
        may_post=may_post(work, row),
        description=state.description if state else "",
        avatar=_digest(state.avatar) if state else "",
        slow_s=state.slow_s if state else 0,
        unread=len(work.find(r.Message, where={"conversation": row.id, "state": int(r.MessageState.RECEIVED)})),
        network=network_of(work, row),
    )


def _digest(picture: bytes) -> str:
    return hashlib.blake2b(picture, digest_size=8).hexdigest() if picture else ""


def info(work: Work, row: r.ChannelRow) -> ch.ChannelInfoView:
    view = channel(work, row)
    people = [found for found in states.members(work, row) if found.role or found.banned]
    return ch.ChannelInfoView(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        link=str(actions.link_of(row)),
        pseudonym=actions.pseudonym(row),
        name=row.name,
        people=tuple(
            ch.PseudonymView(
                pseudonym=account_id(found.key_bytes),
                name=found.name,
                role=ROLES[ChannelRole(found.role)],
                banned=found.banned,
            )
            for found in sorted(people, key=lambda found: (-found.role, found.name, found.key_bytes))
        ),
        host=row.relay.endpoint,
        version=row.version,
        refused=row.refused,
    )


def event(work: Work, happened: r.Event) -> e.ChannelEvent | None:
    """What changed in a channel."""
    row = work.get(r.ChannelRow, happened.subject)
    change, _, detail = happened.detail.partition("/")
    about = change in ("banned", "unbanned")
    name = states.member(work, row, happened.account).name if row and about else ""
    me = detail == "me"
    whom = "You were" if me else f"{name or account_id(happened.account)[:8]} was"
    return e.ChannelEvent(
        channel=account_id(happened.subject),
        title=title_of(row) if row else "",
        change=change,
        text=f"{whom} {change}." if about else _WORDS.get(change, ""),
        pseudonym=account_id(happened.account) if about else "",
        name=name,
        detail="" if me else detail,
        at=v.instant(work.now),
    )
