"""`group create`, `add`, `remove`… and `groups`: what only groups have. `send`, `read` and others take a group too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import DURATION, SECONDS, RoostGroup, command, yes_option
from roost.apps.cli.session import Session, absolute, session, text_argument

if TYPE_CHECKING:
    from roost.agent.groups import GroupChanged
    from roost.agent.operations import Request

ROLE = click.Choice(("admin", "moderator", "member", "read-only"))
SETTLE_S = 10.0
wait_option = click.option(
    "--timeout", type=SECONDS, default=SETTLE_S, metavar="SECONDS", help="Seconds to wait for the change at most (10)."
)


@click.group(
    "group",
    cls=RoostGroup,
    examples=(
        "roost group create 'Summer trip' Ann Bob",
        "roost send 'Summer trip' 'Who brings the tent?'",
        "roost group link 'Summer trip' --qr",
    ),
)
def group() -> None:
    """Groups. GROUP is a group's id, or its title where that is unambiguous; MEMBER a person's name or id.

    A change comes about when all members' devices can see it, usually at once. What could not be told yet is kept and
    comes about by itself: the answer then says `waiting`.
    """


def _change(here: Session, request: Request[GroupChanged]) -> GroupChanged:
    """Carry out a change and show what became of it."""
    from roost.apps.cli.render_groups import changed

    done = here.call(request)
    if here.json:
        here.out.line(done)
    else:
        here.out.say(changed(done))
    return done


# --- who is in it ----------------------------------------------------------------------------------------------------


@group.command("create", examples=("roost group create 'Summer trip' Ann Bob", "roost group create Choir"))
@click.argument("name")
@click.argument("members", nargs=-1, metavar="[MEMBER]…")
@click.option("--description", default="", metavar="TEXT", help="What the group is about.")
@wait_option
def create(name: str, members: tuple[str, ...], description: str, timeout: float) -> None:
    """Make a group called NAME with you as its admin, and add contacts to it. They need not be online."""
    from roost.agent.groups import GroupCreate

    title = text_argument(name)
    _change(session(), GroupCreate(title=title, members=members, description=description, wait_timeout_s=timeout))


@group.command("add", examples=("roost group add 'Summer trip' Carol Dave",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
def add(group: str, members: tuple[str, ...], timeout: float) -> None:
    """Add contacts to a group."""
    from roost.agent.groups import GroupAdd

    _change(session(), GroupAdd(group=group, members=members, wait_timeout_s=timeout))


@group.command("remove", examples=("roost group remove 'Summer trip' Dave",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
@yes_option
def remove(group: str, members: tuple[str, ...], timeout: float, yes: bool) -> None:
    """Remove members. They read nothing that is said afterwards; what they have stays with them."""
    from roost.agent.groups import GroupRemove

    here = session()
    here.confirm(f"Remove {', '.join(members)} from {group}?", yes=yes)
    _change(here, GroupRemove(group=group, members=members, wait_timeout_s=timeout))


@group.command("ban", examples=("roost group ban 'Summer trip' Mallory",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
@yes_option
def ban(group: str, members: tuple[str, ...], timeout: float, yes: bool) -> None:
    """Remove people and keep them out, by links too."""
    from roost.agent.groups import GroupBan

    here = session()
    here.confirm(f"Ban {', '.join(members)} from {group}? Nobody can add them again.", yes=yes)
    _change(here, GroupBan(group=group, members=members, wait_timeout_s=timeout))


@group.command("unban", examples=("roost group unban 'Summer trip' Mallory",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
def unban(group: str, members: tuple[str, ...], timeout: float) -> None:
    """End bans: these people can be added again."""
    from roost.agent.groups import GroupUnban

    _change(session(), GroupUnban(group=group, members=members, wait_timeout_s=timeout))


@group.command("leave", examples=("roost group leave 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@wait_option
@yes_option
def leave(group: str, timeout: float, yes: bool) -> None:
    """Leave a group with all your devices. What was said stays with you."""
    from roost.agent.groups import GroupLeave

    here = session()
    here.confirm(f"Leave {group}? To come back, somebody has to add you again.", yes=yes)
    _change(here, GroupLeave(group=group, wait_timeout_s=timeout))


@group.command("forget", examples=("roost group forget 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@yes_option
def forget(group: str, yes: bool) -> None:
    """Delete a group that you left, with all that was said in it, from this device."""
    from roost.agent.groups import GroupForget

    here = session()
    here.confirm(f"Delete {group} with all messages from this device?", yes=yes)
    _change(here, GroupForget(group=group))


@group.command("reopen", examples=("roost group reopen 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@wait_option
@yes_option
def reopen(group: str, timeout: float, yes: bool) -> None:
    """Go on in a new group with those members who are your contacts, where a group was stopped or its host is gone."""
    from roost.agent.groups import GroupReopen

    here = session()
    here.confirm(f"Go on in a new group in place of {group}?", yes=yes)
    _change(here, GroupReopen(group=group, wait_timeout_s=timeout))


@group.command("resume", examples=("roost group resume 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@yes_option
def resume(group: str, yes: bool) -> None:
    """Go on in a group that was stopped because a contact saw another history of it."""
    from roost.agent.groups import GroupResume

    here = session()
    here.confirm(f"Go on in {group} although its host, or that contact, is lying?", yes=yes)
    _change(here, GroupResume(group=group))


@group.command("cancel", examples=("roost group cancel 'Summer trip' 3",))
@click.argument("group", metavar="GROUP")
@click.argument("number", type=click.IntRange(min=0))
def cancel(group: str, number: int) -> None:
    """Give up a change that waits; `group info` shows which do, and their numbers."""
    from roost.agent.groups import GroupCancel

    _change(session(), GroupCancel(group=group, number=number))


@group.command("role", examples=("roost group role 'Summer trip' Ann admin", "roost group role News Bob read-only"))
@click.argument("group", metavar="GROUP")
@click.argument("member")
@click.argument("role", type=ROLE)
@wait_option
def role(group: str, member: str, role: str, timeout: float) -> None:
    """Give a member a role: admin, moderator, member or read-only."""
    from roost.agent.groups import GroupRole, Role

    _change(session(), GroupRole(group=group, member=member, role=Role(role), wait_timeout_s=timeout))


# --- what it is like -------------------------------------------------------------------------------------------------


@group.command("title", examples=("roost group title 'Summer trip' 'Autumn trip'",))
@click.argument("group", metavar="GROUP")
@click.argument("title")
@wait_option
def title(group: str, title: str, timeout: float) -> None:
    """Change a group's title."""
    from roost.agent.groups import GroupTitle

    _change(session(), GroupTitle(group=group, title=text_argument(title), wait_timeout_s=timeout))


