"""How a conversation travels: its way hop by hop, its floor, the network that it prefers, and its timing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from roost.agent import browsing as b
from roost.agent import naming, opening, showing, syncing
from roost.agent import views as v
from roost.agent.actions.registry import handles
from roost.agent.devices import MEET_S
from roost.agent.exposure import Network as Table
from roost.agent.exposure import exposure, who_sees_what
from roost.agent.networks import KINDS, network_to
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import floors, hosting, travel, ways
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network.network import foreign_network
from roost.wire.addresses import OnionHost
from roost.wire.sizes import PLACE_SIZE
from roost.wire.travel import Network

if TYPE_CHECKING:
    from roost.agent.service import Service

_BUILT = (v.NetworkKind.CENTRAL, v.NetworkKind.FEDERATED)
FIRST_GUESS_S = {v.Timing.FAST: 0.5, v.Timing.MIXED: 4.5}  # before anything was sent through a network
_STATIONS = ("entry", "middle", "exit")
_APART = "You are not in reach of each other now. What you write goes out when the devices meet."


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
            "Only people who use an onion network, or two devices that meet over Tor, can do that.",
            code="not_available",
            hint="Use a network first: roost relays add NETWORK-LINK, or: roost carriers on tor",
        )


def _choices(work: Work) -> tuple[v.NetworkKind, ...]:
    """The networks to which a conversation can be held here. An onion network counts where it is mine: another may have
    been made up by whoever named it."""
    host = hosting.own_host(work)
    over_tor = host is not None and hosting.TOR in host.carriers
    on_network = any(isinstance(row.link.address, OnionHost) for row in work.find(r.OwnRelay) if not row.leaving)
    return (*_BUILT, v.NetworkKind.ONION) if over_tor or on_network else _BUILT


@handles(b.Prefer)
async def prefer(service: Service, request: b.Prefer) -> b.RouteView:
    engine = service.engine
    contact = naming.contact_of(
        engine.look(),
        request.conversation,
        why="All who are in a group or channel take the way to the one host of its log.",
        hint="See which: roost route. A group is hosted where whoever makes it has their mailboxes.",
    )
    ways = showing.networks_of(engine.look(), contact.account)
    if request.network is not None and request.network not in ways:
        raise CallerError(
            f"There is no {request.network} way to this contact.",
            code="not_available",
            hint=f"There is: {', '.join(ways)}. The other side has to have an address there, too.",
        )
    if request.network is v.NetworkKind.ONION:  # theirs too, where I use none: the person says so
        opening.enter_networks(engine, contact.account)
    wanted = next((network for network, kind in KINDS.items() if kind is request.network), Network.ANY)
    engine.step(travel.choose, contact.account, prefers=wanted)
    return _route(service, engine.look(), contact)


@handles(b.NetworkEnter)
async def network_enter(service: Service, request: b.NetworkEnter) -> b.RouteView:
    engine = service.engine
    found = naming.conversation(engine.look(), request.conversation)
    for host in opening.foreign_networks(engine, found.id):
        opening.enter(engine, host)
    return await route(service, b.Route(conversation=request.conversation))


@handles(b.SetTiming)
async def set_timing(service: Service, request: b.SetTiming) -> b.RouteView:
    engine = service.engine
    found = naming.conversation(engine.look(), request.conversation)
    mixed = request.timing is v.Timing.MIXED
    if mixed and not _through_onion(engine.look(), found.id):
        raise CallerError(
            "This conversation goes through no onion network, and nowhere else is anything mixed.",
            code="not_available",
            hint="Use a network first: roost relays add NETWORK-LINK",
        )
    engine.step(travel.choose, found.id, mixed=mixed)
    work = engine.look()
    return _route(service, work, found.contact) if found.contact else _route_of_a_log(service, work, found)


def _through_onion(work: Work, conversation: bytes) -> bool:
    """Whether something of a conversation goes through an onion network: to it, from it, or through mine to a relay."""
    mine = [row for row in work.find(r.OwnRelay) if not row.leaving and isinstance(row.link.address, OnionHost)]
    return bool(mine) or showing.network_of(work, conversation) is v.NetworkKind.ONION


def _delays(service: Service, work: Work, conversation: bytes) -> dict[str, Any]:
    """How fast a conversation goes through an onion network, and how fast it could."""
    timing = v.Timing.MIXED if travel.chosen(work, conversation).mixed else v.Timing.FAST
    host = _onion_host(work, conversation)
    return {"timing": timing, "delays": _expected_s(service, host) if host is not None else {}}


def _noted(service: Service, conversation: bytes, note: str = "") -> dict[str, Any]:
    """What the person should know of a conversation's way."""
    foreign = bool(opening.foreign_networks(service.engine, conversation))
    return {"foreign": foreign, "note": foreign_network().message if foreign else note}


