"""What an app shows of the profile as a whole: preferences, space used, privacy, and the route of a conversation."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from roost.agent import browsing as b
from roost.agent import desktop, naming, showing, syncing
from roost.agent import views as v
from roost.agent.actions.registry import handles
from roost.agent.devices import MEET_S
from roost.agent.exposure import exposure, who_sees_what
from roost.agent.networks import network_to
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import files, floors, hosting
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.wire.addresses import OnionHost
from roost.wire.links import (
    ChannelLink,
    Invitation,
    InvitationKind,
    MalformedLink,
    RelayLink,
    parse_channel_link,
    parse_invitation,
    parse_relay_link,
)

if TYPE_CHECKING:
    from roost.agent.service import Service

_PREFERENCE = "preference/"
_MAX_PREFERENCES = 200
_DAY_MS = 86_400_000
L = TypeVar("L", ChannelLink, Invitation, RelayLink)
_BUILT = (v.NetworkKind.CENTRAL, v.NetworkKind.FEDERATED)
_APART = "You are not in reach of each other now. What you write goes out when the devices meet."


# --- preferences -----------------------------------------------------------------------------------------------------


def _preferences(work: Work) -> b.Preferences:
    rows = [row for row in work.find(r.Setting) if row.name.startswith(_PREFERENCE)]
    return b.Preferences(values={row.name.removeprefix(_PREFERENCE): row.value.decode() for row in rows})


@handles(b.GetPreferences, unlinked=True)
async def get_preferences(service: Service, _: b.GetPreferences) -> b.Preferences:
    return _preferences(service.engine.look())


@handles(b.SetPreference, unlinked=True)
async def set_preference(service: Service, request: b.SetPreference) -> b.Preferences:
    engine = service.engine
    values = _preferences(engine.look()).values
    if request.value and request.name not in values and len(values) >= _MAX_PREFERENCES:
        raise CallerError("There are too many preferences.", code="too_many")

    def change(work: Work) -> None:
        row = r.Setting(_PREFERENCE + request.name, request.value.encode())
        if request.value:
            work.put(row)
        else:
            work.delete(row)

    engine.step(change)
    return _preferences(engine.look())


@handles(b.Privacy)
async def privacy(service: Service, request: b.Privacy) -> b.PrivacyView:
    engine = service.engine
    if request.read_receipts is not None:
        wanted = request.read_receipts
        engine.step(lambda work: work.put(msgspec.structs.replace(work.me, read_receipts=wanted)))
    return b.PrivacyView(read_receipts=engine.look().me.read_receipts)


# --- space -----------------------------------------------------------------------------------------------------------


@handles(b.Storage)
async def storage(service: Service, _: b.Storage) -> b.StorageView:
    work = service.engine.look()
    sizes: dict[bytes, tuple[int, int]] = {}
    for file in work.find(r.StoredFile, where={"state": int(r.FileState.COMPLETE)}):
        message = work.get(r.Message, file.message)
        if message is not None:
            count, total = sizes.get(message.conversation, (0, 0))
            sizes[message.conversation] = (count + 1, total + file.size)
    rows = naming.conversations(work)
    path = service.engine.profile.path
    return b.StorageView(
        database=sum(file.stat().st_size for file in path.glob("roost.db*")),
        files=sum(file.stat().st_size for file in (path / "files").glob("*") if file.is_file()),
        conversations=tuple(_space(work, row, *sizes.get(row.id, (0, 0))) for row in rows),
    )


@handles(b.DropFiles)
async def drop_files(service: Service, request: b.DropFiles) -> b.StorageView:
    engine = service.engine
    named = request.conversation
    account = naming.conversation(engine.look(), named).id if named is not None else None
    engine.step(files.drop, account, engine.now_ms - request.days * _DAY_MS)
    engine.transfers.sweep()
    return await storage(service, b.Storage())


@handles(b.SoftwareInfo, unlinked=True)
async def software_info(_: Service, __: b.SoftwareInfo) -> b.Software:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        about = metadata("roost")
        version, license = about["Version"], about["License-Expression"] or ""
    except PackageNotFoundError:  # run from a folder that was never installed
        version, license = "", ""
    return b.Software(
        version=version,
        license=license,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        notifies=desktop.available(),
        downloads=str(next((folder for folder in _download_folders() if folder.is_dir()), "")),
    )


def _download_folders() -> tuple[Path, ...]:
    return (Path(os.environ.get("XDG_DOWNLOAD_DIR") or Path.home() / "Downloads"), Path.home())


def _space(work: Work, row: naming.Conversation, files: int, size: int) -> b.ConversationStorage:
    return b.ConversationStorage(
        id=account_id(row.id),
        name=row.name,
        messages=len(work.find(r.Message, where={"conversation": row.id})),
        files=files,
        bytes=size,
    )


# --- the route -------------------------------------------------------------------------------------------------------


@handles(b.Route)
async def route(service: Service, request: b.Route) -> b.RouteView:
    work = service.engine.look()
    found = naming.conversation(work, request.conversation)
    if not found.contact:
        return _route_of_a_log(service, work, found)
    if showing.network_of(work, found.id) is v.NetworkKind.DIRECT:
        await syncing.meet(service.engine, found.id, MEET_S)
    return _route(service, work, found.contact)


@handles(b.Floor)
async def floor(service: Service, request: b.Floor) -> b.RouteView:
    engine = service.engine
    contact = naming.contact_of(
        engine.look(),
        request.conversation,
        why="All who are in a group or channel take the way to the one relay that hosts it.",
        hint="See which: roost route. A group is hosted by the relay of whoever makes it.",
    )
    _check_floor(engine.look(), request.network)
    engine.step(floors.set_floor, contact.account, showing.FLOORS[request.network])
    return _route(service, engine.look(), engine.look().need(r.Contact, contact.account))


def _check_floor(work: Work, network: v.NetworkKind) -> None:
    """Raises CallerError where a conversation cannot be held to this network."""
    if network is v.NetworkKind.DIRECT:
        raise CallerError(
            "From device to device is no floor: it is taken by itself while the devices are in reach of each other.",
            code="not_available",
            hint="Use central, federated, or onion (from device to device over Tor alone).",
        )
    if network not in _choices(work):
        raise CallerError(
            "Only two devices that meet over Tor can do that.",
            code="not_available",
            hint="Turn it on first: roost carriers on tor",
        )


def _choices(work: Work) -> tuple[v.NetworkKind, ...]:
    """The networks to which a conversation can be held here."""
    host = hosting.own_host(work)
    over_tor = host is not None and hosting.TOR in host.carriers
    return (*_BUILT, v.NetworkKind.ONION) if over_tor else _BUILT


def _route(service: Service, work: Work, contact: r.Contact) -> b.RouteView:
    network = showing.network_of(work, contact.account)
    carrier = service.engine.devices.near().get(contact.account, "")
    if carrier:  # what waits goes to the device itself while it is near
        network = v.NetworkKind.DIRECT
    held = floors.holds(work, contact.account)
    return b.RouteView(
        conversation=account_id(contact.account),
        network=network,
        hops=tuple(
            _hop(service, work, contact, party, network, near=bool(carrier))
            for party in who_sees_what().networks[network].hops
        ),
        exposure=exposure(network, v.ConversationKind.DIRECT),
        facts=who_sees_what().facts,
        choices=_choices(work),
        floor=showing.floor_name(contact.floor),
        their_floor=showing.floor_name(contact.their_floor),
        held=held,
        carrier=carrier,
        note=_APART if network is v.NetworkKind.DIRECT and not carrier and not held else "",
        ways=_ways(work, contact.account),
    )


def _ways(work: Work, account: bytes) -> tuple[b.WayView, ...]:
    """All addresses of a contact's devices, those of the relays first."""
    found = set()
    for peer in work.find(r.PeerDevice, where={"account": account}):
        for address in peer.addresses:
            network = network_to(work, address.relay)
            found.add((network, "" if network is v.NetworkKind.DIRECT else showing.host_in(work, address.relay)))
    order = list(v.NetworkKind)
    shown = sorted(found, key=lambda way: (order.index(way[0]), way[1]))
    return tuple(b.WayView(network=network, host=host) for network, host in shown)


