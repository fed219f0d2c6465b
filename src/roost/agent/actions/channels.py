"""Channels: making, joining, leaving and looking after them. Posting is `send`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.agent import channels as ch
from roost.agent import naming, opening, showing_channels, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.actions import messages
from roost.agent.actions.groups import read_picture
from roost.agent.actions.registry import handles
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import conversations
from roost.messaging import records as r
from roost.messaging.channels import actions
from roost.messaging.conversations import UnknownMessage
from roost.messaging.work import Work
from roost.wire.channels import ChannelRole, Posting
from roost.wire.links import parse_channel_link

if TYPE_CHECKING:
    from roost.agent.service import Service

_ROLES = {shown: role for role, shown in showing_channels.ROLES.items()}
_POSTING = {shown: posting for posting, shown in showing_channels.POSTING.items()}
FETCH_S = 3.0


def _changed(service: Service, row: r.ChannelRow, done: str, *, whom: bytes = b"", id: str = "") -> ch.ChannelChanged:
    work = service.engine.look()
    row = work.get(r.ChannelRow, row.id) or row
    new = done in ("created", "joined", "moved")
    return ch.ChannelChanged(
        channel=account_id(row.id),
        title=showing_channels.title_of(row),
        done=done,
        link=str(actions.link_of(row)) if new else "",
        pseudonym=actions.pseudonym(row) if new else account_id(whom) if whom else "",
        id=id,
        state=showing_channels.condition(work, row),
    )


async def _current(service: Service, named: str) -> r.ChannelRow:
    """The named channel, after what others did in it. Raises CallerError."""
    if not service.engine.logs.caught_up:
        await syncing.refresh(service.engine, FETCH_S)
    return naming.channel(service.engine.look(), named)


# --- being there ------------------------------------------------------------------------------------------------------


@handles(ch.Channels)
async def list_channels(service: Service, _: ch.Channels) -> tuple[ch.ChannelView, ...]:
    work = service.engine.look()
    return tuple(showing_channels.channel(work, row) for row in work.find(r.ChannelRow))


@handles(ch.ChannelCreate)
async def create(service: Service, request: ch.ChannelCreate) -> ch.ChannelChanged:
    engine = service.engine
    row = engine.step(
        actions.create,
        request.title,
        posting=_POSTING[request.posting],
        description=request.description,
        slow_s=request.slow_s,
        name=request.name,
    )
    await syncing.until(engine, lambda: _is_stored(engine.look(), row), request.wait_timeout_s)
    return _changed(service, row, "created")


def _is_stored(work: Work, row: r.ChannelRow) -> bool:
    """The channel can be joined: its state is in its log."""
    return not work.find(r.LogPut, where={"log": row.log}, limit=1)


@handles(ch.ChannelJoin)
async def join(service: Service, request: ch.ChannelJoin) -> ch.ChannelChanged:
    engine = service.engine
    link = parse_channel_link(request.link)
    opening.enter(engine, link.relay)
    row = engine.step(actions.join, link, request.name)
    engine.wake()

    def settled() -> bool:
        found = engine.look().get(r.ChannelRow, row.id)
        log = engine.look().get(r.SharedLog, row.log)
        return found is None or found.version > 0 or log is None or log.state == r.LogState.LOST

    await syncing.until(engine, settled, request.wait_timeout_s)
    log = engine.look().get(r.SharedLog, row.log)
    if log is not None and log.state == r.LogState.LOST and not row.version:
        engine.step(actions.leave, row.id)
        raise CallerError("This channel is not there any more.", code="no_channel", hint="Ask for a newer link.")
    return _changed(service, row, "joined")


@handles(ch.ChannelLeave)
async def leave(service: Service, request: ch.ChannelLeave) -> ch.ChannelChanged:
    row = naming.channel(service.engine.look(), request.channel)
    service.engine.step(actions.leave, row.id, delete=request.delete)
    service.engine.transfers.sweep()
    return ch.ChannelChanged(
        channel=account_id(row.id),
        title=showing_channels.title_of(row),
        done="deleted" if row.own else "left",
        state=ch.ChannelCondition.LOST,
    )


@handles(ch.ChannelMove)
async def move(service: Service, request: ch.ChannelMove) -> ch.ChannelChanged:
    engine = service.engine
    row = engine.step(actions.move, (await _current(service, request.channel)).id)
    await syncing.until(engine, lambda: _is_stored(engine.look(), row), request.wait_timeout_s)
    return _changed(service, row, "moved")


@handles(ch.ChannelPost)
async def post(service: Service, request: ch.ChannelPost) -> v.SentMessage:
    row = naming.channel(service.engine.look(), request.channel)
    send = o.Send(conversation=account_id(row.id), text=request.text, files=request.files, key=request.key)
    return await messages.send(service, send)


@handles(ch.ChannelInfo)
async def info(service: Service, request: ch.ChannelInfo) -> ch.ChannelInfoView:
    work = service.engine.look()
    return showing_channels.info(work, naming.channel(work, request.channel))


# --- looking after it -------------------------------------------------------------------------------------------------


@handles(ch.ChannelRemove)
async def remove(service: Service, request: ch.ChannelRemove) -> ch.ChannelChanged:
    row = await _current(service, request.channel)
    message = naming.message(service.engine.look(), request.id)
    if message.conversation != row.id:
        raise UnknownMessage("There is no such message in this channel.")
    service.engine.step(conversations.delete_for_all, message.id)
    service.engine.transfers.sweep()
    return _changed(service, row, "removed", id=request.id)


@handles(ch.ChannelBan)
async def ban(service: Service, request: ch.ChannelBan) -> ch.ChannelChanged:
    row = await _current(service, request.channel)
    key = service.engine.step(actions.ban, row.id, request.pseudonym, banned=request.banned, purge=request.purge)
    return _changed(service, row, "banned" if request.banned else "unbanned", whom=key)


@handles(ch.ChannelSetRole)
async def role(service: Service, request: ch.ChannelSetRole) -> ch.ChannelChanged:
    row = await _current(service, request.channel)
    wanted = _ROLES[request.role]
    if wanted == ChannelRole.OWNER:
        raise CallerError("A channel has one owner.", code="not_permitted")
    key = service.engine.step(actions.set_role, row.id, request.pseudonym, wanted)
    return _changed(service, row, "role", whom=key)


@handles(ch.ChannelSettings)
async def change(service: Service, request: ch.ChannelSettings) -> ch.ChannelChanged:
    avatar = None if request.avatar is None else await read_picture(request.avatar) if request.avatar else b""
    row = await _current(service, request.channel)
    if request.name is not None:
        service.engine.step(actions.rename_me, row.id, request.name)
    posting: Posting | None = _POSTING[request.posting] if request.posting is not None else None
    wanted = (request.title, request.description, avatar, posting, request.slow_s)
    if any(value is not None for value in wanted):
        service.engine.step(
            actions.change,
            row.id,
            title=request.title,
            description=request.description,
            avatar=avatar,
            posting=posting,
            slow_s=request.slow_s,
        )
    return _changed(service, row, "settings")