def _expected_s(service: Service, host: OnionHost) -> dict[v.Timing, float]:
    found: dict[v.Timing, float] = {}
    for timing in v.Timing:
        told_s = service.engine.network.expected_delay_s(host, mixed=timing is v.Timing.MIXED)
        found[timing] = max(0.1, round(FIRST_GUESS_S[timing] if told_s is None else told_s, 1))
    return found


def _route(service: Service, work: Work, contact: r.Contact) -> b.RouteView:
    network = showing.network_of(work, contact.account)
    carrier = service.engine.devices.near().get(contact.account, "")
    first = showing.first_hosts(work, contact.account, service.engine.network.standing)
    if carrier and any(network_to(work, host) is v.NetworkKind.DIRECT for host in first):
        network = v.NetworkKind.DIRECT  # what waits goes to the device itself while it is near
    preferred = KINDS.get(Network(travel.chosen(work, contact.account).prefers))
    held = floors.holds(work, contact.account)
    way = _way(work, v.ConversationKind.DIRECT, network)
    return b.RouteView(
        conversation=account_id(contact.account),
        network=network,
        hops=_stationed(
            service,
            work,
            contact.account,
            tuple(_hop(service, work, contact, party, network, near=bool(carrier)) for party in way.hops),
        ),
        exposure=exposure(way, mixed=travel.chosen(work, contact.account).mixed),
        facts=who_sees_what().facts,
        choices=_choices(work),
        floor=showing.floor_name(contact.floor),
        their_floor=showing.floor_name(contact.their_floor),
        held=held,
        carrier=carrier,
        **_noted(service, contact.account, _APART if network is v.NetworkKind.DIRECT and not (carrier or held) else ""),
        ways=_ways(work, contact.account),
        prefers=preferred,
        **_delays(service, work, contact.account),
    )


def _way(work: Work, kind: v.ConversationKind, network: v.NetworkKind) -> Table:
    """What there is to see on a network; what is for another's relay passes an onion network where that is my first."""
    if network is v.NetworkKind.FEDERATED and isinstance(_first(work).link.address, OnionHost):
        return who_sees_what().behind[kind]
    return who_sees_what().ways(kind)[network]


def _first(work: Work) -> r.OwnRelay:
    return min((row for row in work.find(r.OwnRelay) if not row.leaving), key=lambda row: row.rank)


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
    way = _way(work, kind, network)
    relays = iter(showing.way_of(work, found.id)["route"][1 if way is who_sees_what().behind[kind] else 0 :])

    def hop(party: str) -> b.Hop:
        match party:
            case "me":
                return b.Hop(party=party, name=work.me.about.name)
            case "relay" | "my_relay" | "host" | "swarm":
                name = next(relays, "")
                own = next((row for row in work.find(r.OwnRelay) if showing.host(row.link.address) == name), None)
                return b.Hop(
                    party=party,
                    name=showing.own_host(own) if own else name,
                    reachable=_reached(service, own.relay) if own else None,
                )
            case "member" | "reader" | "host_member":
                return b.Hop(party=party, name=found.name)
            case _:
                return b.Hop(party=party, name="")

    return b.RouteView(
        conversation=account_id(found.id),
        network=network,
        hops=_stationed(service, work, found.id, tuple(hop(party) for party in way.hops)),
        exposure=exposure(way, mixed=travel.chosen(work, found.id).mixed),
        facts=who_sees_what().facts,
        **_noted(service, found.id),
        **_delays(service, work, found.id),
    )


