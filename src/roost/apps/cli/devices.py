"""`device link`, `device list`, `device remove`: one's own devices."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import SECONDS, RoostGroup, yes_option
from roost.apps.cli.formats import one_line
from roost.apps.cli.profile import chosen_carriers, chosen_protection, direct_options, onion_option, protection_options
from roost.apps.cli.session import PassphraseNeeded, Session, session, text_argument
from roost.errors import RoostError, SurroundingsError

if TYPE_CHECKING:
    from roost.agent.operations import Backend, DeviceConfirm, DeviceRemove
    from roost.agent.views import DeviceLinkView, DeviceView

_TURN_S = 20.0  # how long one question to the backend waits; then it is asked again


class NotLinked(SurroundingsError):
    """The code was not confirmed in time; it stays valid."""

    code = "not_linked"
    hint = "Confirm the code on your other device: roost device link --confirm CODE"


@click.group("device", cls=RoostGroup, examples=("roost device link", "roost device list"))
def device() -> None:
    """Your devices: each has the whole of your account. Messages from before the link stay where they are."""


@device.command(
    "link",
    examples=(
        "roost device link --relay 'roost-relay://…' --name laptop    (on the new device)",
        "roost device link --confirm 'roost:…'                       (on an old one)",
    ),
)
@click.option("--confirm", metavar="CODE", help="On an old device: link the new one that shows this code.")
@click.option("--relay", metavar="LINK", help="On the new device: the relay that will keep its mailboxes.")
@onion_option
@direct_options[0]
@direct_options[1]
@click.option("--name", metavar="NAME", help="On the new device: what it is called.")
@click.option("--wait", is_flag=True, help="On the new device: return when it is linked.")
@click.option("--timeout", type=SECONDS, metavar="SECONDS", help="Seconds to wait at most.")
@click.option("--qr", is_flag=True, help="Show the code as a QR code too.")
@protection_options[0]
@protection_options[1]
def link(
    confirm: str | None,
    relay: str | None,
    networks: tuple[str, ...],
    direct: bool,
    carriers: tuple[str, ...],
    name: str | None,
    wait: bool,
    timeout: float | None,
    qr: bool,
    no_passphrase: bool,
    keyring: bool,
) -> None:
    """Link a new device.

    On the new device the command prints a code; give it to --confirm on a device that you have. A terminal then waits
    for the confirmation; with --json, or without a terminal, the command ends at once unless --wait is given, and the
    new device learns that it is linked at its next command that uses the network.
    """
    here = session()
    if confirm is not None:
        if relay or networks or direct or name or wait:
            raise click.UsageError(
                "--confirm is for the old device; --relay, --onion, --direct, --name and --wait for the new one."
            )
        _confirm(here, confirm)
        return
    ways = chosen_carriers(direct, carriers)
    started = _start(here, relay, networks, ways, name, no_passphrase=no_passphrase, keyring=keyring)
    waits = wait or (here.interactive and sys.stdout.isatty())
    if not waits or started.state.value == "linked":
        _show_code(here, started, qr=qr)
        return
    _show_code(here, started, qr=qr)
    _finish(here, timeout)


def _confirm(here: Session, code: str) -> None:
    from roost.agent.operations import DeviceConfirm

    code = text_argument(code)
    linked = here.run(lambda backend: _with_passphrase(here, backend, DeviceConfirm(code=code)))
    if here.json:
        here.out.line(linked)
        return
    here.out.say(f"{one_line(linked.name, 40) or 'The new device'} is linked.")


async def _with_passphrase(here: Session, backend: Backend, request: DeviceConfirm | DeviceRemove) -> DeviceView:
    """Changing the device list opens the account key. Ask for the passphrase only if the backend needs it."""
    import msgspec

    try:
        known = msgspec.structs.replace(request, passphrase=here.known_or_set_passphrase())
        return await backend.call(known)
    except RoostError as error:
        if error.code != PassphraseNeeded.code:
            raise
    return await backend.call(msgspec.structs.replace(request, passphrase=here.passphrase()))


def _start(
    here: Session,
    relay: str | None,
    networks: tuple[str, ...],
    carriers: tuple[str, ...],
    name: str | None,
    *,
    no_passphrase: bool,
    keyring: bool,
) -> DeviceLinkView:
    """The code of a device that waits already, or of a new profile."""
    from roost.agent.connect import profile_exists, protection_of
    from roost.agent.service import link_device

    if profile_exists(here.profile):
        protection = protection_of(here.profile)
        passphrase = here.passphrase() if protection == "passphrase" else None
    elif relay is None and not networks and not carriers:
        raise click.UsageError("A new device needs --relay LINK, --onion LINK, or --direct.")
    else:
        protection, passphrase = chosen_protection(here, no_passphrase=no_passphrase, keyring=keyring)
    here.known_passphrase = passphrase
    return asyncio.run(link_device(here.profile, name, relay, passphrase, protection, carriers, networks))


def _show_code(here: Session, started: DeviceLinkView, *, qr: bool) -> None:
    if here.json:
        here.out.line(started)
        return
    if started.state.value == "linked":
        here.out.say("This device is linked.")
        return
    if qr:
        import segno

        segno.make(started.code, error="l", micro=False).terminal(compact=True)
    here.out.say(started.code)
    here.out.note("On a device that you have: roost device link --confirm CODE")


def _finish(here: Session, timeout: float | None) -> None:
    linked = here.run(lambda backend: _until_linked(backend, timeout))
    _show_code(here, linked, qr=False)


async def _until_linked(backend: Backend, wait_s: float | None) -> DeviceLinkView:
    from roost.agent.operations import DeviceLink

    loop = asyncio.get_running_loop()
    end = None if wait_s is None else loop.time() + wait_s
    while True:
        left = _TURN_S if end is None else min(_TURN_S, end - loop.time())
        now = await backend.call(DeviceLink(timeout_s=max(left, 0.0)))
        if now.state.value == "linked":
            return now
        if end is not None and loop.time() >= end:
            raise NotLinked("This device is not linked yet.")


@device.command("list", examples=("roost device list",))
def list_() -> None:
    """List your devices."""
    from roost.agent.operations import DeviceList
    from roost.apps.cli.render import devices

    here = session()
    own = here.call(DeviceList())
    if here.json:
        here.out.lines(own)
    else:
        here.out.say(devices(own))


@device.command("remove", examples=("roost device remove laptop", "roost device remove ID --yes"))
@click.argument("device", metavar="ID")
@yes_option
def remove(device: str, yes: bool) -> None:
    """Remove a device, named by its id or name: it gets no more messages, and contacts are told."""
    from roost.agent.operations import DeviceRemove

    here = session()
    here.confirm(f"Remove the device {device}? It cannot be undone; it can only be linked anew.", yes=yes)
    removed = here.run(lambda backend: _with_passphrase(here, backend, DeviceRemove(device=device)))
    if here.json:
        here.out.line(removed)
    else:
        here.out.say(f"{one_line(removed.name, 40) or 'The device'} is removed.")
