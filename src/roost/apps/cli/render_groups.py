"""How groups look to a person: lists, members, what a group is like. Strangers' words pass `formats.one_line` first."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from roost.agent.groups import (
    ChangeState,
    GroupChanged,
    GroupInfoView,
    GroupIntroductionView,
    GroupState,
    GroupView,
    JoinRequestView,
    MemberView,
    Role,
)
from roost.apps.cli.formats import count, format_duration, one_line, relative
from roost.apps.cli.render import facts, table

_ROLES = {Role.ADMIN: "bold yellow", Role.MODERATOR: "cyan", Role.MEMBER: "", Role.READ_ONLY: "dim"}
_DONE = {
    "created": "is made",
    "added": "has them",
    "introduced": "is open to them: they join when they say yes",
    "removed": "is without them",
    "left": "is left",
    "banned": "keeps them out",
    "unbanned": "may take them again",
    "role": "knows their role",
    "title": "is its title now",
    "description": "has its description",
    "avatar": "has its picture",
    "timer": "has its timer",
    "permissions": "has its permissions",
    "joined": "has you now",
    "accepted": "has them",
    "cancelled": "stays as it is",
    "moved": "is at your relay",
    "reopened": "goes on",
    "resumed": "goes on",
    "forgotten": "is gone from this device",
}


def changed(done: GroupChanged) -> RenderableType:
    """One line: what came about, or that it waits."""
    title = f"“{one_line(done.title, 60)}”"
    if done.done == "asked":
        why = done.reason or "Somebody has to let you in; it goes on by itself."
        return Text(f"You asked to join {title}. {why}", style="yellow")
    if done.done == "declined":
        return Text("It is forgotten.")
    if done.state is ChangeState.WAITING:
        return Text(f"It waits, and comes about by itself in {title}. {done.reason}".rstrip(), style="yellow")
    return Text(f"{title} {_DONE.get(done.done, 'is changed')}.", style="green")


def _role(role: Role) -> Text:
    return Text(role.value, style=_ROLES[role])


def groups(found: Iterable[GroupView]) -> RenderableType:
    rows = []
    for item in found:
        extra = [f"{item.unread} unread"] if item.unread else []
        extra += [f"{count(item.requests, 'request')} to join"] if item.requests else []
        extra += [f"timer {format_duration(item.timer_s)}"] if item.timer_s else []
        extra += [item.state.value] if item.state is not GroupState.ACTIVE else []
        title = Text(one_line(item.title, 40), style="bold")
        people = count(item.members, "member")
        rows.append(
            (title, people, _role(item.role), item.network.value, ", ".join(extra), Text(item.group, style="dim"))
        )
    return table(("title", "", "your role", "network", "", "group"), rows)


def members(people: Iterable[MemberView]) -> RenderableType:
    rows = []
    for person in people:
        name = Text(one_line(person.name, 40), style="bold green" if person.me else "bold")
        extra = ["you"] if person.me else ([] if person.contact else ["no contact of yours"])
        extra += ["verified"] if person.verified else []
        extra += ["wants to leave"] if person.leaving else []
        extra += [count(person.devices, "device")] if person.devices > 1 else []
        rows.append((name, _role(person.role), ", ".join(extra), Text(person.member, style="dim")))
    return table(("name", "role", "", "member"), rows)


def requests(asking: Iterable[JoinRequestView]) -> RenderableType:
    rows = [
        (
            Text(one_line(item.name, 40), style="bold"),
            one_line(item.title, 40),
            one_line(item.greeting, 60),
            relative(item.received_at),
            Text(item.id, style="dim"),
        )
        for item in asking
    ]
    return table(("name", "group", "greeting", "asked", "id"), rows)


def introductions(found: Iterable[GroupIntroductionView]) -> RenderableType:
    rows = [
        (
            Text(one_line(item.title, 40), style="bold"),
            f"by {one_line(item.by_name, 40)}",
            relative(item.received_at),
            Text(item.id, style="dim"),
        )
        for item in found
    ]
    return table(("group", "", "invited", "id"), rows)


def info(found: GroupInfoView) -> RenderableType:
    """Names and values, one below the other; nothing that is empty."""
    allowed = found.permissions
    waiting = "; ".join(f"{item.number}: {item.done} {one_line(item.name, 40)}".strip() for item in found.waiting)
    rows = {
        "title": one_line(found.title, 100),
        "description": one_line(found.description, 400),
        "you are": found.role.value
        if found.state is GroupState.ACTIVE
        else f"{found.role.value} ({found.state.value})",
        "people": str(found.members),
        "asking to join": str(found.requests or ""),
        "add people": _least(allowed.invite),
        "change title, picture, timer": _least(allowed.describe),
        "write": _least(allowed.post),
        "pin": _least(allowed.pin),
        "newcomers get": f"the last {found.history} messages" if found.history else "no earlier messages",
        "who comes by link": "has to be let in" if found.approval else "is in at once",
        "messages disappear": f"{format_duration(found.timer_s)} after they were read" if found.timer_s else "",
        "banned": ", ".join(one_line(item.name, 40) for item in found.banned),
        "waits": waiting,
        "your link": found.link,
        "kept at": f"{found.host} ({found.network.value})" if found.host else "",
        "group": found.group,
    }
    return facts({name: value for name, value in rows.items() if value})


def _least(role: Role) -> str:
    return "admins" if role is Role.ADMIN else f"{role.value} and above"
