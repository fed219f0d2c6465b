"""How results look to a person: tables, conversations, marks. Everything from others passes `formats.safe` first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from roost.agent.markup import marked
from roost.agent.views import (
    ME,
    AttachmentView,
    ContactState,
    ContactView,
    DeviceView,
    InvitationKind,
    InvitationView,
    MessageState,
    MessageView,
    RequestView,
)
from roost.apps.cli.formats import count, format_duration, format_size, one_line, relative, safe, until

if TYPE_CHECKING:
    from roost.agent.operations import Backend

MARKS = {
    MessageState.QUEUED: Text("…", style="dim"),
    MessageState.FAILED: Text("✗ not sent", style="red"),
    MessageState.SENT: Text("✓", style="dim"),
    MessageState.DELIVERED: Text("✓✓", style="dim"),
    MessageState.READ: Text("✓✓", style="bold cyan"),
}


def facts(rows: Mapping[str, str]) -> RenderableType:
    """Names and values, one below the other."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        grid.add_row(Text(name), Text(value))
    return grid


def table(columns: Iterable[str], rows: Iterable[Iterable[RenderableType | str]]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def contacts(people: Iterable[ContactView]) -> RenderableType:
    styles = {ContactState.ACCEPTED: "", ContactState.REQUESTED: "yellow", ContactState.BLOCKED: "red"}
    rows = []
    for person in people:
        name = Text(one_line(person.name, 40) or "(no name yet)", style="bold")
        state = Text(person.state.value, style=styles[person.state])
        if person.verified:
            state.append("  verified", style="green")
        if person.key_changed:
            state.append("  keys changed, compare: roost verify", style="red")
        extra = [one_line(person.status, 40)] if person.status else []
        if person.unread:
            extra.append(f"{person.unread} unread")
        if person.timer_s:
            extra.append(f"timer {format_duration(person.timer_s)}")
        rows.append((name, state, ", ".join(person.networks), ", ".join(extra), Text(person.contact, style="dim")))
    return table(("name", "state", "network", "", "contact"), rows)


def requests(pending: Iterable[RequestView]) -> RenderableType:
    rows = [
        (
            Text(one_line(request.name, 40), style="bold"),
            one_line(request.greeting, 60),
            relative(request.received_at),
            Text(request.warning, style="yellow"),
            Text(request.id, style="dim"),
        )
        for request in pending
    ]
    return table(("name", "greeting", "asked", "", "id"), rows)


def invitations(open_ones: Iterable[InvitationView]) -> RenderableType:
    """A line for each, and its link on a line of its own, so that it can be copied."""
    lines: list[RenderableType] = []
    for item in open_ones:
        ends = f"ends {until(item.expires_at)}" if item.expires_at else "never ends"
        used = f", used {count(item.uses, 'time')}" if item.kind is InvitationKind.REUSABLE else ""
        line = Text(item.kind.value, style="bold").append(f", made {relative(item.created_at)}, {ends}{used}  ", "")
        lines += [line.append(item.id, style="dim"), Text(item.link, style="cyan")]
    return Group(*lines)


def devices(own: Iterable[DeviceView]) -> RenderableType:
    rows = [
        (
            Text(one_line(device.name, 40) or "(no name)", style="bold"),
            "this device" if device.this else "",
            device.state.value,
            relative(device.added_at) if device.added_at else "",
            Text(device.device, style="dim"),
        )
        for device in own
    ]
    return table(("name", "", "state", "added", "device"), rows)


async def names(backend: Backend) -> dict[str, str]:
    """Names by id of contacts and of conversations, for showing messages."""
    from roost.agent.browsing import Conversations

    return {each.id: one_line(each.name, 40) for each in await backend.call(Conversations())}


def _attachment(file: AttachmentView) -> Text:
    label = f"{_INDENT}📎 [{file.number}] {one_line(file.name, 60)}  {format_size(file.size)}"
    return Text(label, style="blue")


_INDENT = " " * 14  # below the time


def _body(message: MessageView) -> Text:
    if message.deleted:
        return Text("deleted", style="dim italic")
    if message.unknown:
        return Text(message.text or "needs a newer Roost", style="italic yellow")
    body = Text(safe(marked(message)).replace("\n", f"\n{_INDENT}"))
    if message.edited:
        body.append("  (edited)", style="dim")
    return body


def _note(item: MessageView, who: Mapping[str, str], *, room: bool) -> RenderableType:
    where = f"{who.get(item.conversation, item.conversation[:8])}  " if room else ""
    return Text(f"{relative(item.sent_at):>12}  {where}· {one_line(item.text, 300)}", style="dim italic")


def _poll(item: MessageView) -> list[RenderableType]:
    if item.poll is None:
        return []
    lines: list[RenderableType] = []
    for number, option in enumerate(item.poll.options):
        mark = "●" if ME in option.votes else "○"
        line = Text(f"{_INDENT}{mark} [{number}] {one_line(option.text, 100)}", style="blue")
        lines.append(line.append(f"  {count(len(option.votes), 'vote')}", style="dim"))
    return lines


def message(item: MessageView, who: Mapping[str, str], *, ids: bool = False, room: bool = False) -> RenderableType:
    """One message: time, sender, text, state; attachments and reactions below. `room` names the conversation too."""
    if item.note is not None:
        return _note(item, who, room=room)
    mine = item.sender == ME
    head = Text(f"{relative(item.sent_at):>12}  ", style="dim")
    if room and mine:
        head.append(f"to {who.get(item.conversation, item.conversation[:8])}  ", style="dim")
    name = "me" if mine else who.get(item.sender) or one_line(item.from_name, 40) or item.sender[:8]
    if room and not mine and item.conversation != item.sender:
        head.append(f"{who.get(item.conversation, item.conversation[:8])}  ", style="dim")
    head.append(f"{name}: ", style="bold green" if mine else "bold magenta")
    if item.reply_to:
        head.append("↳ ", style="dim")
    head.append_text(_body(item))
    if mine and item.state in MARKS:
        head.append(" ").append_text(MARKS[item.state])
        if item.reason:
            head.append(f" ({item.reason.removesuffix('.')})", style="red")
    if item.expires_at:
        head.append(f"  ⏲ {until(item.expires_at)}", style="dim")
    if ids:
        head.append(f"  {item.id}", style="dim")
    lines: list[RenderableType] = [head, *map(_attachment, item.attachments), *_poll(item)]
    if item.reactions:
        shown = "  ".join(f"{safe(emoji)} {len(people)}" for emoji, people in item.reactions.items())
        lines.append(Text(f"{_INDENT}{shown}", style="dim"))
    return Group(*lines)