@group.command("description", examples=("roost group description 'Summer trip' 'Two weeks in the hills'",))
@click.argument("group", metavar="GROUP")
@click.argument("text")
@wait_option
def description(group: str, text: str, timeout: float) -> None:
    """Change what a group says it is about; '' takes it away."""
    from roost.agent.groups import GroupDescription

    _change(session(), GroupDescription(group=group, description=text_argument(text), wait_timeout_s=timeout))


@group.command("avatar", examples=("roost group avatar 'Summer trip' hills.jpg", "roost group avatar 'Summer trip' ''"))
@click.argument("group", metavar="GROUP")
@click.argument("picture", metavar="FILE")
@wait_option
def avatar(group: str, picture: str, timeout: float) -> None:
    """Change a group's picture; '' takes it away. A large one is made small."""
    from roost.agent.groups import GroupAvatar

    path = absolute(picture) if picture else ""
    _change(session(), GroupAvatar(group=group, picture=path, wait_timeout_s=timeout))


@group.command("timer", examples=("roost group timer 'Summer trip' 7d", "roost group timer 'Summer trip' off"))
@click.argument("group", metavar="GROUP")
@click.argument("duration", type=DURATION)
@wait_option
def timer(group: str, duration: int, timeout: float) -> None:
    """Let new messages of a group disappear so long after they were read; off ends it."""
    from roost.agent.groups import GroupTimer

    _change(session(), GroupTimer(group=group, seconds=duration, wait_timeout_s=timeout))


@group.command(
    "permissions",
    examples=("roost group permissions News --post moderator", "roost group permissions Choir --history 50"),
)
@click.argument("group", metavar="GROUP")
@click.option("--invite", type=ROLE, help="The least role that may add people and let them in.")
@click.option("--describe", type=ROLE, help="The least role that may change title, description, picture and timer.")
@click.option("--post", type=ROLE, help="The least role that may write.")
@click.option("--pin", type=ROLE, help="The least role that may pin messages.")
@click.option("--history", type=click.IntRange(0, 500), metavar="N", help="How many messages newcomers get.")
@click.option("--approval/--no-approval", default=None, help="Whether who comes by the link has to be let in.")
@wait_option
def permissions(
    group: str,
    invite: str | None,
    describe: str | None,
    post: str | None,
    pin: str | None,
    history: int | None,
    approval: bool | None,
    timeout: float,
) -> None:
    """Change who may do what in a group; what is not named stays as it is."""
    from roost.agent.groups import GroupPermissions, Role

    named = {"invite": invite, "describe": describe, "post": post, "pin": pin}
    roles = {name: Role(role) for name, role in named.items() if role is not None}
    if not roles and history is None and approval is None:
        raise click.UsageError("Say what is to change, for example --post moderator.")
    request = GroupPermissions(group=group, history=history, approval=approval, wait_timeout_s=timeout, **roles)
    _change(session(), request)


# --- by link ---------------------------------------------------------------------------------------------------------


