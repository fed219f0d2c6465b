"""`read`, `search`, `listen`: conversations, and what happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import command
from roost.apps.cli.formats import one_line, safe
from roost.apps.cli.session import Session, session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from roost.agent.events import Event
    from roost.agent.operations import Backend, Request
    from roost.agent.views import MessagePage

_SCREENFUL = 50


@command("read", "roost read Bob", "roost read Bob --limit 10", "roost read Bob --before ID --limit 10")
@click.argument("conversation")
@click.option("--limit", type=click.IntRange(1, 1_000_000), metavar="N", help="The newest N only.")
@click.option("--before", metavar="ID", help="Only what came before this message.")
@click.option("--ids", is_flag=True, help="Show message ids, for edit, react, save and --reply-to.")
@click.option("--keep-unread", is_flag=True, help="Do not count the messages as read.")
def read(conversation: str, limit: int | None, before: str | None, ids: bool, keep_unread: bool) -> None:
    """Show a conversation, oldest first. Works offline.

    What is shown counts as read, and the other side is told. A terminal gets the newest 50 unless --limit says more.
    """
    from roost.agent.operations import Read

    here = session()
    if limit is None and here.interactive:
        limit = _SCREENFUL
    request = Read(conversation=conversation, limit=limit, before=before, mark_read=not keep_unread)
    page = _show_page(here, request, ids=ids, room=False)
    if page.more and not here.json and page.messages:
        here.out.note(f"Earlier ones: roost read … --before {page.messages[0].id}")


@command("search", "roost search 'train ticket'")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, metavar="N", help="At most N (100).")
@click.option("--ids", is_flag=True, help="Show message ids.")
def search(words: tuple[str, ...], limit: int, ids: bool) -> None:
    """Find messages that hold all the words. Works offline."""
    from roost.agent.operations import Search

    here = session()
    page = _show_page(here, Search(words=" ".join(words), limit=limit), ids=ids, room=True)
    if not page.messages and not here.json:
        here.out.note("Nothing found.")


def _show_page(here: Session, request: Request[MessagePage], *, ids: bool, room: bool) -> MessagePage:
    async def work(backend: Backend) -> tuple[MessagePage, Mapping[str, str]]:
        from roost.apps.cli.render import names

        page = await backend.call(request)
        return page, {} if here.json else await names(backend)

    page, who = here.run(work)
    if here.json:
        here.out.lines(page.messages)
        return page
    from roost.apps.cli.render import message

    for item in page.messages:
        here.out.say(message(item, who, ids=ids, room=room))
    return page


@command("listen", "roost listen", "roost listen --json --from-now | jq 'select(.type == \"message\")'")
@click.option("--from-now", is_flag=True, help="Leave out what happened before.")
def listen(from_now: bool) -> None:
    """Print messages, receipts and everything else as it happens, until Ctrl-C.

    Without --from-now it begins with what came since somebody last listened.
    """
    here = session()
    with suppress(KeyboardInterrupt):
        here.run(lambda backend: _listen(here, backend, from_now=from_now), share=True)


async def _listen(here: Session, backend: Backend, *, from_now: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    who = {} if here.json else await _names(backend)
    with suppress(asyncio.CancelledError):
        async for event in backend.events(from_now=from_now):
            if here.json:
                here.out.line(event)
                continue
            _remember(event, who)
            shown = _shown(event, who)
            if shown is not None:
                here.out.say(shown)


async def _names(backend: Backend) -> dict[str, str]:
    from roost.apps.cli.render import names

    return await names(backend)


def _remember(event: Event, who: dict[str, str]) -> None:
    from roost.agent.events import ContactEvent, GroupEvent

    if isinstance(event, ContactEvent):
        who[event.contact] = one_line(event.name, 40)
    if isinstance(event, GroupEvent):
        who[event.group] = one_line(event.title, 40)


def _shown(event: Event, who: Mapping[str, str]) -> RenderableType | None:
    """An event in words; None for what only programs want."""
    from rich.text import Text

    from roost.agent import events as e
    from roost.apps.cli.render import message

    def name(sender: str) -> str:
        return "you" if sender == "me" else who.get(sender, sender[:8])

    words: str | None = None
    match event:
        case e.MessageEvent():
            return message(event, who, room=True)
        case e.RequestEvent():
            asks = f"{one_line(event.name, 40)} asks to become a contact: {one_line(event.greeting)}"
            return Text(f"{asks}   (roost accept {event.id})", style="yellow")
        case e.ReceiptEvent():
            read_by = f" by {event.read_by}" if event.read_by else ""
            words = f"{name(event.sender)}: {event.state.value}{read_by}"
        case e.ReactionEvent():
            words = f"{name(event.sender)} reacted {safe(event.emoji)}" if event.emoji else None
        case e.EditEvent():
            words = f"{name(event.sender)} changed a message: {safe(event.text)}"
        case e.DeleteEvent():
            words = "a message disappeared" if event.expired else f"{name(event.sender)} deleted a message"
        case e.TypingEvent():
            words = f"{name(event.sender)} is typing…" if event.active else None
        case e.ContactEvent():
            words = f"{one_line(event.name, 40)}: {event.change}"
        case e.GroupEvent():
            words = f"{one_line(event.title, 40)}: {one_line(event.text, 300)}" if event.text else None
        case e.ConnectionEvent():
            words = f"{event.host} {'reachable' if event.reachable else 'not reachable'}"
        case e.NearEvent():
            words = (
                f"{one_line(event.name, 40)} is {f'in reach ({event.carrier})' if event.carrier else 'out of reach'}"
            )
        case e.DeviceEvent():
            words = f"device {one_line(event.name, 40)} {event.change}"
        case e.WarningEvent():
            return Text(f"warning: {safe(event.message)}", style="yellow")
    return None if words is None else Text(f"              {words}", style="dim")
