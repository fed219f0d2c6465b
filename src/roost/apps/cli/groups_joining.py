"""`group link`, `join`, `introduce`, `accept`…: how people come into groups. A part of groups.py."""

from __future__ import annotations

import click

from roost.apps.cli.common import command, yes_option
from roost.apps.cli.groups_change import change, wait_option
from roost.apps.cli.session import session, text_argument


@command("link", "roost group link Choir --qr", "roost group link Choir --revoke")
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


@command("join", "roost group join 'roost:…' --greeting 'Hi, it is Dave'", "roost group join Choir")
@click.argument("link", metavar="LINK-OR-TITLE")
@click.option("--greeting", default="", metavar="TEXT", help="What those who decide get to read.")
@wait_option
def join(link: str, greeting: str, timeout: float) -> None:
    """Join a group by its link, or ask to be let in; or one into which a contact has invited you, by its title."""
    from roost.agent.groups import GroupJoin

    change(session(), GroupJoin(link=text_argument(link), greeting=greeting, wait_timeout_s=timeout))


@command("introduce", "roost group introduce Choir Carol Dave")
@click.argument("group", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="CONTACT…")
def introduce(group: str, members: tuple[str, ...]) -> None:
    """Invite contacts into a group by a message to each. Who says yes is added; who does not stays out."""
    from roost.agent.groups import GroupIntroduce

    change(session(), GroupIntroduce(group=group, members=members))


@command("introductions", "roost group introductions")
def introductions() -> None:
    """List groups into which contacts have invited you."""
    from roost.agent.groups import GroupIntroductions

    here = session()
    found = here.call(GroupIntroductions())
    if here.json:
        here.out.lines(found)
        return
    from roost.apps.cli.render_groups import introductions as show

    if found:
        here.out.say(show(found))
        here.out.note("Say yes: roost group join TITLE-OR-ID, or no: roost group decline TITLE-OR-ID")
    else:
        here.out.note("Nobody has invited you into a group.")


@command("requests", "roost group requests", "roost group requests Choir")
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


@command("accept", "roost group accept Dave")
@click.argument("id", metavar="NAME-OR-ID")
@wait_option
def accept(id: str, timeout: float) -> None:
    """Let somebody in who asks to join."""
    from roost.agent.groups import GroupAccept

    change(session(), GroupAccept(id=id, wait_timeout_s=timeout))


@command("decline", "roost group decline Dave")
@click.argument("id", metavar="NAME-OR-ID")
def decline(id: str) -> None:
    """Forget a request to join, or an invitation of a contact's into a group; nobody is told."""
    from roost.agent.groups import GroupDecline

    change(session(), GroupDecline(id=id))


COMMANDS = (link, introduce, introductions, join, requests, accept, decline)