@group.command("link", examples=("roost group link Choir --qr", "roost group link Choir --revoke"))
@click.argument("group", metavar="GROUP")
@click.option("--qr", is_flag=True, help="Show a QR code too.")
@click.option("--renew", is_flag=True, help="End the link that is there and make another.")
@click.option("--revoke", is_flag=True, help="End the link: nobody comes by it any more.")
@yes_option
def link(group: str, qr: bool, renew: bool, revoke: bool, yes: bool) -> None:
    """Show your link into a group, made if there is none. Whoever has it can join, or ask to."""
    from roost.agent.groups import GroupLink
    from roost.apps.cli.contacts import show_qr

    if renew and revoke:
        raise click.UsageError("--renew and --revoke exclude each other.")
    here = session()
    if renew or revoke:
        here.confirm(f"End your link into {group}? Who has it cannot use it any more.", yes=yes)
    made = here.call(GroupLink(group=group, renew=renew, revoke=revoke))
    if qr and made.link:
        show_qr(made.link, error_stream=here.json)
    if here.json:
        here.out.line(made)
    elif made.link:
        here.out.say(made.link)
        waits = "and waits until somebody lets them in" if made.approval else "and is in at once"
        here.out.note(f"Whoever has the link opens it with: roost group join LINK, {waits}.")
    else:
        here.out.say("The link is ended.")


@group.command("join", examples=("roost group join 'roost:…' --greeting 'Hi, it is Dave'",))
@click.argument("link")
@click.option("--greeting", default="", metavar="TEXT", help="What those who decide get to read.")
@wait_option
def join(link: str, greeting: str, timeout: float) -> None:
    """Join a group by its link, or ask to be let in."""
    from roost.agent.groups import GroupJoin

    _change(session(), GroupJoin(link=text_argument(link), greeting=greeting, wait_timeout_s=timeout))


@group.command("requests", examples=("roost group requests", "roost group requests Choir"))
@click.argument("group", metavar="[GROUP]", required=False)
def requests(group: str | None) -> None:
    """List people who ask to join, of one group or of all."""
    from roost.agent.groups import GroupRequests

    here = session()
    asking = here.call(GroupRequests(group=group))
    if here.json:
        here.out.lines(asking)
        return
    from roost.apps.cli.render_groups import requests as show

    if asking:
        here.out.say(show(asking))
        here.out.note("Let somebody in: roost group accept NAME-OR-ID")
    else:
        here.out.note("Nobody asks to join.")


@group.command("accept", examples=("roost group accept Dave",))
@click.argument("id", metavar="NAME-OR-ID")
@wait_option
def accept(id: str, timeout: float) -> None:
    """Let somebody in who asks to join."""
    from roost.agent.groups import GroupAccept

    _change(session(), GroupAccept(id=id, wait_timeout_s=timeout))


@group.command("decline", examples=("roost group decline Dave",))
@click.argument("id", metavar="NAME-OR-ID")
def decline(id: str) -> None:
    """Forget a request to join; the asker is not told."""
    from roost.agent.groups import GroupDecline

    _change(session(), GroupDecline(id=id))


# --- looking at it ---------------------------------------------------------------------------------------------------


@group.command("info", examples=("roost group info Choir",))
@click.argument("group", metavar="GROUP")
def info(group: str) -> None:
    """Show what a group is like: roles, permissions, what waits. Works offline."""
    from roost.agent.groups import GroupInfo

    here = session()
    found = here.call(GroupInfo(group=group))
    if here.json:
        here.out.line(found)
        return
    from roost.apps.cli.render_groups import info as show

    here.out.say(show(found))


@group.command("members", examples=("roost group members Choir",))
@click.argument("group", metavar="GROUP")
def members(group: str) -> None:
    """List who is in a group, those with higher roles first. Works offline."""
    from roost.agent.groups import GroupMembers

    here = session()
    found = here.call(GroupMembers(group=group))
    if here.json:
        here.out.lines(found)
        return
    from roost.apps.cli.render_groups import members as show

    here.out.say(show(found))


def _list(everything: bool) -> None:
    from roost.agent.groups import Groups

    here = session()
    found = here.call(Groups(all=everything))
    if here.json:
        here.out.lines(found)
        return
    from roost.apps.cli.render_groups import groups as show

    if found:
        here.out.say(show(found))
    else:
        here.out.note("No groups yet. Make one: roost group create NAME MEMBER…")


@group.command("list", examples=("roost group list", "roost group list --all"))
@click.option("--all", "everything", is_flag=True, help="Also groups that you are not in any more.")
def list_groups(everything: bool) -> None:
    """List your groups."""
    _list(everything)


@command("groups", "roost groups", "roost groups --all")
@click.option("--all", "everything", is_flag=True, help="Also groups that you are not in any more.")
def groups(everything: bool) -> None:
    """List your groups."""
    _list(everything)
