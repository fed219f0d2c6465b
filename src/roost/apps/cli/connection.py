"""`status`, `sync`, `relays`: connections, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import SECONDS, RoostGroup, command, yes_option
from roost.apps.cli.formats import count, one_line
from roost.apps.cli.session import Session, session, text_argument

if TYPE_CHECKING:
    from roost.agent.operations import Backend
    from roost.agent.views import StatusView


@command("status", "roost status")
def status() -> None:
    """Show whether your relays are reachable, and how many messages wait to be delivered."""
    here = session()
    now = here.run(_status)
    if here.json:
        here.out.line(now)
        return
    from rich.text import Text

    if now.notice:
        here.out.say(now.notice)
    for relay in now.relays:
        mark = Text("● ", style="green" if relay.reachable else "red")
        words = "reachable" if relay.reachable else f"not reachable {one_line(relay.reason)}".strip()
        name = f"{relay.link_host} (at home)" if relay.home else relay.link_host
        if relay.here:
            words = f"keeps its mailboxes itself, {count(now.near, 'device')} of others in reach (roost carriers)"
        here.out.say(mark.append(f"{name}  {words}", style="default"))
    here.out.say(f"{count(now.waiting, 'message')} waiting, {now.unread} unread, {count(now.requests, 'request')}")
    if now.agent:
        here.out.say("the agent is running")


async def _status(backend: Backend) -> StatusView:
    """Only who asked knows whom it asked."""
    import msgspec

    from roost.agent.connect import is_agent
    from roost.agent.operations import Status

    return msgspec.structs.replace(await backend.call(Status()), agent=is_agent(backend))


@command("sync", "roost sync", "roost sync --timeout 5")
@click.option("--timeout", type=SECONDS, default=30.0, metavar="SECONDS", help="Seconds at most (30).")
def sync(timeout: float) -> None:
    """Send and fetch all that is waiting, now."""
    from roost.agent.operations import Sync

    here = session()
    result = here.call(Sync(timeout_s=timeout))
    if here.json:
        here.out.line(result)
        return
    here.out.say(f"received {result.received}, sent {result.sent}, {result.waiting} still waiting")


@click.group("relays", cls=RoostGroup, examples=("roost relays list", "roost relays add 'roost-relay://…'"))
def relays() -> None:
    """Your relays: where your mailboxes are. Contacts follow when they change."""


@relays.command("list", examples=("roost relays list",))
def relays_list() -> None:
    """List your relays."""
    from roost.agent.operations import RelaysList

    here = session()
    own = here.call(RelaysList())
    if here.json:
        here.out.lines(own)
        return
    for relay in own:
        uses = "new mailboxes go here" if relay.primary else "takes what the first does not" if relay.second else ""
        kinds = ("at home" if relay.home else "", uses)
        _show_relay(here, relay.host, relay.reachable, "".join(f"  ({kind})" for kind in kinds if kind))


def _show_relay(here: Session, host: str, reachable: bool, more: str = "") -> None:
    here.out.say(f"{host}  {'reachable' if reachable else 'not reachable'}{more}")


@relays.command("add", examples=("roost relays add 'roost-relay://…'", "roost relays add 'roost-network:…'"))
@click.argument("link")
def relays_add(link: str) -> None:
    """Use one more relay, or an onion network."""
    from roost.agent.operations import RelaysAdd

    here = session()
    added = here.call(RelaysAdd(link=text_argument(link)))
    if here.json:
        here.out.line(added)
    else:
        _show_relay(here, added.host, added.reachable, "  added")


@relays.command("remove", examples=("roost relays remove chat.example.org",))
@click.argument("host")
@yes_option
def relays_remove(host: str, yes: bool) -> None:
    """Leave a relay; what it keeps for you is fetched first."""
    from roost.agent.operations import RelaysRemove

    here = session()
    here.confirm(f"Leave {host}? Your contacts are told to write elsewhere.", yes=yes)
    removed = here.call(RelaysRemove(host=host))
    if here.json:
        here.out.line(removed)
    else:
        here.out.say(f"{removed.host}  removed")
        if removed.keeps:
            names = ", ".join(one_line(name, 40) for name in removed.keeps)
            here.out.note(
                f"It still keeps {names}. Take them along: roost group move GROUP, roost channel move CHANNEL"
            )
