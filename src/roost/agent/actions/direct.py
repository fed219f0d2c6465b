"""Talking from device to device: carriers, people nearby, couriers, and files of parcels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost.agent import direct as d
from roost.agent import naming, parcel_files, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.actions import people
from roost.agent.actions.registry import handles
from roost.agent.carriers import check_reach, reach_of, set_reach
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import hosting, parcels
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network.direct.carrier import CarrierName
from roost.network.direct.making import Reach

if TYPE_CHECKING:
    from roost.agent.engine import Engine
    from roost.agent.service import Service

FETCH_S = 3.0
SETTLE_S = 1.0  # in which a carrier that needs nothing of others is ready
_SHOWS = {
    CarrierName.LAN: "People in the same network see that somebody uses Roost there; contacts in it see this device's "
    "address in it.",
    CarrierName.BLUETOOTH: "People within some metres see that somebody uses Roost there.",
    CarrierName.INTERNET: "Contacts learn this device's address on the internet, and with it roughly where it is.",
    CarrierName.TOR: "Nobody learns where this device is; your connection shows that you use Tor.",
}
_CONCERNS = {
    CarrierName.TOR: ("bridges", "control", "password"),
    CarrierName.BLUETOOTH: ("adapter",),
    CarrierName.INTERNET: ("port", "external"),
}


# --- carriers --------------------------------------------------------------------------------------------------------


@handles(d.Carriers, unlinked=True)
async def carriers(service: Service, _: d.Carriers) -> tuple[d.CarrierView, ...]:
    await syncing.until(service.engine, service.engine.devices.settled, SETTLE_S)
    return _carriers(service.engine)


def _carriers(engine: Engine) -> tuple[d.CarrierView, ...]:
    host = hosting.own_host(engine.look())
    on = set(host.carriers) if host is not None else set()
    states = engine.devices.states()
    links = [link.carrier for link in engine.devices.direct.standing()] if engine.devices.direct is not None else []
    shown = []
    for name in CarrierName:
        state = states.get(name)
        if name not in on:
            why, hint = "It is turned off.", f"Turn it on: roost carriers on {name.value}"
        elif state is None:
            why, hint = "It is starting.", ""
        else:
            why, hint = state.why, state.hint
        shown.append(
            d.CarrierView(
                carrier=d.CarrierKind(name.value),
                on=name in on,
                ready=name in on and state is not None and state.ready,
                why=why,
                hint=hint,
                shows=_SHOWS[name],
                links=links.count(name),
            )
        )
    return tuple(shown)


@handles(d.CarriersTurn, unlinked=True)
async def carriers_turn(service: Service, request: d.CarriersTurn) -> tuple[d.CarrierView, ...]:
    engine = service.engine
    work = engine.look()
    host = hosting.own_host(work)
    before = set(host.carriers) if host is not None else set()
    named = {kind.value for kind in request.carriers}
    if not request.sure:
        _check_turn(work, before, named, on=request.on)

    def turn(work: Work) -> None:
        for name in sorted(named):
            hosting.turn(work, name, request.on)

    if (before | named if request.on else before - named) != before:
        engine.step(turn)
    await engine.devices.changed()
    await syncing.until(engine, engine.devices.settled, SETTLE_S)
    return _carriers(engine)


def _check_turn(work: Work, before: set[str], named: set[str], *, on: bool) -> None:
    """Raises CallerError where the person should know more first."""
    if on and CarrierName.INTERNET in named - before:
        raise CallerError(
            "Over the internet your contacts learn this device's address, and with it roughly where you are.",
            code="shows_address",
            hint="If that is all right: roost carriers on internet --yes",
        )
    elsewhere = any(not row.here and not row.leaving for row in work.find(r.OwnRelay))
    if not on and before and not before - named and not elsewhere:
        raise CallerError(
            "Nobody could reach you any more: this profile has no relay, and these are its last carriers.",
            code="last_carrier",
            hint="To be out of reach for a while: roost carriers off … --yes",
        )


@handles(d.CarriersSet, unlinked=True)
async def carriers_set(service: Service, request: d.CarriersSet) -> d.CarrierSettings:
    engine = service.engine
    before = reach_of(engine.look())
    wanted = {name: value for name in Reach.__struct_fields__ if (value := getattr(request, name)) is not None}
    reach = msgspec.structs.replace(before, **wanted)
    check_reach(reach)
    if reach != before:
        engine.step(set_reach, reach)
        for carrier, fields in _CONCERNS.items():
            if any(getattr(reach, name) != getattr(before, name) for name in fields):
                await engine.devices.anew(carrier)
    return d.CarrierSettings(
        bridges=reach.bridges,
        control=reach.control,
        has_password=bool(reach.password),
        adapter=reach.adapter,
        port=reach.port,
        external=reach.external,
    )


# --- people nearby ---------------------------------------------------------------------------------------------------


@handles(d.Nearby)
async def nearby(service: Service, request: d.Nearby) -> d.NearbyView:
    return await service.nearby.ask(request.show)


@handles(d.NearbyAdd)
async def nearby_add(service: Service, request: d.NearbyAdd) -> v.AddedContact:
    found = await service.nearby.find(request.name, request.timeout_s)
    added = await people.add(service, o.Add(link=found.link, greeting=request.greeting))
    return msgspec.structs.replace(added, name=added.name or found.name, compare=True)


# --- couriers --------------------------------------------------------------------------------------------------------


@handles(d.Courier)
async def courier(service: Service, _: d.Courier) -> d.CourierView:
    work = service.engine.look()
    settings = parcels.settings_of(work)
    held = work.find(r.CarriedParcel)
    return d.CourierView(
        carries=settings.carries,
        uses=settings.carries if settings.uses is None else settings.uses,
        hops=settings.hops,
        days=settings.days,
        size=settings.total,
        share=settings.share,
        rate=settings.daily,
        parcels=len(held),
        bytes=sum(row.size for row in held),
        couriers=tuple(sorted(account_id(account) for account in parcels.carriers(work) if account != work.me.account)),
    )


@handles(d.CourierSet)
async def courier_set(service: Service, request: d.CourierSet) -> d.CourierView:
    wanted = {
        "carries": request.carries,
        "uses": request.uses,
        "hops": request.hops,
        "days": request.days,
        "total": request.size,
        "share": request.share,
        "daily": request.rate,
    }
    given = {name: value for name, value in wanted.items() if value is not None}

    def change(work: Work) -> None:
        parcels.change_settings(work, msgspec.structs.replace(parcels.settings_of(work), **given))

    service.engine.step(change)
    return await courier(service, d.Courier())


# --- files of parcels ------------------------------------------------------------------------------------------------


@handles(d.CarryExport)
async def carry_export(service: Service, request: d.CarryExport) -> d.CarryExported:
    account = naming.contact(service.engine.look(), request.contact).account if request.contact else b""
    return await parcel_files.write(
        service.engine, Path(request.to), account, with_files=request.files, replace=request.replace
    )


@handles(d.CarryImport)
async def carry_import(service: Service, request: d.CarryImport) -> d.CarryImported:
    done = await parcel_files.read(service.engine, Path(request.path))
    if done.mine:
        await syncing.refresh(service.engine, FETCH_S)
    return done
