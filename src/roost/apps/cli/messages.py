"""`send`, `edit`, `delete`, `react`, `save`, `timer`, `clear`, `export`: what one does with messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import DURATION, SECONDS, command, yes_option
from roost.apps.cli.formats import count, format_duration, format_size, one_line, safe
from roost.apps.cli.session import Session, absolute, session, text_argument
from roost.errors import CallerError, RoostError, SurroundingsError

if TYPE_CHECKING:
    from roost.agent.operations import Backend, Send
    from roost.agent.views import MessageRef, MessageView, SentMessage

_STATES = ("queued", "sent", "delivered", "read")
_SEND_PATIENCE_S = 10.0
_SLOWEST_UPLOAD = 50_000  # bytes/s; below that a command without an agent gives up, and the message waits


class NotReached(SurroundingsError):
    """`send --wait STATE`: the time is up. The message is in the outbox and goes on."""

    code = "not_reached"


@command(
    "send",
    "roost send Bob 'Good morning'",
    "roost send Bob --file photo.jpg --file notes.pdf",
    "git log -5 | roost send Bob -",
    "roost send Bob 'It is **today**' --markup",
    "roost send Bob 'Backup done' --id backup-2026-11-22 --wait delivered --timeout 60",
)
@click.argument("conversation")
@click.argument("text", default="")
@click.option("--file", "files", multiple=True, metavar="PATH", help="A file to send along; may repeat.")
@click.option("--reply-to", metavar="ID", help="The message that this one answers.")
@click.option("--markup", is_flag=True, help="Marks in TEXT mean formatting: **bold**, *italic*, `code`, ||hidden||…")
@click.option("--expire", type=DURATION, metavar="DURATION", help="It disappears so long after it was read: 1h, 7d…")
@click.option("--id", "key", metavar="KEY", help="Repeating the command with the same KEY sends once.")
@click.option("--wait", type=click.Choice(_STATES), help="Return when the message is that far.")
@click.option("--timeout", type=SECONDS, default=30.0, metavar="SECONDS", help="Seconds to --wait at most (30).")
def send(
    conversation: str,
    text: str,
    files: tuple[str, ...],
    reply_to: str | None,
    markup: bool,
    expire: int | None,
    key: str | None,
    wait: str | None,
    timeout: float,
) -> None:
    """Send TEXT (- reads stdin), files, or both.

    Once the command has ended with 0 the message is in the outbox and cannot be lost; it goes out as soon as the relay
    can be reached.
    """
    from roost.agent.operations import Send
    from roost.agent.views import MessageState

    here = session()
    body = text_argument(text)
    if not body and not files:
        raise CallerError("There is nothing to send.", code="empty_message", hint="Give a text, or --file PATH.")
    request = Send(
        conversation=conversation,
        text=body,
        files=tuple(absolute(path) for path in files),
        reply_to=reply_to,
        markup=markup,
        expire_s=expire,
        key=key,
        wait=MessageState(wait) if wait else None,
        wait_timeout_s=timeout,
    )
    sent = here.run(lambda backend: _send(backend, request))
    _show_sent(here, sent)
    if request.wait is not None and not sent.state.reached(request.wait):
        raise NotReached(
            f"The message is {sent.state.value}, not yet {request.wait.value}. {sent.reason}".rstrip(),
            hint="It goes on while Roost runs: roost agent."
            + (" The same --id with --wait asks again." if key else ""),
        )


async def _send(backend: Backend, request: Send) -> SentMessage:
    """Without an agent nobody else sends what stays in the outbox: give it time to leave."""
    import msgspec

    from roost.agent.connect import is_agent
    from roost.agent.views import MessageState

    if request.wait is None and not is_agent(backend):
        patience = _SEND_PATIENCE_S + sum(map(_size, request.files)) / _SLOWEST_UPLOAD
        request = msgspec.structs.replace(
            request, wait=MessageState.SENT, wait_timeout_s=min(patience, 86_400.0), patient=False
        )
    return await backend.call(request)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # the operation itself says what is wrong with it


def _show_sent(here: Session, sent: SentMessage) -> None:
    if here.json:
        here.out.line(sent)
        return
    from roost.apps.cli.render import MARKS

    words = {"queued": f"waits in the outbox and goes out by itself. {sent.reason}".rstrip()}
    here.out.say(MARKS[sent.state] + f" {words.get(sent.state.value, sent.state.value)}  {sent.id}")


@command("edit", "roost edit ID 'Good evening'")
@click.argument("id")
@click.argument("text")
@click.option("--markup", is_flag=True, help="Marks in TEXT mean formatting, as with `roost send`.")
def edit(id: str, text: str, markup: bool) -> None:
    """Change the text of a message of yours, for everyone."""
    from roost.agent.operations import Edit

    here = session()
    _show_ref(here, here.call(Edit(id=id, text=text_argument(text), markup=markup)), "Changed.")


@command("pin", "roost pin ID", "roost pin ID --off")
@click.argument("id")
@click.option("--off", is_flag=True, help="Take the pin away.")
def pin(id: str, off: bool) -> None:
    """Keep a message at hand in its conversation, for both sides."""
    from roost.agent.operations import Pin

    here = session()
    _show_ref(here, here.call(Pin(id=id, pinned=not off)), "Unpinned." if off else "Pinned.")


@command("react", "roost react ID 👍", "roost react ID ''")
@click.argument("id")
@click.argument("emoji")
def react(id: str, emoji: str) -> None:
    """React to a message with an emoji; '' takes your reaction back."""
    from roost.agent.operations import React

    here = session()
    _show_ref(here, here.call(React(id=id, emoji=text_argument(emoji))), "Done.")


def _show_ref(here: Session, done: MessageRef, words: str) -> None:
    if here.json:
        here.out.line(done, ok=True)
    else:
        here.out.say(words)


@command("delete", "roost delete ID", "roost delete ID --everyone", "roost delete Bob")
@click.argument("target", metavar="ID-OR-CONTACT")
@click.option("--everyone", is_flag=True, help="A message of yours: delete it for the other side too.")
@yes_option
def delete(target: str, everyone: bool, yes: bool) -> None:
    """Delete a message, or a contact together with the whole conversation."""
    here = session()
    here.run(lambda backend: _delete(here, backend, target, everyone=everyone, yes=yes))


async def _delete(here: Session, backend: Backend, target: str, *, everyone: bool, yes: bool) -> None:
    """The questions block the loop on purpose: nothing may go on behind a person who is asked."""
    from roost.agent.operations import DeleteContact, DeleteMessage

    message = await _find(backend, target)
    if message is not None or everyone:
        where = "for everyone" if everyone else "from your devices"
        shown = f"“{one_line(message.text, 40)}”" if message and message.text else "this message"
        here.confirm(f"Delete {shown} {where}?", yes=yes)
        _show_ref(here, await backend.call(DeleteMessage(id=target, everyone=everyone)), "Deleted.")
        return
    here.confirm(f"Delete the contact {target} with all messages?", yes=yes)
    change = await backend.call(DeleteContact(contact=target))
    if here.json:
        here.out.line(change)
    else:
        here.out.say(f"{one_line(change.name, 40)} is deleted.")


async def _find(backend: Backend, id: str) -> MessageView | None:
    from roost.agent.operations import Show

    try:
        return await backend.call(Show(id=id))
    except RoostError as error:
        if error.code == "unknown_message":
            return None
        raise


@command("save", "roost save ID --to ~/Downloads", "roost save ID --attachment 1 --to notes.pdf")
@click.argument("id")
@click.option("--attachment", type=click.IntRange(0, 31), default=0, metavar="N", help="Which one, from 0 (0).")
@click.option("--to", required=True, metavar="PATH", help="A file, or a folder that exists.")
@yes_option
def save(id: str, attachment: int, to: str, yes: bool) -> None:
    """Save an attachment of a message. A file that exists is replaced only with --yes, or when you say so."""
    from roost.agent.operations import Save

    here = session()
    target = absolute(to)
    if not yes and here.interactive and os.path.isfile(target):
        here.confirm(f"{target} exists. Replace it?", yes=False)
        yes = True
    saved = here.call(Save(id=id, attachment=attachment, to=target, replace=yes))
    if here.json:
        here.out.line(saved)
    else:
        here.out.say(f"{safe(saved.path)}  {format_size(saved.size)}")


@command("timer", "roost timer Bob 7d", "roost timer Bob off")
@click.argument("conversation")
@click.argument("duration", type=DURATION)
def timer(conversation: str, duration: int) -> None:
    """Let new messages of a conversation disappear so long after they were read, on both sides; off ends it."""
    from roost.agent.operations import Timer

    here = session()
    done = here.call(Timer(conversation=conversation, seconds=duration))
    if here.json:
        here.out.line(done)
        return
    after = f"disappear {format_duration(done.seconds)} after they were read" if done.seconds else "stay"
    here.out.say(f"New messages {after}.")


@command("clear", "roost clear Bob")
@click.argument("conversation")
@yes_option
def clear(conversation: str, yes: bool) -> None:
    """Delete all messages of a conversation from your devices; the contact stays."""
    from roost.agent.operations import Clear

    here = session()
    here.confirm(f"Delete all messages with {conversation} from your devices?", yes=yes)
    done = here.call(Clear(conversation=conversation))
    if here.json:
        here.out.line(done)
    else:
        here.out.say(f"{count(done.messages, 'message')} deleted.")


@command("export", "roost export Bob --to ./bob")
@click.argument("conversation")
@click.option("--to", required=True, metavar="DIR", help="The folder to write; made if missing.")
def export(conversation: str, to: str) -> None:
    """Write a conversation into a folder: messages.jsonl and files/. What is written there is not encrypted."""
    from roost.agent.operations import Export

    here = session()
    done = here.call(Export(conversation=conversation, to=absolute(to)))
    if here.json:
        here.out.line(done)
    else:
        here.out.say(f"{count(done.messages, 'message')} and {count(done.files, 'file')} in {done.path}")
