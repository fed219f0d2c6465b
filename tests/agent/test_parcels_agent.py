"""Parcels between real profiles: in files that somebody carries, and with a contact who meets both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from roost.agent import direct as d
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service
from roost.errors import CallerError
from roost.messaging import parcels
from roost.messaging.records import CarriedParcel, Outbox
from roost.network.direct.link import PeerLink
from roost.wire.codec import encode
from roost.wire.parcels import HandParcel, OfferParcels, Parcel, ParcelHead, TookParcels, WantParcels
from tests.agent.test_direct_people import Near, near, person, texts, until_said
from tests.agent.test_service import befriend

__all__ = ["near"]


async def is_delivered(service: Service, id: str) -> None:
    async with asyncio.timeout(20):
        while not (await service.call(o.Show(id=id))).state.reached(v.MessageState.DELIVERED):  # noqa: ASYNC110 - another profile writes it
            await asyncio.sleep(0.05)


async def until(wanted: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not wanted():  # noqa: ASYNC110 - another profile writes it
            await asyncio.sleep(0.02)


# --- files -----------------------------------------------------------------------------------------------------------


async def test_a_file_carries_messages_there_and_the_acknowledgement_back(tmp_path: Path, near: Near) -> None:
    picture = tmp_path / "picture.bin"
    picture.write_bytes(bytes(range(256)) * 600)
    there, back = str(tmp_path / "there"), str(tmp_path / "back")
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        near.of["Bob"].reachable(False)
        await alice.call(o.Send(conversation="Bob", text="in a file"))
        sent = await alice.call(o.Send(conversation="Bob", text="with", files=(str(picture),)))
        exported = await alice.call(d.CarryExport(to=there))
        assert exported.mine == exported.parcels > 2
        assert exported.size > picture.stat().st_size

        imported = await bob.call(d.CarryImport(path=there))
        assert (imported.mine, imported.kept, imported.lost) == (exported.parcels, 0, 0)
        await until_said(bob, "Alice", 2)
        assert await texts(bob, "Alice") == ["in a file", "with"]
        saved = await bob.call(o.Save(id=sent.id, to=str(tmp_path / "saved")))
        assert (tmp_path / "saved").read_bytes() == picture.read_bytes()
        assert saved.size == 256 * 600
        again = await bob.call(d.CarryImport(path=there))
        assert (again.mine, again.dropped) == (0, exported.parcels)

        await bob.call(d.CarryExport(to=back, contact="Alice"))
        await alice.call(d.CarryImport(path=back))
        await is_delivered(alice, sent.id)


async def test_what_cannot_be_a_file_of_parcels_is_refused(tmp_path: Path, near: Near) -> None:
    (tmp_path / "other").write_bytes(b"something else" * 1_000)
    async with person(tmp_path, "Alice") as alice:
        for path, code in (("other", "not_a_parcel_file"), ("missing", "no_such_file"), ("", "not_a_file")):
            with pytest.raises(CallerError) as refused:
                await alice.call(d.CarryImport(path=str(tmp_path / path)))
            assert refused.value.code == code
        with pytest.raises(CallerError) as exists:
            await alice.call(d.CarryExport(to=str(tmp_path / "other")))
        assert exists.value.code == "file_exists"
        empty = await alice.call(d.CarryExport(to=str(tmp_path / "other"), replace=True))
        assert empty.parcels == 0
        assert (await alice.call(d.CarryImport(path=empty.path))).mine == 0


# --- a courier -------------------------------------------------------------------------------------------------------


async def test_a_courier_who_meets_both_brings_it_and_the_answer(tmp_path: Path, near: Near) -> None:
    async with (
        person(tmp_path, "Alice") as alice,
        person(tmp_path, "Bob") as bob,
        person(tmp_path, "Carol") as carol,
    ):
        await befriend(alice, bob)
        await befriend(alice, carol)
        await befriend(bob, carol)
        shown = await carol.call(d.CourierSet(carries=True, hops=1))
        assert (shown.carries, shown.hops) == (True, 1)
        for writer in (alice, bob):
            await writer.call(d.CourierSet(uses=True))
            await until(partial(_knows_courier, writer))

        near.of["Bob"].reachable(False)
        sent = await alice.call(o.Send(conversation="Bob", text="by Carol"))
        await until(lambda: _offered(alice) and _carried(carol))
        assert (await alice.call(o.Show(id=sent.id))).state == v.MessageState.QUEUED

        near.of["Alice"].reachable(False)
        near.of["Bob"].reachable(True)
        await until_said(bob, "Alice", 1)
        assert await texts(bob, "Alice") == ["by Carol"]
        await until(lambda: _offered(bob) and _carried(carol))

        near.of["Bob"].reachable(False)
        near.of["Alice"].reachable(True)
        await is_delivered(alice, sent.id)


def _knows_courier(service: Service) -> bool:
    return bool(parcels.carriers(service.engine.look()))


def _offered(service: Service) -> bool:
    """What otherwise happens once a minute."""
    service.engine.devices.parcels.hurry()
    return True


def _carried(service: Service) -> bool:
    return bool(service.engine.look().find(CarriedParcel))


def _tried(service: Service) -> bool:
    return any(row.attempts for row in service.engine.look().find(Outbox))


async def test_who_carries_nothing_is_given_nothing(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob, person(tmp_path, "Carol") as carol:
        await befriend(alice, bob)
        await befriend(alice, carol)
        near.of["Bob"].reachable(False)
        await alice.call(d.CourierSet(uses=True))
        await alice.call(o.Send(conversation="Bob", text="not by Carol"))
        await until(lambda: _tried(alice))
        _offered(alice)
        await alice.call(o.Send(conversation="Carol", text="to Carol", wait=v.MessageState.DELIVERED))
        assert not _carried(carol)


# --- who does not keep to the rules ----------------------------------------------------------------------------------

_HEAD = ParcelHead(bytes(32), large=False, hops=1, expires=60_000)
_PARCEL = Parcel(1, 60_000, bytes(5_120))
BREACHES = {
    "wants what was not offered": (WantParcels((bytes(16),), ()),),
    "hands over what was not wanted": (HandParcel(_PARCEL),),
    "took what it was not given": (TookParcels((bytes(16),)),),
    "offers twice at once": (OfferParcels((_HEAD,)), OfferParcels((_HEAD,))),
}


@pytest.mark.parametrize("breach", [*BREACHES, "says what is nothing"])
async def test_who_breaks_the_rules_loses_the_link(tmp_path: Path, near: Near, breach: str) -> None:
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        (link,) = _links(bob)
        held = _links(alice)
        for message in BREACHES.get(breach, ()):
            link.say(encode(message))
        if breach not in BREACHES:
            link.say(b"\xc1nothing")
        async with asyncio.timeout(10):
            await held[0].ended()
        await alice.call(o.Send(conversation="Bob", text="all the same", wait=v.MessageState.DELIVERED))


def _links(service: Service) -> list[PeerLink]:
    assert service.engine.devices.direct is not None
    return service.engine.devices.direct.standing()
