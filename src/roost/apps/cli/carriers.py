"""`carriers`, `nearby`, `courier`, `carry`: talking from device to device, without any server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import DURATION, SECONDS, SIZE, RoostGroup, command, yes_option
from roost.apps.cli.formats import count, format_size, one_line
from roost.apps.cli.session import Session, absolute, session, text_argument
from roost.errors import RoostError

if TYPE_CHECKING:
    from roost.agent.direct import CarriersSet, CarrierView, CourierView, NearbyPerson
    from roost.agent.operations import Backend

NAMES = ("lan", "bluetooth", "internet", "tor")
_DAY_S = 86_400
_LOOK_S = 1.0  # how often it is asked who is there, which also goes on showing oneself
_names = click.argument("names", metavar="NAME…", nargs=-1, required=True, type=click.Choice(NAMES))


@click.group(
    "carriers",
    cls=RoostGroup,
    invoke_without_command=True,
    examples=(
        "roost carriers",
        "roost carriers on bluetooth",
        "roost carriers set tor --bridge 'obfs4 192.0.2.1:443 …'",
    ),
)
@click.pass_context
def carriers(context: click.Context) -> None:
    """The ways on which devices meet without a server. Alone: how each does now.

    lan: the same Wi-Fi or wired network. bluetooth: within some metres. internet: from address to address, which your
    contacts then learn. tor: over the Tor network, which hides where both are.
    """
    if context.invoked_subcommand is None:
        from roost.agent.direct import Carriers

        here = session()
        _show_carriers(here, here.call(Carriers()))


def _show_carriers(here: Session, shown: tuple[CarrierView, ...]) -> None:
    if here.json:
        here.out.lines(shown)
        return
    from rich.text import Text

    for carrier in shown:
        style, word = ("green", "ready") if carrier.ready else ("yellow", "not ready") if carrier.on else ("dim", "off")
        line = Text("● ", style=style).append(f"{carrier.carrier.value:<10}{word:<11}", style="default")
        if carrier.links:
            line.append(f"{count(carrier.links, 'device')} linked  ")
        if carrier.on and carrier.why:
            line.append(f"{one_line(carrier.why, 120)} {one_line(carrier.hint, 160)}".rstrip())
        here.out.say(line)


def _turn(here: Session, names: tuple[str, ...], *, on: bool, sure: bool) -> None:
    from roost.agent.direct import CarrierKind, CarriersTurn

    def request(sure: bool) -> CarriersTurn:
        return CarriersTurn(carriers=tuple(map(CarrierKind, names)), on=on, sure=sure)

    try:
        turned = here.call(request(sure))
    except RoostError as error:
        asked = error.code in ("shows_address", "last_carrier") and not sure
        if not asked or (on and not here.interactive):
            raise
        here.confirm(f"{error.message} Do it?", yes=False)
        if not here.interactive:
            here.out.note(error.message)
        turned = here.call(request(True))
    _show_carriers(here, turned)


@carriers.command("on", examples=("roost carriers on lan tor", "roost carriers on internet --yes"))
@_names
@yes_option
def carriers_on(names: tuple[str, ...], yes: bool) -> None:
    """Turn carriers on. The first one lets this device keep its own mailboxes, beside any relays."""
    _turn(session(), names, on=True, sure=yes)


@carriers.command("off", examples=("roost carriers off bluetooth",))
@_names
@yes_option
def carriers_off(names: tuple[str, ...], yes: bool) -> None:
    """Turn carriers off."""
    _turn(session(), names, on=False, sure=yes)


@carriers.group("set", cls=RoostGroup, examples=("roost carriers set tor --control 127.0.0.1:9051",))
def carriers_set() -> None:
    """How carriers reach what they need."""


@carriers_set.command(
    "tor",
    examples=(
        "roost carriers set tor --bridge 'obfs4 192.0.2.1:443 FINGERPRINT cert=… iat-mode=0'",
        "roost carriers set tor --control 127.0.0.1:9051",
        "roost carriers set tor --no-bridges --control ''",
    ),
)
@click.option("--bridge", "bridges", multiple=True, metavar="LINE", help="A bridge, where Tor is blocked; may repeat.")
@click.option("--no-bridges", is_flag=True, help="Use no bridges any more.")
@click.option("--control", metavar="ADDR", help="The control port of a Tor that runs already; '': start one.")
@click.option("--ask-password", is_flag=True, help="Ask for the control port's password.")
def set_tor(bridges: tuple[str, ...], no_bridges: bool, control: str | None, ask_password: bool) -> None:
    """How Tor is reached: by which bridges, or an existing Tor. Without options: how it is now."""
    from roost.agent.direct import CarriersSet

    if bridges and no_bridges:
        raise click.UsageError("--bridge and --no-bridges exclude each other.")
    here = session()
    password = (
        here.ask_passphrase("Control port's password", message="The password is missing.") if ask_password else None
    )
    lines = tuple(map(text_argument, bridges)) if bridges else () if no_bridges else None
    _show_settings(here, CarriersSet(bridges=lines, control=control, password=password))


@carriers_set.command("bluetooth", examples=("roost carriers set bluetooth --adapter usb:0",))
@click.option("--adapter", metavar="NAME", help="An adapter that Roost has to itself; '': the system's.")
def set_bluetooth(adapter: str | None) -> None:
    """Which Bluetooth adapter is used. Without options: which one it is now."""
    from roost.agent.direct import CarriersSet

    _show_settings(session(), CarriersSet(adapter=adapter))


@carriers_set.command("internet", examples=("roost carriers set internet --port 40000 --address 203.0.113.5:40000",))
@click.option("--port", type=click.IntRange(0, 65_535), metavar="PORT", help="The UDP port to use; 0: any.")
@click.option(
    "--address", "external", multiple=True, metavar="ADDR:PORT", help="Where it is reached besides; '': nowhere."
)
def set_internet(port: int | None, external: tuple[str, ...]) -> None:
    """The port for connections over the internet, and where a router forwards it. Without options: how it is now."""
    from roost.agent.direct import CarriersSet

    places = tuple(place for place in external if place) if external else None
    _show_settings(session(), CarriersSet(port=port, external=places))


def _show_settings(here: Session, request: CarriersSet) -> None:
    now = here.call(request)
    if here.json:
        here.out.line(now, ok=True)
        return
    from roost.apps.cli.render import facts

    rows = {
        "Tor's bridges": "\n".join(map(one_line, now.bridges)) or "none",
        "Tor's control port": (one_line(now.control) or "a Tor of its own")
        + (" (password)" if now.has_password else ""),
        "Bluetooth adapter": one_line(now.adapter) or "the system's",
        "UDP port": str(now.port) if now.port else "any",
        "known addresses": "\n".join(map(one_line, now.external)) or "none",
    }
    here.out.say(facts(rows))


# --- people nearby ---------------------------------------------------------------------------------------------------


@command("nearby", "roost nearby", "roost nearby --show", "roost nearby --show --seconds 300")
@click.option("--show", is_flag=True, help="Show yourself to everybody on the local network meanwhile.")
@click.option("--seconds", type=SECONDS, default=60.0, metavar="N", help="How long (60).")
def nearby(show: bool, seconds: float) -> None:
    """List who shows themselves on the local network, as they come.

    With --show everybody on it sees your name and a one-time invitation while the command runs. Anybody can take any
    name there: compare safety numbers with whom you meet.
    """
    here = session()
    if show:
        here.out.note(
            "Everybody on the local network sees your name now. Somebody asks? In another window: roost accept"
        )
    here.out.note(f"Looking for people who show themselves, for {seconds:.0f} s. Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        here.run(lambda backend: _nearby(here, backend, show, seconds), share=True)


async def _nearby(here: Session, backend: Backend, show: bool, seconds: float) -> None:
    from roost.agent.direct import Nearby

    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    told = asyncio.create_task(_tell_requests(here, backend)) if show else None
    seen: set[tuple[str, str]] = set()
    try:
        while True:
            now = await backend.call(Nearby(show=True if show else None))
            for person in now.people:
                if (person.name, person.link) not in seen:
                    seen.add((person.name, person.link))
                    _show_person(here, person)
            if loop.time() >= end:
                break
            await asyncio.sleep(min(_LOOK_S, max(end - loop.time(), 0)))
    finally:
        if told is not None:
            told.cancel()
            with suppress(asyncio.CancelledError):
                await told
            await backend.call(Nearby(show=False))


def _show_person(here: Session, person: NearbyPerson) -> None:
    if here.json:
        here.out.line(person)
    else:
        import shlex

        called = one_line(person.name, 64)
        here.out.say(f"{called}    roost add --nearby {shlex.quote(called)}")


async def _tell_requests(here: Session, backend: Backend) -> None:
    from roost.agent.events import RequestEvent

    async with aclosing(backend.events()) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, RequestEvent):
                here.out.note(f"{one_line(event.name, 64)} asks to become a contact: roost accept {event.id}")


# --- couriers --------------------------------------------------------------------------------------------------------


@click.group(
    "courier",
    cls=RoostGroup,
    invoke_without_command=True,
    examples=("roost courier", "roost courier on", "roost courier limits --hops 1 --age 3d --size 200M"),
)
@click.pass_context
def courier(context: click.Context) -> None:
    """Carry sealed parcels of your contacts to people whom they do not meet. Alone: how it is now.

    A courier can read nothing, and cannot tell whom it is from or for. Your contacts learn that you carry.
    """
    if context.invoked_subcommand is None:
        from roost.agent.direct import Courier

        here = session()
        _show_courier(here, here.call(Courier()))


def _show_courier(here: Session, now: CourierView) -> None:
    if here.json:
        here.out.line(now, ok=True)
        return
    held = f"{count(now.parcels, 'parcel')}, {format_size(now.bytes)} of {format_size(now.size)}"
    here.out.say(f"carries for contacts: {'yes' if now.carries else 'no'} ({held})")
    here.out.say(
        f"gives what waits to couriers: {'yes' if now.uses else 'no'} ({count(len(now.couriers), 'contact')} carry)"
    )
    here.out.say(
        f"limits: {count(now.hops, 'courier')} in a row, {count(now.days, 'day')}, {now.share} % of the room for one "
        f"contact, {format_size(now.rate)} a day from one"
    )


@courier.command("on", examples=("roost courier on",))
def courier_on() -> None:
    """Carry for your contacts, and let those who carry take what waits here."""
    from roost.agent.direct import CourierSet

    here = session()
    _show_courier(here, here.call(CourierSet(carries=True)))


@courier.command("off", examples=("roost courier off",))
def courier_off() -> None:
    """Carry nothing any more; what was carried is forgotten."""
    from roost.agent.direct import CourierSet

    here = session()
    _show_courier(here, here.call(CourierSet(carries=False)))


@courier.command("limits", examples=("roost courier limits --hops 1 --age 3d", "roost courier limits --use"))
@click.option("--hops", type=int, metavar="N", help="Couriers one after the other.")
@click.option("--age", type=DURATION, metavar="DURATION", help="How long something is carried, in whole days: 7d…")
@click.option("--size", type=SIZE, metavar="BYTES", help="Room for all that is carried: 64M…")
@click.option("--share", type=int, metavar="PERCENT", help="How much of it one contact may fill.")
@click.option("--rate", type=SIZE, metavar="BYTES", help="What is taken from one contact in a day: 16M…")
@click.option("--use/--no-use", "uses", default=None, help="Give what waits here to contacts who carry, or do not.")
def courier_limits(
    hops: int | None, age: int | None, size: int | None, share: int | None, rate: int | None, uses: bool | None
) -> None:
    """How much is carried, how far and how long."""
    from roost.agent.direct import CourierSet

    here = session()
    days = None if age is None else -(-age // _DAY_S)
    change = CourierSet(uses=uses, hops=hops, days=days, size=size, share=share, rate=rate)
    _show_courier(here, here.call(change))


# --- files of parcels ------------------------------------------------------------------------------------------------


@click.group("carry", cls=RoostGroup, examples=("roost carry export /media/stick/post", "roost carry import ./post"))
def carry() -> None:
    """Carry what waits for other people's devices in a file: on a stick, or by any other means."""


