"""`contacts`, `verify`, `rename`, `block`, `unblock`, `introduce`, `route`: the people one knows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import command, yes_option
from roost.apps.cli.formats import grouped, one_line
from roost.apps.cli.session import Session, session, text_argument

if TYPE_CHECKING:
    from roost.agent.browsing import RouteView
    from roost.agent.operations import Backend
    from roost.agent.views import ContactChange


@command("contacts", "roost contacts", "roost contacts --json | jq -r .name")
def contacts() -> None:
    """List contacts: those who accepted, those you asked, those you blocked. Works offline."""
    from roost.agent.operations import Contacts
    from roost.apps.cli.render import contacts as show

    here = session()
    people = here.call(Contacts())
    if here.json:
        here.out.lines(people)
        return
    here.out.say(show(people) if people else "No contacts yet. Invite someone: roost invite")


@command("verify", "roost verify Bob", "roost verify Bob --confirm")
@click.argument("conversation")
@click.option("--confirm/--unconfirm", "confirm", default=None, help="Mark it compared and right, or take that back.")
def verify(conversation: str, confirm: bool | None) -> None:
    """Show the safety number of a contact, or of anybody who is in a group with you.

    Compare it with the other side over a way you trust, such as face to face. If both see the same 60 digits, nobody
    stands between you: mark it with --confirm.
    """
    from roost.agent.operations import Verify

    here = session()
    number = here.call(Verify(conversation=conversation, confirm=confirm))
    if here.json:
        here.out.line(number)
        return
    digits = grouped(number.safety_number).split(" ")
    for start in range(0, len(digits), 4):
        here.out.say("  " + " ".join(digits[start : start + 4]))
    here.out.say("verified" if number.verified else "not verified: compare it, then: roost verify … --confirm")


def _changed(here: Session, change: ContactChange, words: str) -> None:
    if here.json:
        here.out.line(change)
    else:
        here.out.say(f"{one_line(change.name, 40)} {words}")


@command("rename", "roost rename Bob 'Bob (work)'", "roost rename 'Bob (work)' ''")
@click.argument("contact")
@click.argument("name")
def rename(contact: str, name: str) -> None:
    """Give a contact a name of your own; '' goes back to theirs. Nobody else sees it."""
    from roost.agent.operations import Rename

    here = session()
    _changed(here, here.call(Rename(contact=contact, name=text_argument(name))), "is the name now.")


@command("block", "roost block Bob")
@click.argument("contact")
@yes_option
def block(contact: str, yes: bool) -> None:
    """Block a contact: nothing they write reaches you any more."""
    from roost.agent.operations import Block

    here = session()
    here.confirm(f"Block {contact}?", yes=yes)
    _changed(here, here.call(Block(contact=contact)), "is blocked.")


@command("unblock", "roost unblock Bob")
@click.argument("contact")
def unblock(contact: str) -> None:
    """Let a blocked contact write again."""
    from roost.agent.operations import Unblock

    here = session()
    _changed(here, here.call(Unblock(contact=contact)), "can write to you again.")


@command("introduce", "roost introduce Bob Carol")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
def introduce(first: str, second: str) -> None:
    """Introduce two of your contacts to each other; both are asked."""
    from roost.agent.operations import Introduce

    here = session()
    done = here.call(Introduce(first=first, second=second))
    if here.json:
        here.out.line(done)
        return
    here.out.say("Both are told. They can write to each other once they agreed.")


_NETWORKS = ("central", "federated", "onion", "direct")


@command(
    "route",
    "roost route Bob",
    "roost route Bob onion --timing mixed",
    "roost route Bob --floor federated",
    "roost route Choir --enter",
)
@click.argument("conversation")
@click.argument("network", metavar="[NETWORK]", required=False, type=click.Choice((*_NETWORKS, "any")))
@click.option(
    "--floor",
    "floor",
    type=click.Choice(_NETWORKS),
    help="The weakest network that this conversation may take; what would have to take a weaker one waits.",
)
@click.option(
    "--timing",
    type=click.Choice(["fast", "mixed"]),
    help="Through an onion network: at once, or slowly among cover traffic, which hides when one writes.",
)
@click.option("--enter", is_flag=True, help="Use the onion network of others that this conversation is on.")
def route(conversation: str, network: str | None, floor: str | None, timing: str | None, enter: bool) -> None:
    """Show the way that messages take, hop by hop, and who on it sees what; or choose it.

    NETWORK is taken before the other ways that lead to this contact; any: as it comes. Nobody is told but your other
    devices.

    --floor NETWORK is the weakest that this conversation may take: central allows one relay that both of you use;
    federated asks for two, neither of which sees both ends, or none; onion for an onion network, or Tor alone between
    your devices. The other side is told, and the stricter of both holds. While your devices are in reach of each other,
    messages go directly whatever the floor, on carriers that it allows. What is said in a group or channel goes to its
    host, which neither changes.

    The stations of an onion network are named while there is a way into it, as while the agent runs (roost agent).

    --enter is for a contact, group or channel on an onion network that you do not use. Its nodes learn your network
    address, and anybody can make up a network, so it is not called before you say so. Your other devices call it too.
    """
    here = session()
    chosen = partial(_route, network=network, floor=floor, timing=timing, enter=enter)
    shown = here.run(partial(chosen, conversation=conversation))
    if here.json:
        here.out.line(shown)
        return
    here.out.say(" → ".join(one_line(hop.name or hop.party.replace("_", " "), 60) for hop in shown.hops))
    held_to = f"; at least {shown.floor} (you), {shown.their_floor} (the other side)" if shown.choices else ""
    over = f" over {shown.carrier}" if shown.carrier else ""
    preferred = f"; {shown.prefers} before others" if shown.prefers else ""
    here.out.say(f"now {shown.network}{over}{preferred}{held_to}")
    if shown.delays:
        here.out.say(
            f"{shown.timing}: about {shown.delays[shown.timing]:.1f} seconds until a reader who is there has it"
        )
    if any(hop.party == "entry" and not hop.name for hop in shown.hops):
        here.out.say("The stations are named while there is a way into the network, as while the agent runs.")
    if shown.note:
        here.out.say(shown.note)
    if shown.foreign:
        here.out.say("If you trust whoever is there or led you there, add --enter.")
    if shown.held:
        here.out.say("What you write waits: the way that it would take exposes more than this conversation allows.")
    for row in shown.exposure:
        here.out.say(f"{row.party.replace('_', ' ')}")
        for word, facts in (("sees", row.sees), ("does not see", row.hidden)):
            if facts:
                here.out.say(f"  {word}: {'; '.join(shown.facts.get(fact, fact) for fact in facts)}")


async def _route(
    backend: Backend, conversation: str, network: str | None, floor: str | None, timing: str | None, *, enter: bool
) -> RouteView:
    """Choose what is named, or only look. The floor goes first: what it forbids is never preferred."""
    from roost.agent.browsing import Floor, NetworkEnter, Prefer, Route, SetTiming
    from roost.agent.views import NetworkKind, Timing

    shown: RouteView | None = None
    if enter:
        shown = await backend.call(NetworkEnter(conversation=conversation))
    if floor is not None:
        shown = await backend.call(Floor(conversation=conversation, network=NetworkKind(floor)))
    if network is not None:
        chosen = None if network == "any" else NetworkKind(network)
        shown = await backend.call(Prefer(conversation=conversation, network=chosen))
    if timing is not None:
        shown = await backend.call(SetTiming(conversation=conversation, timing=Timing(timing)))
    if shown is None:
        shown = await backend.call(Route(conversation=conversation))
    return shown
