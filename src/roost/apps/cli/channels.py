"""`channel`: open channels. `send`, `read`, `react` and the others take a channel like a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import DURATION, RoostGroup, yes_option
from roost.apps.cli.formats import count, format_duration, one_line, safe
from roost.apps.cli.session import Session, absolute, session, text_argument

if TYPE_CHECKING:
    from roost.agent.channels import ChannelChanged, ChannelInfoView, ChannelView


@click.group(
    "channel",
    cls=RoostGroup,
    examples=(
        "roost channel create News",
        "roost channel join 'roost-channel:…' --as Ada",
        "roost channel post News 'Good morning'",
    ),
)
def channel() -> None:
    """Channels: open by link, read by anyone who has it, written to by those whom the owner lets.

    SEND, READ, REACT and the other commands take a channel like a contact.
    """


@channel.command(
    "create",
    examples=(
        "roost channel create News",
        "roost channel create Garden --posting all --slow 1m",
    ),
)
@click.argument("title", metavar="NAME")
@click.option("--posting", type=click.Choice(("roles", "all")), default="roles", help="Who posts (roles).")
@click.option("--description", default="", help="What it is about.")
@click.option("--slow", type=DURATION, default=0, metavar="DURATION", help="How long each waits between posts.")
@click.option("--as", "name", default="", metavar="NAME", help="What you go by there; nothing otherwise.")
def create(title: str, posting: str, description: str, slow: int, name: str) -> None:
    """Make a channel at your first relay. Whoever gets its link can read it."""
    from roost.agent.channels import ChannelCreate, Posting

    here = session()
    made = here.call(
        ChannelCreate(
            title=text_argument(title),
            posting=Posting(posting),
            description=text_argument(description),
            slow_s=slow,
            name=text_argument(name),
        )
    )
    if here.json:
        here.out.line(made)
        return
    here.out.say(made.link)
    here.out.note(f"Whoever has this link reads {safe(one_line(made.title, 40))}: roost channel join LINK")


@channel.command(
    "join",
    examples=(
        "roost channel join 'roost-channel:…'",
        "roost channel join LINK --as Ada",
    ),
)
@click.argument("link")
@click.option("--as", "name", default="", metavar="NAME", help="What you go by there; nothing otherwise.")
def join(link: str, name: str) -> None:
    """Read a channel from now on, under a pseudonym made for it."""
    from roost.agent.channels import ChannelCondition, ChannelJoin

    here = session()
    done = here.call(ChannelJoin(link=text_argument(link), name=text_argument(name)))
    if here.json:
        here.out.line(done)
        return
    title = safe(one_line(done.title, 60))
    waits = done.state is ChannelCondition.JOINING
    here.out.say(f"Joining {title}; its posts come by themselves." if waits else f"You read {title} now.")


@channel.command(
    "leave",
    examples=(
        "roost channel leave News",
        "roost channel leave News --delete --yes",
    ),
)
@click.argument("channel")
@click.option("--delete", is_flag=True, help="Your own channel: end it for everybody.")
@yes_option
def leave(channel: str, delete: bool, yes: bool) -> None:
    """Forget a channel with all its posts."""
    from roost.agent.channels import ChannelLeave

    here = session()
    here.confirm("Delete this channel for everybody?" if delete else "Forget this channel and its posts?", yes=yes)
    _show(here, here.call(ChannelLeave(channel=channel, delete=delete)))


@channel.command(
    "post",
    examples=(
        "roost channel post News 'Good morning'",
        "roost channel post News --file a.jpg",
    ),
)
@click.argument("channel")
@click.argument("text", default="")
@click.option("--file", "files", multiple=True, metavar="PATH", help="A file to post along; may repeat.")
@click.option("--id", "key", metavar="KEY", help="Repeating the command with the same KEY posts once.")
@click.pass_context
def post(context: click.Context, channel: str, text: str, files: tuple[str, ...], key: str | None) -> None:
    """Post TEXT (- reads stdin), files, or both. The same as roost send."""
    from roost.apps.cli.messages import send

    context.invoke(send, conversation=channel, text=text, files=files, key=key)


@channel.command("info", examples=("roost channel info News",))
@click.argument("channel")
def info(channel: str) -> None:
    """Show a channel: its link, who has which role, and your pseudonym there."""
    from roost.agent.channels import ChannelInfo

    here = session()
    shown = here.call(ChannelInfo(channel=channel))
    if here.json:
        here.out.line(shown)
        return
    here.out.say("\n".join(_lines(shown)))


@channel.command("list", examples=("roost channel list",))
def list_channels() -> None:
    """List the channels that you read."""
    from roost.agent.channels import Channels

    here = session()
    found = here.call(Channels())
    if here.json:
        here.out.lines(found)
        return
    here.out.say(
        "\n".join(_line(each) for each in found) if found else "No channels. Join one: roost channel join LINK"
    )


@channel.command("remove", examples=("roost channel remove News ID",))
@click.argument("channel")
@click.argument("id", metavar="MESSAGE")
@yes_option
def remove(channel: str, id: str, yes: bool) -> None:
    """Remove a post for everybody: yours, or as a moderator anybody's but the owner's."""
    from roost.agent.channels import ChannelRemove

    here = session()
    here.confirm("Remove this post for everybody?", yes=yes)
    _show(here, here.call(ChannelRemove(channel=channel, id=id)))


@channel.command(
    "ban",
    examples=(
        "roost channel ban News ID --purge",
        "roost channel ban News ID --undo",
    ),
)
@click.argument("channel")
@click.argument("pseudonym")
@click.option("--undo", is_flag=True, help="Show their posts again.")
@click.option("--purge", is_flag=True, help="Remove what they posted before, too.")
@yes_option
def ban(channel: str, pseudonym: str, undo: bool, purge: bool, yes: bool) -> None:
    """Have nobody show what a pseudonym posts, named by its id or its name there."""
    from roost.agent.channels import ChannelBan

    here = session()
    here.confirm("Ban this pseudonym?" if not undo else "End this ban?", yes=yes)
    _show(here, here.call(ChannelBan(channel=channel, pseudonym=pseudonym, banned=not undo, purge=purge)))


@channel.command(
    "role",
    examples=(
        "roost channel role News ID poster",
        "roost channel role News Ada moderator",
    ),
)
@click.argument("channel")
@click.argument("pseudonym")
@click.argument("role", type=click.Choice(("reader", "poster", "moderator")))
def role(channel: str, pseudonym: str, role: str) -> None:
    """Let a pseudonym post, moderate, or only read. Theirs is in their: roost channel info CHANNEL"""
    from roost.agent.channels import ChannelRole, ChannelSetRole

    here = session()
    _show(here, here.call(ChannelSetRole(channel=channel, pseudonym=pseudonym, role=ChannelRole(role))))


@channel.command(
    "settings",
    examples=(
        "roost channel settings News --posting all --slow 30s",
        "roost channel settings News --as Ada",
    ),
)
@click.argument("channel")
@click.option("--title", help="Its name.")
@click.option("--description", help="What it is about.")
@click.option("--avatar", metavar="PATH", help="Its picture; '' takes it away.")
@click.option("--posting", type=click.Choice(("roles", "all")), help="Who posts.")
@click.option("--slow", type=DURATION, metavar="DURATION", help="How long each waits between posts; 0 is off.")
@click.option("--as", "name", metavar="NAME", help="What you go by there; '' for nothing. Not only the owner's.")
def settings(
    channel: str,
    title: str | None,
    description: str | None,
    avatar: str | None,
    posting: str | None,
    slow: int | None,
    name: str | None,
) -> None:
    """Change a channel of yours, or what you go by in one."""
    from roost.agent.channels import ChannelSettings, Posting

    if all(value is None for value in (title, description, avatar, posting, slow, name)):
        raise click.UsageError("There is nothing to change: give an option.")
    here = session()
    request = ChannelSettings(
        channel=channel,
        title=title,
        description=description,
        avatar=absolute(avatar) if avatar else avatar,
        posting=Posting(posting) if posting else None,
        slow_s=slow,
        name=name,
    )
    _show(here, here.call(request))


@channel.command("move", examples=("roost channel move 'Harbour news'",))
@click.argument("channel", metavar="CHANNEL")
def move(channel: str) -> None:
    """Let a channel of yours go on at your relay, under a new link. Readers follow; newcomers need the new link."""
    from roost.agent.channels import ChannelMove

    here = session()
    done = here.call(ChannelMove(channel=channel))
    _show(here, done)
    if not here.json:
        here.out.say(done.link)


# --- as text ----------------------------------------------------------------------------------------------------------

_DONE = {
    "left": "You left {title}.",
    "deleted": "{title} is deleted for everybody.",
    "removed": "The post is removed.",
    "banned": "Nobody shows their posts any more.",
    "unbanned": "Their posts are shown again.",
    "role": "Their role is changed.",
    "settings": "{title} is changed.",
    "moved": "{title} is at your relay. Its link is now:",
}


def _show(here: Session, done: ChannelChanged) -> None:
    if here.json:
        here.out.line(done)
        return
    here.out.say(_DONE[done.done].format(title=safe(one_line(done.title, 60))))


def _line(shown: ChannelView) -> str:
    unread = f", {count(shown.unread, 'unread post')}" if shown.unread else ""
    return f"{safe(one_line(shown.title, 40))}  ({shown.role.value}, {shown.state.value}{unread})"


def _lines(shown: ChannelInfoView) -> list[str]:
    pace = f", each after {format_duration(shown.slow_s)}" if shown.slow_s else ""
    who = "everybody who has the link" if shown.posting.value == "all" else "those with a role"
    lines = [
        safe(one_line(shown.title, 60)),
        *([safe(one_line(shown.description, 200))] if shown.description else []),
        f"posts: {who}{pace}",
        f"you:   {shown.role.value}{' as ' + safe(one_line(shown.name, 40)) if shown.name else ''} ({shown.pseudonym})",
        f"state: {shown.state.value}, at {safe(shown.host)}",
        f"link:  {shown.link}",
    ]
    for person in shown.people:
        banned = ", banned" if person.banned else ""
        name = safe(one_line(person.name, 40)) or "no name"
        lines.append(f"       {name}: {person.role.value}{banned} ({person.pseudonym})")
    return lines