def _route_of_a_log(service: Service, work: Work, found: naming.Conversation) -> b.RouteView:
    """A group's or channel's: to the relay that hosts it, and from there to everybody else."""
    kind = v.ConversationKind.GROUP if found.group else v.ConversationKind.CHANNEL
    network = showing.network_of(work, found.id)
    relays = iter(showing.way_of(work, found.id)["route"])

    def hop(party: str) -> b.Hop:
        match party:
            case "me":
                return b.Hop(party=party, name=work.me.about.name)
            case "relay" | "my_relay" | "host":
                name = next(relays, "")
                own = next((row for row in work.find(r.OwnRelay) if showing.host(row.link.address) == name), None)
                return b.Hop(
                    party=party,
                    name=showing.own_host(own) if own else name,
                    reachable=service.engine.network.reachable(own.relay) if own else None,
                )
            case _:
                return b.Hop(party=party, name=found.name)

    return b.RouteView(
        conversation=account_id(found.id),
        network=network,
        hops=tuple(hop(party) for party in who_sees_what().ways(kind)[network].hops),
        exposure=exposure(network, kind),
        facts=who_sees_what().facts,
    )


def _hop(service: Service, work: Work, contact: r.Contact, party: str, network: v.NetworkKind, *, near: bool) -> b.Hop:
    match party:
        case "me":
            return b.Hop(party=party, name=work.me.about.name)
        case "relay" | "my_relay":
            rows = sorted((row for row in work.find(r.OwnRelay) if not row.leaving), key=lambda row: row.rank)
            hosted = _their_relays(work, contact.account)
            row = next((row for row in rows if party == "relay" and row.relay in hosted), rows[0])
            return b.Hop(party=party, name=showing.own_host(row), reachable=service.engine.network.reachable(row.relay))
        case "their_relay":
            return b.Hop(party=party, name=", ".join(sorted(set(_their_relays(work, contact.account).values()))))
        case _:
            name = showing.contact_name(contact) if party == "contact" else ""
            met = party == "contact" and network is v.NetworkKind.DIRECT
            return b.Hop(party=party, name=name, reachable=near if met else None)


