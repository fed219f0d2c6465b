"""`group create`, `add`, `remove`… and `groups`: what only groups have. `send`, `read` and others take a group too."""

from __future__ import annotations

import click

from roost.apps.cli import groups_joining
from roost.apps.cli.common import DURATION, RoostGroup, command, yes_option
from roost.apps.cli.groups_change import change, wait_option
from roost.apps.cli.session import absolute, session, text_argument

ROLE = click.Choice(("admin", "moderator", "member", "read-only"))


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


for _joining in groups_joining.COMMANDS:
    group.add_command(_joining)


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
    change(session(), GroupCreate(title=title, members=members, description=description, wait_timeout_s=timeout))


@group.command("add", examples=("roost group add 'Summer trip' Carol Dave",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
def add(group: str, members: tuple[str, ...], timeout: float) -> None:
    """Add contacts to a group."""
    from roost.agent.groups import GroupAdd

    change(session(), GroupAdd(group=group, members=members, wait_timeout_s=timeout))


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
    change(here, GroupRemove(group=group, members=members, wait_timeout_s=timeout))


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
    change(here, GroupBan(group=group, members=members, wait_timeout_s=timeout))


@group.command("unban", examples=("roost group unban 'Summer trip' Mallory",))
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER…")
@wait_option
def unban(group: str, members: tuple[str, ...], timeout: float) -> None:
    """End bans: these people can be added again."""
    from roost.agent.groups import GroupUnban

    change(session(), GroupUnban(group=group, members=members, wait_timeout_s=timeout))


@group.command("leave", examples=("roost group leave 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@wait_option
@yes_option
def leave(group: str, timeout: float, yes: bool) -> None:
    """Leave a group with all your devices. What was said stays with you."""
    from roost.agent.groups import GroupLeave

    here = session()
    here.confirm(f"Leave {group}? To come back, somebody has to add you again.", yes=yes)
    change(here, GroupLeave(group=group, wait_timeout_s=timeout))


@group.command("forget", examples=("roost group forget 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@yes_option
def forget(group: str, yes: bool) -> None:
    """Delete a group that you left, with all that was said in it, from this device."""
    from roost.agent.groups import GroupForget

    here = session()
    here.confirm(f"Delete {group} with all messages from this device?", yes=yes)
    change(here, GroupForget(group=group))


@group.command("move", examples=("roost group move 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@wait_option
def move(group: str, timeout: float) -> None:
    """Let a group go on at your relay, for instance before the one where it is ends. For admins; all members follow."""
    from roost.agent.groups import GroupMove

    change(session(), GroupMove(group=group, wait_timeout_s=timeout))


@group.command("reopen", examples=("roost group reopen 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@wait_option
@yes_option
def reopen(group: str, timeout: float, yes: bool) -> None:
    """Go on in a new group with those members who are your contacts, where a group was stopped or its host is gone."""
    from roost.agent.groups import GroupReopen

    here = session()
    here.confirm(f"Go on in a new group in place of {group}?", yes=yes)
    change(here, GroupReopen(group=group, wait_timeout_s=timeout))


@group.command("resume", examples=("roost group resume 'Summer trip'",))
@click.argument("group", metavar="GROUP")
@yes_option
def resume(group: str, yes: bool) -> None:
    """Go on in a group that was stopped because a contact saw another history of it."""
    from roost.agent.groups import GroupResume

    here = session()
    here.confirm(f"Go on in {group} although its host, or that contact, is lying?", yes=yes)
    change(here, GroupResume(group=group))


@group.command("cancel", examples=("roost group cancel 'Summer trip' 3",))
@click.argument("group", metavar="GROUP")
@click.argument("number", type=click.IntRange(min=0))
def cancel(group: str, number: int) -> None:
    """Give up a change that waits; `group info` shows which do, and their numbers."""
    from roost.agent.groups import GroupCancel

    change(session(), GroupCancel(group=group, number=number))


@group.command("role", examples=("roost group role 'Summer trip' Ann admin", "roost group role News Bob read-only"))
@click.argument("group", metavar="GROUP")
@click.argument("member")
@click.argument("role", type=ROLE)
@wait_option
def role(group: str, member: str, role: str, timeout: float) -> None:
    """Give a member a role: admin, moderator, member or read-only."""
    from roost.agent.groups import GroupRole, Role

    change(session(), GroupRole(group=group, member=member, role=Role(role), wait_timeout_s=timeout))


# --- what it is like -------------------------------------------------------------------------------------------------


@group.command("title", examples=("roost group title 'Summer trip' 'Autumn trip'",))
@click.argument("group", metavar="GROUP")
@click.argument("title")
@wait_option
def title(group: str, title: str, timeout: float) -> None:
    """Change a group's title."""
    from roost.agent.groups import GroupTitle

    change(session(), GroupTitle(group=group, title=text_argument(title), wait_timeout_s=timeout))


@group.command("description", examples=("roost group description 'Summer trip' 'Two weeks in the hills'",))
@click.argument("group", metavar="GROUP")
@click.argument("text")
@wait_option
def description(group: str, text: str, timeout: float) -> None:
    """Change what a group says it is about; '' takes it away."""
    from roost.agent.groups import GroupDescription

    change(session(), GroupDescription(group=group, description=text_argument(text), wait_timeout_s=timeout))


@group.command("avatar", examples=("roost group avatar 'Summer trip' hills.jpg", "roost group avatar 'Summer trip' ''"))
@click.argument("group", metavar="GROUP")
@click.argument("picture", metavar="FILE")
@wait_option
def avatar(group: str, picture: str, timeout: float) -> None:
    """Change a group's picture; '' takes it away. A large one is made small."""
    from roost.agent.groups import GroupAvatar

    path = absolute(picture) if picture else ""
    change(session(), GroupAvatar(group=group, picture=path, wait_timeout_s=timeout))


@group.command("timer", examples=("roost group timer 'Summer trip' 7d", "roost group timer 'Summer trip' off"))
@click.argument("group", metavar="GROUP")
@click.argument("duration", type=DURATION)
@wait_option
def timer(group: str, duration: int, timeout: float) -> None:
    """Let new messages of a group disappear so long after they were read; off ends it."""
    from roost.agent.groups import GroupTimer

    change(session(), GroupTimer(group=group, seconds=duration, wait_timeout_s=timeout))


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
    change(session(), request)


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