@carry.command("export", examples=("roost carry export post.parcels", "roost carry export post.parcels --to Bob"))
@click.argument("file")
@click.option("--to", "contact", metavar="CONTACT", help="Only what is for this contact.")
@click.option("--files/--no-files", default=True, help="Attachments too (the default), or not.")
@yes_option
def carry_export(file: str, contact: str | None, files: bool, yes: bool) -> None:
    """Write all that waits here, and what is carried for others, sealed, into FILE."""
    from roost.agent.direct import CarryExport

    here = session()
    done = here.call(CarryExport(to=absolute(file), contact=contact, files=files, replace=yes))
    if here.json:
        here.out.line(done)
    else:
        here.out.say(
            f"{count(done.parcels, 'parcel')} in {done.path}, {format_size(done.size)}. Read in: roost carry import"
        )


@carry.command("import", examples=("roost carry import post.parcels",))
@click.argument("file")
def carry_import(file: str) -> None:
    """Take in a file of parcels: what is for you arrives; the rest is carried on if you are a courier."""
    from roost.agent.direct import CarryImport

    here = session()
    done = here.call(CarryImport(path=absolute(file)))
    if here.json:
        here.out.line(done)
        return
    lost = f", {done.lost} damaged" if done.lost else ""
    here.out.say(f"{done.mine} for you, {done.kept} to carry on, {done.dropped} known already or not taken{lost}")
