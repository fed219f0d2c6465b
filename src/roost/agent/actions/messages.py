"""Saying, changing, reading, searching and keeping messages and files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from roost.agent import naming, showing, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.actions.registry import handles
from roost.agent.exporting import export_conversation
from roost.agent.settling import change_group
from roost.agent.taking import take_files
from roost.crypto import AttachmentKey, account_id
from roost.errors import CallerError, SurroundingsError
from roost.messaging import accounts, conversations, delivery, formatting, pins
from roost.messaging import records as r
from roost.messaging.groups import mentions, sending
from roost.store import FileRef
from roost.wire import content as c
from roost.wire.codec import encode

if TYPE_CHECKING:
    from roost.agent.service import Service

FETCH_S = 3.0
SAVE_S = 3_600.0


# --- saying ----------------------------------------------------------------------------------------------------------


@handles(o.Send)
async def send(service: Service, request: o.Send) -> v.SentMessage:
    engine = service.engine
    work = engine.look()
    id = accounts.message_id(work.me, request.key) if request.key is not None else engine.entropy.bytes(16)
    message = work.get(r.Message, id)
    new = message is None and request.wait is None
    if message is None:
        message = await _say(service, request, id)
    if request.wait is not None:
        await _wait(service, message, request)
        message = engine.look().get(r.Message, message.id) or message
    return v.SentMessage(
        id=message.id.hex(),
        conversation=account_id(message.conversation),
        state=showing.STATES[r.MessageState(message.state)],
        sent_at=v.instant(message.sent_at),
        reason=syncing.held_up_by(engine, message, new=new),
    )


async def _say(service: Service, request: o.Send, id: bytes) -> r.Message:
    engine = service.engine
    found = await _conversation(service, request.conversation)
    before = engine.look().get(r.Message, delivery.message_id(engine.look(), found.id, id))
    if before is not None:  # a channel's ids are made of more than the key
        return before
    talk = await _writable(service, found)
    conversations.check_text(request.text)
    reply_to = naming.message_id(request.reply_to) if request.reply_to else None
    attachments, local = await take_files(service, request.files, request.voice)
    said, spans = _formatted(request)
    meant = mentions.find(engine.look(), talk, said) if "@" in said else ()
    text = c.Text(said, spans, reply_to, attachments, request.expire_s or 0, mentions=meant)
    way = showing.way_of(engine.look(), talk)
    return await engine.submit(conversations.say, talk, text, id=id, local_files=local, **way)


def _formatted(request: o.Send | o.Edit) -> tuple[str, tuple[c.Span, ...]]:
    if request.markup:
        return formatting.parse(request.text)
    return request.text, showing.as_told(request.text, request.spans)


async def writable(service: Service, named: str) -> bytes:
    """The id of the conversation, which takes messages of mine now. Raises CallerError."""
    return await _writable(service, await _conversation(service, named))


async def _writable(service: Service, found: naming.Conversation) -> bytes:
    if found.group is not None and not service.engine.logs.caught_up:
        await syncing.refresh(service.engine, FETCH_S)  # others may have changed the keys meanwhile
    return delivery.open_talk(service.engine.look(), found.id).id


async def _conversation(service: Service, named: str) -> naming.Conversation:
    """The named conversation; fetched first when it is not known yet: they may just have accepted."""
    engine = service.engine
    try:
        return naming.conversation(engine.look(), named)
    except CallerError as error:
        if error.code != "unknown_conversation" or not await syncing.refresh(engine, FETCH_S):
            raise
        return naming.conversation(engine.look(), named)


async def _wait(service: Service, message: r.Message, request: o.Send) -> None:
    """Until the message has come so far, without waiting out a back-off."""
    engine, wanted = service.engine, request.wait
    assert wanted is not None
    engine.network.retry_now()
    if not request.patient:
        try:
            await syncing.connect(engine, request.wait_timeout_s)
        except SurroundingsError:
            return
    await syncing.meet(engine, message.conversation, request.wait_timeout_s)
    engine.hurry(everything=True)

    def reached() -> bool:
        row = engine.look().get(r.Message, message.id)
        if row is None or showing.message(engine.look(), row).state.reached(wanted):
            return True
        return not request.patient and not syncing.on_its_way(engine.look(), message.id)

    await syncing.pressing(engine, reached, request.wait_timeout_s)


@handles(o.Edit)
async def edit(service: Service, request: o.Edit) -> v.MessageRef:
    text, spans = _formatted(request)
    work = service.engine.look()
    meant = mentions.find(work, naming.message(work, request.id).conversation, text)
    row = service.engine.step(conversations.edit, naming.message_id(request.id), text, spans, meant)
    return v.MessageRef(id=request.id, conversation=account_id(row.conversation))


@handles(o.DeleteMessage)
async def delete(service: Service, request: o.DeleteMessage) -> v.MessageRef:
    row = naming.message(service.engine.look(), request.id)
    change = conversations.delete_for_all if request.everyone else conversations.delete_here
    service.engine.step(change, row.id)
    service.engine.transfers.sweep()
    return v.MessageRef(id=request.id, conversation=account_id(row.conversation))


@handles(o.React)
async def react(service: Service, request: o.React) -> v.MessageRef:
    row = naming.message(service.engine.look(), request.id)
    if len(request.emoji.encode()) > 64:
        raise CallerError("A reaction is one emoji.", code="bad_emoji")
    service.engine.step(conversations.react, row.id, request.emoji)
    return v.MessageRef(id=request.id, conversation=account_id(row.conversation))


@handles(o.Pin)
async def pin(service: Service, request: o.Pin) -> v.MessageRef:
    row = service.engine.step(pins.pin, naming.message_id(request.id), pinned=request.pinned)
    return v.MessageRef(id=request.id, conversation=account_id(row.conversation))


@handles(o.Typing)
async def typing(service: Service, request: o.Typing) -> v.Done:
    engine = service.engine
    work = engine.look()
    found = naming.conversation(work, request.conversation)
    if found.channel is not None:  # nobody is told there
        return v.Done()
    talk = delivery.open_talk(work, found.id)
    content = c.encode_content(c.Typing(request.active))
    if talk.group is not None:
        engine.step(sending.send_ephemeral, talk.group, content)
        return v.Done()
    entry = c.Entry(engine.entropy.bytes(16), work.now, 0, content)
    for peer in work.find(r.PeerDevice, where={"account": talk.id}):
        if peer.address is not None:
            await engine.outgoing.put_bare(peer, encode(entry), ephemeral=True)
    return v.Done()


@handles(o.Timer)
async def timer(service: Service, request: o.Timer) -> v.TimerSet:
    found = naming.conversation(service.engine.look(), request.conversation)
    if found.channel is not None:
        raise CallerError("What is posted in a channel stays.", code="not_in_channels")
    if found.group is not None:
        await change_group(service, found.group, timer_s=request.seconds)
    else:
        service.engine.step(conversations.set_timer, found.id, request.seconds)
    return v.TimerSet(conversation=account_id(found.id), seconds=request.seconds)


# --- reading ---------------------------------------------------------------------------------------------------------


@handles(o.Read)
async def read(service: Service, request: o.Read) -> v.MessagePage:
    engine = service.engine
    await syncing.refresh(engine, FETCH_S)
    work = engine.look()
    talk = naming.conversation(work, request.conversation).id
    below = ("position", naming.message(work, request.before).position) if request.before else None
    rows = work.find(
        r.Message,
        where={"conversation": talk},
        below=below,
        order="position",
        descending=True,
        limit=request.limit + 1 if request.limit else None,
    )
    more = request.limit is not None and len(rows) > request.limit
    rows = list(reversed(rows[: request.limit]))
    if request.mark_read:
        unread = tuple(row.id for row in rows if row.state == r.MessageState.RECEIVED)
        if unread:
            engine.step(conversations.mark_read, talk, unread)
        work = engine.look()
        rows = [work.get(r.Message, row.id) or row for row in rows]
    return v.MessagePage(messages=tuple(showing.message(work, row) for row in rows), more=more)


@handles(o.Show)
async def show(service: Service, request: o.Show) -> v.MessageView:
    work = service.engine.look()
    return showing.message(work, naming.message(work, request.id))


@handles(o.MarkRead)
async def mark_read(service: Service, request: o.MarkRead) -> v.Done:
    work = service.engine.look()
    talk = naming.conversation(work, request.conversation).id
    upto = naming.message(work, request.upto).position if request.upto else None
    rows = work.find(r.Message, where={"conversation": talk, "state": int(r.MessageState.RECEIVED)})
    ids = tuple(row.id for row in rows if upto is None or row.position <= upto)
    if ids:
        service.engine.step(conversations.mark_read, talk, ids)
    return v.Done()


@handles(o.Search)
async def search(service: Service, request: o.Search) -> v.MessagePage:
    work = service.engine.look()
    within = naming.conversation(work, request.conversation).id if request.conversation else None
    ids = service.engine.profile.store.search(request.words, request.limit + 1, within)
    rows = [row for row in (work.get(r.Message, id) for id in ids[: request.limit]) if row is not None]
    rows.sort(key=lambda row: row.position)
    return v.MessagePage(messages=tuple(showing.message(work, row) for row in rows), more=len(ids) > request.limit)


@handles(o.Clear)
async def clear(service: Service, request: o.Clear) -> v.Cleared:
    talk = naming.conversation(service.engine.look(), request.conversation).id
    count = service.engine.step(conversations.clear, talk)
    service.engine.transfers.sweep()
    return v.Cleared(conversation=account_id(talk), messages=count)


# --- files -----------------------------------------------------------------------------------------------------------


@handles(o.Save)
async def save(service: Service, request: o.Save) -> v.SavedFile:
    work = service.engine.look()
    row = naming.message(work, request.id)
    content = c.decode_content(row.content)
    if not isinstance(content, c.Text) or request.attachment >= len(content.attachments):
        raise CallerError("This message has no such attachment.", code="no_such_attachment")
    attachment = content.attachments[request.attachment]
    stored = await fetched_file(service, row.id, request.attachment)
    target = await asyncio.to_thread(_place, Path(request.to), attachment.name)
    ref = FileRef(stored.file, AttachmentKey(stored.file_key), stored.size)
    await asyncio.to_thread(service.engine.profile.files.export, ref, target, overwrite=request.replace)
    return v.SavedFile(path=str(target), size=stored.size)


async def fetched_file(service: Service, message: bytes, index: int) -> r.StoredFile:
    """The file's row, once its bytes are here. Raises SurroundingsError."""
    engine = service.engine

    def row() -> r.StoredFile | None:
        return engine.look().get(r.StoredFile, message, index)

    stored = row()
    if stored is not None and stored.state == r.FileState.REMOTE:
        await syncing.connect(engine, FETCH_S)
        engine.transfers.hurry()
        engine.wake()
        await syncing.until(engine, lambda: (now := row()) is None or now.state != r.FileState.REMOTE, SAVE_S)
        stored = row()
    if stored is None or stored.state == r.FileState.LOST:
        raise SurroundingsError(
            "The relay no longer has this file, or it was damaged.",
            code="file_lost",
            hint="Ask for it to be sent again.",
        )
    if stored.state != r.FileState.COMPLETE:
        raise SurroundingsError("The file could not be fetched in time.", code="timeout", hint="Try again later.")
    return stored


def _place(target: Path, name: str) -> Path:
    """A folder stands for the file of that name in it."""
    return target / safe_name(name) if target.is_dir() else target


def safe_name(name: str) -> str:
    """A sender's file name without anything that leads elsewhere or hides."""
    cleaned = "".join(letter if letter.isprintable() and letter not in '/\\:*?"<>|' else "_" for letter in name)
    return cleaned.strip(". ")[:200] or "file"


@handles(o.Export)
async def export(service: Service, request: o.Export) -> v.Exported:
    talk = naming.conversation(service.engine.look(), request.conversation).id
    messages, count = await export_conversation(service.engine, talk, Path(request.to))
    return v.Exported(path=request.to, messages=messages, files=count)
