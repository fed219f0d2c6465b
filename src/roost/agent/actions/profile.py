"""The profile itself: who I am, connections, relays, devices, protection."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost.agent import naming, showing, showing_groups, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.actions.people import CONNECT_S, fetch_card
from roost.agent.actions.registry import handles
from roost.crypto import SigningKey
from roost.errors import CallerError, SurroundingsError, Unreachable
from roost.messaging import accounts, devices, hosting, identity, mailboxes, outbox, peers
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, OnionHost, RelayAddress
from roost.wire.content import About, encode_content
from roost.wire.links import InvitationKind, parse_invitation, parse_relay_link

if TYPE_CHECKING:
    from roost.agent.engine import Engine
    from roost.agent.service import Service

STATUS_S = 3.0
WELCOME_S = 10.0
MAX_PICTURE = 65_536


# --- who, and how it stands ------------------------------------------------------------------------------------------


@handles(o.WhoAmI, unlinked=True)
async def whoami(service: Service, _: o.WhoAmI) -> v.Identity:
    return showing.identity(service.engine.look())


@handles(o.Status, unlinked=True)
async def status(service: Service, _: o.Status) -> v.StatusView:
    engine = service.engine
    with contextlib.suppress(SurroundingsError):
        await syncing.connect(engine, STATUS_S)
    work = engine.look()
    relays = tuple(_relay_state(engine, row) for row in _relays(work))
    return v.StatusView(
        connected=_connected(relays),
        waiting=syncing.waiting_messages(work),
        relays=relays,
        requests=len(work.find(r.Request, where={"state": int(r.RequestState.PENDING)})),
        unread=len(work.find(r.Message, where={"state": int(r.MessageState.RECEIVED)})),
        device_state=showing.device_state(work.me),
        notice=f"{identity.REMOVED} {identity.REMOVED_HINT}" if work.me.removed_at else "",
        near=len(engine.devices.direct.standing()) if engine.devices.direct is not None else 0,
    )


def _connected(relays: tuple[v.RelayState, ...]) -> bool:
    """Whether what people send arrives: away from home, a relay there matters only where it is the first."""
    return bool(relays) and all(relay.reachable or (relay.home and relay is not relays[0]) for relay in relays)


def _relays(work: Work) -> list[r.OwnRelay]:
    return sorted((row for row in work.find(r.OwnRelay) if not row.leaving), key=lambda row: row.rank)


def _relay_state(engine: Engine, row: r.OwnRelay) -> v.RelayState:
    problem = engine.network.problem(row.relay)
    return v.RelayState(
        link_host=showing.own_host(row),
        reachable=engine.network.reachable(row.relay),
        reason=_reason(row, problem) if problem else "",
        here=row.here,
        home=_at_home(row),
        onion=isinstance(row.link.address, OnionHost),
        problem=_problem(engine, row, problem),
    )


def _problem(engine: Engine, row: r.OwnRelay, problem: Unreachable | None) -> str:
    """The code of what is wrong; without the list of its nodes an onion network has one of its own."""
    address = row.link.address
    if problem is not None and isinstance(address, OnionHost) and not engine.network.knows_nodes(address):
        return "no_consensus"
    return problem.code if problem is not None else ""


def _reason(row: r.OwnRelay, problem: Unreachable) -> str:
    if _at_home(row) and problem.code == "not_near":
        return "It is not near, on no network that both of you use."
    return problem.message


def _at_home(row: r.OwnRelay) -> bool:
    return not row.here and isinstance(row.link.address, DeviceHost)


@handles(o.Sync, unlinked=True)
async def sync(service: Service, request: o.Sync) -> v.SyncResult:
    engine = service.engine
    was_linked = engine.look().me.linked
    received, sent = await syncing.sync(engine, request.timeout_s)
    if not was_linked and engine.look().me.linked:  # what came with the welcome has more to fetch
        more, left = await syncing.sync(engine, request.timeout_s)
        received, sent = received + more, sent + left
    return v.SyncResult(received=received, sent=sent, waiting=syncing.waiting_messages(engine.look()))


@handles(o.About)
async def about(service: Service, request: o.About) -> v.AboutView:
    engine = service.engine
    me = engine.look().me
    if request.name is not None:
        accounts.check_name(request.name)
    picture = me.about.picture if request.picture is None else _picture(request.picture)
    new = About(
        me.about.name if request.name is None else request.name,
        me.about.status if request.status is None else request.status,
        picture,
    )
    if len(new.status.encode()) > 256:
        raise CallerError("This status is too long.", code="too_long", hint="Use at most 256 bytes.")
    engine.step(_change_about, new)
    return v.AboutView(name=new.name, status=new.status, picture=bool(new.picture))


def _picture(path: str) -> bytes:
    if not path:
        return b""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_PICTURE + 1)
    except OSError as error:
        raise CallerError("The picture cannot be read.", code="no_such_file", hint="Check the path.") from error
    if len(data) > MAX_PICTURE:
        raise CallerError("The picture is too large.", code="too_large", hint=f"Use at most {MAX_PICTURE} bytes.")
    return data


def _change_about(work: Work, new: About) -> None:
    me = work.put(msgspec.structs.replace(work.me, about=new))
    own = work.need(r.Contact, me.account)
    work.put(msgspec.structs.replace(own, name=new.name))
    content = encode_content(new)
    outbox.to_mine(work, content)
    for contact in work.find(r.Contact, where={"state": int(r.ContactState.ACCEPTED)}):
        outbox.queue_all(work, contact.account, content)


@handles(o.Passphrase)
async def passphrase(service: Service, request: o.Passphrase) -> v.PassphraseChanged:
    from roost.agent.service import chosen_protection

    chosen = chosen_protection(request.new, request.protection)
    service.engine.profile.protect(chosen, request.old)
    return v.PassphraseChanged(protection=request.protection)


# --- relays ----------------------------------------------------------------------------------------------------------


@handles(o.RelaysList, unlinked=True)
async def relays_list(service: Service, _: o.RelaysList) -> tuple[v.RelayView, ...]:
    engine = service.engine
    with contextlib.suppress(SurroundingsError):
        await syncing.connect(engine, STATUS_S)
    return tuple(_relay_view(engine, row, index == 0) for index, row in enumerate(_relays(engine.look())))


def _relay_view(engine: Engine, row: r.OwnRelay, primary: bool, done: str = "") -> v.RelayView:
    work, problem = engine.look(), engine.network.problem(row.relay)
    return v.RelayView(
        host=showing.own_host(row),
        reachable=engine.network.reachable(row.relay),
        primary=primary,
        second=row in mailboxes.further_relays(work, mailboxes.primary_relay(work)),
        done=done,
        here=row.here,
        home=_at_home(row),
        onion=isinstance(row.link.address, OnionHost),
        problem=_problem(engine, row, problem),
    )


@handles(o.RelaysAdd)
async def relays_add(service: Service, request: o.RelaysAdd) -> v.RelayView:
    from roost.agent.service import check_reachable

    engine = service.engine
    link = parse_relay_link(request.link)
    address = link.address
    await check_reachable(link, engine.onion_memory)
    row = engine.step(hosting.use, link)
    engine.devices.serve()
    engine.relays_changed()
    if isinstance(address, DeviceHost):
        await engine.devices.changed()
        with contextlib.suppress(Unreachable):  # it may be met later: this device may be elsewhere now
            await engine.devices.reach(address)
    await engine.network.connected(row.relay, STATUS_S)
    primary = _relays(engine.look())[0].relay == row.relay
    return _relay_view(engine, row, primary, "added")


@handles(o.RelaysRemove)
async def relays_remove(service: Service, request: o.RelaysRemove) -> v.RelayView:
    engine = service.engine
    rows = _relays(engine.look())
    found = [row for row in rows if request.host in _names(row)]
    if any(row.here for row in found):
        raise CallerError(
            "This device is not a relay that can be left.",
            code="own_host",
            hint="It is met over its carriers: roost carriers off lan tor",
        )
    if not found:
        raise CallerError("You use no such relay.", code="unknown_relay", hint="List them: roost relays list")
    if len(found) > 1:
        raise CallerError("Several relays have this host.", code="ambiguous", hint="Name it as HOST:PORT.")
    if not _reached_without(engine.look(), found[0]):
        raise CallerError("This is your only relay.", code="last_relay", hint="Add another one first: roost relays add")

    def leave(work: Work) -> None:
        mailboxes.leave_relay(work, found[0])
        end_invitations(work, found[0].relay)
        peers.announce_all(work)

    engine.step(leave)
    engine.relays_changed()
    keeps = showing_groups.movable(engine.look(), found[0].relay)
    return msgspec.structs.replace(_relay_view(engine, found[0], False, "removed"), keeps=keeps)


def _reached_without(work: Work, left: r.OwnRelay) -> bool:
    """Whether others can still reach me when I have left this relay."""
    host = hosting.own_host(work)
    met = host is not None and bool(host.carriers)
    return any(row.relay != left.relay and (met or not row.here) for row in _relays(work))


def _names(row: r.OwnRelay) -> tuple[str, ...]:
    """What a person may call a host of theirs."""
    address = row.link.address
    named = (address.host,) if isinstance(address, RelayAddress) else ()
    return (*named, showing.host(address), showing.own_host(row))


def end_invitations(work: Work, relay: bytes) -> None:
    """Links that name a relay which one leaves stop working."""
    from roost.messaging import invitations

    for row in work.find(r.InvitationRow):
        if row.relay == relay and row.state in (r.InvitationState.OPEN, r.InvitationState.TO_PUT):
            invitations.end(work, row)


# --- devices ---------------------------------------------------------------------------------------------------------


@handles(o.DeviceLink, unlinked=True)
async def device_link(service: Service, request: o.DeviceLink) -> v.DeviceLinkView:
    engine = service.engine
    if not engine.look().me.linked:
        await syncing.connect(engine, CONNECT_S)
        row = _device_code(engine.look())
        if row.state == r.InvitationState.TO_PUT:
            await engine.outgoing.settle_invitation(row.secret)
        if request.timeout_s:
            await syncing.until(engine, lambda: engine.look().me.linked, request.timeout_s)
        else:
            await syncing.refresh(engine, STATUS_S)
    me = engine.look().me
    return v.DeviceLinkView(
        code="" if me.linked else _device_code(engine.look()).link,
        device=showing.identity(engine.look()).device,
        name=me.device_name,
        state=showing.device_state(me),
    )


def _device_code(work: Work) -> r.InvitationRow:
    rows = [
        row
        for row in work.find(r.InvitationRow)
        if row.kind == InvitationKind.DEVICE and row.state in (r.InvitationState.TO_PUT, r.InvitationState.OPEN)
    ]
    if not rows:
        raise CallerError("The code of this device has expired.", code="invitation_gone", hint="Link a new profile.")
    return rows[-1]


@handles(o.DeviceConfirm)
async def device_confirm(service: Service, request: o.DeviceConfirm) -> v.DeviceView:
    engine = service.engine
    invitation = parse_invitation(request.code)
    if invitation.kind != InvitationKind.DEVICE:
        raise CallerError(
            "This is not the code of a device.", code="not_a_device_code", hint="To add people: roost add"
        )
    key = _account_key(service, request.passphrase)
    card = await fetch_card(service, invitation)
    peer = engine.step(devices.confirm, card, key)
    engine.wake()
    await syncing.until(engine, lambda: not _unsent(engine.look(), peer), WELCOME_S)
    added = next(entry.added for entry in identity.entries(engine.look().me.devices) if entry.signing == peer.device)
    return showing.device(engine.look(), peer.device, added, "linked")


def _unsent(work: Work, peer: r.PeerDevice) -> bool:
    rows = work.find(r.Outbox, where={"account": peer.account, "device": peer.device})
    return any(row.state != r.OutboxState.STORED and not row.problem for row in rows)


def _account_key(service: Service, passphrase: str | None) -> SigningKey:
    return accounts.account_key(service.engine.look().me, service.engine.profile.account_key(passphrase))


@handles(o.DeviceList)
async def device_list(service: Service, _: o.DeviceList) -> tuple[v.DeviceView, ...]:
    work = service.engine.look()
    return tuple(showing.device(work, entry.signing, entry.added) for entry in identity.entries(work.me.devices))


@handles(o.DeviceRemove)
async def device_remove(service: Service, request: o.DeviceRemove) -> v.DeviceView:
    engine = service.engine
    work = engine.look()
    key = naming.device_key(work, request.device)
    added = next((entry.added for entry in identity.entries(work.me.devices) if entry.signing == key), 0)
    shown = showing.device(work, key, added, "removed")
    engine.step(devices.remove, key, _account_key(service, request.passphrase))
    return shown