def _their_relays(work: Work, account: bytes) -> dict[bytes, str]:
    peers = work.find(r.PeerDevice, where={"account": account})
    addresses = [peer.address for peer in peers if peer.address is not None]
    return {address.relay.key: showing.host(address.relay) for address in addresses}


@handles(b.Qr, unlinked=True)
async def qr(_: Service, request: b.Qr) -> b.QrCode:
    import segno

    code = segno.make_qr(request.text, error="m")
    return b.QrCode(rows=tuple("".join("1" if cell else "0" for cell in row) for row in code.matrix))


_USES = {InvitationKind.GROUP: b.LinkUse.GROUP, InvitationKind.DEVICE: b.LinkUse.DEVICE}


@handles(b.ReadLink)
async def read_link(_: Service, request: b.ReadLink) -> b.LinkView:
    invitation = _tried(parse_invitation, request.link)
    if invitation is not None:
        return b.LinkView(use=_USES.get(invitation.kind, b.LinkUse.CONTACT), host=showing.host(invitation.relay))
    channel = _tried(parse_channel_link, request.link)
    if channel is not None:
        return b.LinkView(use=b.LinkUse.CHANNEL, host=showing.host(channel.relay))
    relay = _tried(parse_relay_link, request.link)
    if relay is not None:
        use = b.LinkUse.NETWORK if isinstance(relay.address, OnionHost) else b.LinkUse.RELAY
        return b.LinkView(use=use, host=showing.host(relay.address))
    return b.LinkView(use=b.LinkUse.UNKNOWN)


def _tried(parse: Callable[[str], L], text: str) -> L | None:
    try:
        return parse(text)
    except MalformedLink:
        return None