def _hop(service: Service, work: Work, contact: r.Contact, party: str, network: v.NetworkKind, *, near: bool) -> b.Hop:
    match party:
        case "me":
            return b.Hop(party=party, name=work.me.about.name)
        case "relay" | "my_relay":
            rows = sorted((row for row in work.find(r.OwnRelay) if not row.leaving), key=lambda row: row.rank)
            hosted = _their_relays(work, contact.account)
            row = next((row for row in rows if party == "relay" and row.relay in hosted), rows[0])
            return b.Hop(party=party, name=showing.own_host(row), reachable=_reached(service, row.relay))
        case "their_relay" | "swarm":
            return b.Hop(party=party, name=", ".join(sorted(set(_their_relays(work, contact.account).values()))))
        case _:
            name = showing.contact_name(contact) if party == "contact" else ""
            met = party == "contact" and network is v.NetworkKind.DIRECT
            return b.Hop(party=party, name=name, reachable=near if met else None)


def _reached(service: Service, key: bytes) -> bool | None:
    """Whether the link to this relay, or into this network, stands; None before the first attempt ended."""
    network = service.engine.network
    return network.reachable(key) or (None if network.problem(key) is None else False)


def _stationed(service: Service, work: Work, conversation: bytes, hops: tuple[b.Hop, ...]) -> tuple[b.Hop, ...]:
    """With the stations of my side by name: the entry stays, the two behind it are such as the next packet may take.
    Nothing is known of the stations on the other side."""
    network = _onion_host(work, conversation)
    if network is None or all(hop.party != "entry" for hop in hops):
        return hops
    path, swarm = service.engine.network.path_to(network, _place(work, conversation))
    names = dict(zip(_STATIONS, path, strict=False))
    found = []
    for hop in hops:
        if hop.party in _STATIONS:
            reachable = _reached(service, network.key) if hop.party == "entry" else None
            hop = msgspec.structs.replace(hop, name=names.pop(hop.party, ""), reachable=reachable)
        elif hop.party == "swarm" and swarm:
            hop = msgspec.structs.replace(hop, name=f"{hop.name}: {', '.join(swarm)}")
        found.append(hop)
    return tuple(found)


def _place(work: Work, conversation: bytes) -> bytes:
    """Of the mailbox to which something said now goes; any, where it goes to another's relay."""
    group, channel = work.get(r.GroupRow, conversation), work.get(r.ChannelRow, conversation)
    if group is not None or channel is not None:
        log = work.get(r.SharedLog, group.log if group is not None else channel.log if channel is not None else b"")
        return log.get[:PLACE_SIZE] if log is not None else bytes(PLACE_SIZE)
    peers = work.find(r.PeerDevice, where={"account": conversation})
    firsts = (ways.best_first(work, peer)[0] for peer in peers if peer.addresses)
    return next((to.put[:PLACE_SIZE] for to in firsts if isinstance(to.relay, OnionHost)), bytes(PLACE_SIZE))


def _onion_host(work: Work, conversation: bytes) -> OnionHost | None:
    """The onion network through which a conversation goes: to where it is kept, or to another's relay."""
    there = showing.hosts(work, conversation)
    found = next((host for host in there if isinstance(host, OnionHost)), None)
    if found is None and showing.network_of(work, conversation) is v.NetworkKind.FEDERATED:
        first = _first(work).link.address
        return first if isinstance(first, OnionHost) else None
    return found


def _their_relays(work: Work, account: bytes) -> dict[bytes, str]:
    return {host.key: showing.host(host) for host in showing.first_hosts(work, account)}
