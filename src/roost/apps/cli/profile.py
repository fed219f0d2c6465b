"""`init`, `whoami`, `about`, `passphrase`: the profile and its owner."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import command
from roost.apps.cli.formats import safe
from roost.apps.cli.session import PassphraseNeeded, Session, absolute, session, text_argument

if TYPE_CHECKING:
    from roost.agent.views import Identity


def chosen_protection(here: Session, *, no_passphrase: bool, keyring: bool) -> tuple[str, str | None]:
    """How a new profile is protected: `none`, `keyring` or `passphrase`, and the passphrase if any.

    Raises PassphraseNeeded where nothing was chosen and nobody can be asked.
    """
    if no_passphrase and keyring:
        raise click.UsageError("--no-passphrase and --keyring exclude each other.")
    if no_passphrase:
        return "none", None
    if keyring:
        return "keyring", None
    return "passphrase", new_passphrase(here)


def new_passphrase(here: Session, variable: str = "ROOST_PASSPHRASE") -> str:
    """From the environment, or typed twice."""
    if chosen := os.environ.get(variable):
        return chosen
    try:
        return here.ask_passphrase("New passphrase", twice=True)
    except PassphraseNeeded:
        raise PassphraseNeeded(
            "How should the profile be protected?",
            hint=f"Set {variable}, or give --keyring, or --no-passphrase (file permissions alone).",
        ) from None


protection_options = (
    click.option("--no-passphrase", is_flag=True, help="Protect the profile by file permissions alone."),
    click.option("--keyring", is_flag=True, help="Keep the key in the system's keyring."),
)

DEFAULT_CARRIERS = ("lan", "tor")
direct_options = (
    click.option("--direct", is_flag=True, help="Keep mailboxes on this device: others are met without a server."),
    click.option(
        "--carrier",
        "carriers",
        multiple=True,
        type=click.Choice(["lan", "bluetooth", "internet", "tor"]),
        metavar="NAME",
        help="With --direct: on which ways others are met (lan and tor); may repeat.",
    ),
)

onion_option = click.option(
    "--onion",
    "networks",
    multiple=True,
    metavar="LINK",
    help="An onion network that keeps mailboxes, with or without a relay; may repeat.",
)


def chosen_carriers(direct: bool, carriers: tuple[str, ...]) -> tuple[str, ...]:
    """The carriers that a new profile uses; none without --direct."""
    if carriers and not direct:
        raise click.UsageError("--carrier goes with --direct.")
    return (carriers or DEFAULT_CARRIERS) if direct else ()


@command(
    "init",
    "roost init --name Alice --relay 'roost-relay://chat.example.org:7777/…'",
    'ROOST_PASSPHRASE=secret roost --profile ./alice init --name Alice --relay "$LINK"',
    'roost init --name Bot --relay "$LINK" --no-passphrase',
    "roost init --name Alice --onion 'roost-network:…'",
    "roost init --name Alice --direct",
)
@click.option("--name", required=True, help="How contacts know you.")
@click.option("--relay", metavar="LINK", help="The relay that keeps your mailboxes.")
@onion_option
@direct_options[0]
@direct_options[1]
@protection_options[0]
@protection_options[1]
def init(
    name: str,
    relay: str | None,
    networks: tuple[str, ...],
    direct: bool,
    carriers: tuple[str, ...],
    no_passphrase: bool,
    keyring: bool,
) -> None:
    """Make a profile: a new account on this device.

    With --onion its mailboxes lie in an onion network, where nobody learns who reads and writes them: alone, or beside
    a relay. With --direct this device keeps its mailboxes itself, and meets others on its carriers (roost carriers):
    without any relay, or besides one. Its passphrase is ROOST_PASSPHRASE or typed twice; with --keyring the system's
    keyring holds the key instead.
    """
    from roost.agent.service import create_profile

    here = session()
    ways = chosen_carriers(direct, carriers)
    if relay is None and not networks and not ways:
        raise click.UsageError("Give --relay LINK or --onion LINK, or --direct to go without either.")
    protection, passphrase = chosen_protection(here, no_passphrase=no_passphrase, keyring=keyring)
    made = asyncio.run(create_profile(here.profile, text_argument(name), relay, passphrase, protection, ways, networks))
    if here.json:
        here.out.line(made)
        return
    here.out.say(f"Welcome, {safe(made.name)}. Your profile is in {here.profile}")
    if ways:
        here.out.say(
            f"Keep it running, so that others can reach you: roost agent   ({', '.join(ways)}; see: roost carriers)"
        )
    here.out.say("Next: roost invite --qr   (show it to someone)   or   roost add LINK   (an invitation you got)")


@command("whoami", "roost whoami", "roost whoami --json")
def whoami() -> None:
    """Show whose profile this is: account, device, name, relays. Works offline."""
    from roost.agent.operations import WhoAmI

    here = session()
    me = here.call(WhoAmI())
    if here.json:
        here.out.line(me)
    else:
        _show_identity(here, me)


def _show_identity(here: Session, me: Identity) -> None:
    from roost.apps.cli.render import facts

    rows = {"name": safe(me.name), "status": safe(me.status), "account": me.account}
    rows["device"] = f"{safe(me.device_name)}  {me.device}".strip()
    rows["relays"] = "\n".join(me.relays) or "none"
    here.out.say(facts({key: value for key, value in rows.items() if value}))


@command("about", "roost about --name 'Alice B.'", "roost about --picture me.jpg --status 'on holiday'")
@click.option("--name", help="How contacts know you.")
@click.option("--status", help="A line below your name; '' takes it away.")
@click.option("--picture", metavar="FILE", help="An image of at most 64 KiB; '' takes it away.")
def about(name: str | None, status: str | None, picture: str | None) -> None:
    """Change your name, status or picture; your contacts see it."""
    from roost.agent.operations import About

    if name is None and status is None and picture is None:
        raise click.UsageError("Give at least one of --name, --status and --picture.")
    here = session()
    image = absolute(picture) if picture else picture
    result = here.call(About(name=name, status=status, picture=image))
    if here.json:
        here.out.line(result)
        return
    here.out.say(f"You are now {safe(result.name)}" + (f", {safe(result.status)}" if result.status else ""))


@command("passphrase", "roost passphrase", "roost passphrase --keyring")
@protection_options[0]
@protection_options[1]
def passphrase(no_passphrase: bool, keyring: bool) -> None:
    """Change the passphrase, or protect the profile in another way.

    Without a terminal: the old one is ROOST_PASSPHRASE, the new one ROOST_NEW_PASSPHRASE.
    """
    from roost.agent.connect import protection_of
    from roost.agent.operations import Passphrase

    if no_passphrase and keyring:
        raise click.UsageError("--no-passphrase and --keyring exclude each other.")
    here = session()
    old = here.passphrase() if protection_of(here.profile) == "passphrase" else None
    chosen = "none" if no_passphrase else "keyring" if keyring else "passphrase"
    new = new_passphrase(here, "ROOST_NEW_PASSPHRASE") if chosen == "passphrase" else None
    here.known_passphrase = old
    result = here.call(Passphrase(old=old, new=new, protection=chosen))
    if here.json:
        here.out.line(result)
        return
    words = {"passphrase": "by the new passphrase", "keyring": "by the system's keyring"}
    here.out.say(f"The profile is now protected {words.get(result.protection, 'by file permissions alone')}.")
