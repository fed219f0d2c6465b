"""`invite`, `invitations`, `revoke`, `add`, `requests`, `accept`, `decline`: how two people become contacts."""

from __future__ import annotations

import sys

import click

from roost.apps.cli.common import DURATION, command, yes_option
from roost.apps.cli.formats import one_line, safe, until
from roost.apps.cli.session import Session, session, text_argument


@command(
    "invite",
    "roost invite --qr",
    "roost invite --reusable --expire 14d",
    "LINK=$(roost invite --json | jq -r .link)",
)
@click.option("--one-time", "one_time", is_flag=True, help="For one person (the default).")
@click.option("--reusable", is_flag=True, help="For anyone who has the link, until it ends or is revoked.")
@click.option("--expire", type=DURATION, metavar="DURATION", help="When it ends: 1h, 7d…")
@click.option("--qr", is_flag=True, help="Show a QR code too.")
def invite(one_time: bool, reusable: bool, expire: int | None, qr: bool) -> None:
    """Make an invitation. Give the link to someone you want to talk to, over a way you trust.

    The command ends when the invitation can be used.
    """
    from roost.agent.operations import Invite

    if one_time and reusable:
        raise click.UsageError("--one-time and --reusable exclude each other.")
    if expire == 0:
        raise click.UsageError("An invitation that ends at once invites nobody.")
    here = session()
    made = here.call(Invite(one_time=not reusable, expire_s=expire))
    if here.json:
        here.out.line(made)
        if qr:
            show_qr(made.link, error_stream=True)
        return
    if qr:
        show_qr(made.link, error_stream=False)
    here.out.say(made.link)
    ends = f", ends {until(made.expires_at)}" if made.expires_at else ""
    here.out.note(f"{made.kind.value} invitation{ends}. The other side opens it with: roost add LINK")
    if made.here:
        here.out.note("They can open it while Roost runs here and both of you are in reach: roost agent")


def show_qr(link: str, *, error_stream: bool) -> None:
    """Half-block characters; on stderr with `--json`, whose stdout holds JSON only."""
    import segno

    segno.make(link, error="l", micro=False).terminal(out=sys.stderr if error_stream else sys.stdout, compact=True)


@command("invitations", "roost invitations")
def invitations() -> None:
    """List invitations that can still be used."""
    from roost.agent.operations import Invitations
    from roost.apps.cli.render import invitations as show

    here = session()
    still_open = here.call(Invitations())
    if here.json:
        here.out.lines(still_open, ok=True)
        if not still_open:
            here.out.line({"ok": True})
        return
    here.out.say(show(still_open) if still_open else "No open invitations. Make one: roost invite")


@command("revoke", "roost revoke 'roost:…'", "roost revoke ID")
@click.argument("invitation", metavar="LINK-OR-ID")
def revoke(invitation: str) -> None:
    """End an invitation: nobody can use its link any more."""
    from roost.agent.operations import Revoke

    here = session()
    ended = here.call(Revoke(invitation=text_argument(invitation)))
    if here.json:
        here.out.line(ended, ok=True)
        return
    here.out.say("The invitation is revoked.")


@command(
    "add",
    "roost add 'roost:…'",
    "roost add 'roost:…' --greeting 'Hi, it is Bob from work'",
    "roost add --nearby Bob",
)
@click.argument("link", required=False)
@click.option("--nearby", metavar="NAME", help="Instead of a link: who shows themselves on the local network.")
@click.option("--greeting", default="", help="A line that the other side sees with your request.")
def add(link: str | None, nearby: str | None, greeting: str) -> None:
    """Open an invitation and ask to become contacts. The other side accepts, then both can write.

    Where both open an invitation of the other, neither needs to accept.
    """
    from roost.agent.direct import NearbyAdd
    from roost.agent.operations import Add

    if (link is None) == (nearby is None):
        raise click.UsageError("Give a LINK, or --nearby NAME.")
    here = session()
    text = text_argument(greeting)
    asked = here.call(
        Add(link=text_argument(link), greeting=text)
        if link is not None
        else NearbyAdd(name=nearby or "", greeting=text)
    )
    if here.json:
        here.out.line(asked)
        return
    if asked.waiting:
        here.out.say(
            "They are not near. Their link is opened when your devices meet; take that back: roost revoke LINK"
        )
    elif asked.state.value == "accepted":
        here.out.say(f"{one_line(asked.name, 40)} is a contact now: you both asked.")
    else:
        here.out.say("Asked. You can write to each other once they accept: roost contacts shows it.")
    if asked.compare:
        note_compare(here, asked.name)


@command("requests", "roost requests")
def requests() -> None:
    """List contact requests that wait for your answer."""
    from roost.agent.operations import Requests
    from roost.apps.cli.render import requests as show

    here = session()
    pending = here.call(Requests())
    if here.json:
        here.out.lines(pending)
        return
    here.out.say(show(pending) if pending else "Nobody is waiting.")
    if pending:
        here.out.note("Accept one: roost accept NAME-OR-ID")


@command("accept", "roost accept Bob", "roost accept ID --name 'Bob (work)'")
@click.argument("request", metavar="ID")
@click.option("--name", metavar="ALIAS", help="What you call them; their own name otherwise.")
def accept(request: str, name: str | None) -> None:
    """Accept a contact request, named by its id, or by the name where only one asks under it."""
    from roost.agent.operations import Accept

    here = session()
    made = here.call(Accept(id=request, name=name))
    if here.json:
        here.out.line(made)
        return
    called = one_line(made.name, 40)
    here.out.say(f"{called} is a contact now. Write: roost send {safe(_quoted(called))} 'Hello'")
    if made.compare:
        note_compare(here, made.name)


@command("decline", "roost decline Bob", "roost decline ID")
@click.argument("request", metavar="ID")
@yes_option
def decline(request: str, yes: bool) -> None:
    """Decline a contact request. Whoever asked is not told."""
    from roost.agent.operations import Decline

    here = session()
    here.confirm("Forget this request?", yes=yes)
    done = here.call(Decline(id=request))
    if here.json:
        here.out.line(done)
        return
    here.out.say("Declined.")


def note_compare(here: Session, name: str) -> None:
    """Whoever meets on the local network knows a name only, which anybody can take."""
    called = safe(_quoted(one_line(name, 40)))
    here.out.note(f"Anybody nearby could have taken this name. Compare the safety number: roost verify {called}")


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)
