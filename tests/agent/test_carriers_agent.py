"""The carriers of a profile: made as it says, the same onion service whoever asks, off with a reason where they cannot
be used."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest

from roost.agent import direct as d
from roost.agent import events as e
from roost.agent import operations as o
from roost.agent.carriers import FOLDER, make_carrier, reach_of
from roost.agent.service import Service, create_profile
from roost.crypto import AgreementSecret
from roost.errors import CallerError, SurroundingsError
from roost.messaging import hosting
from roost.messaging.records import OwnHost, OwnRelay
from roost.network.direct.carrier import CarrierName
from roost.network.direct.making import Reach
from roost.network.direct.tor import TorCarrier
from roost.network.entropy import SYSTEM_ENTROPY
from roost.wire.addresses import DeviceHost
from tests.agent.test_direct_people import Near, near, person
from tests.agent.test_service import befriend, following

__all__ = ["near"]


def host(*carriers: str) -> OwnHost:
    secret = AgreementSecret.generate(SYSTEM_ENTROPY).to_bytes()
    return OwnHost(0, secret, SYSTEM_ENTROPY.bytes(32), "", carriers)


async def test_the_onion_that_cards_name_is_the_one_that_tor_serves(tmp_path: Path) -> None:
    own = host("tor")
    carrier = make_carrier(CarrierName.TOR, own, tmp_path, SYSTEM_ENTROPY, Reach())
    assert isinstance(carrier, TorCarrier)
    assert carrier.onion == hosting.onion_of(own)


@pytest.mark.parametrize("name", CarrierName)
async def test_every_carrier_can_be_made_and_is_off(tmp_path: Path, name: CarrierName) -> None:
    carrier = make_carrier(name, host(name.value), tmp_path, SYSTEM_ENTROPY, Reach())
    assert carrier.name is name
    assert not carrier.state.ready
    assert carrier.state.why
    assert not (tmp_path / FOLDER).exists()


async def test_what_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "roost.network.direct.lan", None)
    await create_profile(tmp_path / "alice", "Alice", None, None, "none", ("lan",))
    async with Service.open(tmp_path / "alice") as alice:
        (lan, *_) = await alice.call(d.Carriers())
    assert (lan.on, lan.ready) == (True, False)
    assert "installed" in lan.why
    assert "pip install" in lan.hint
    with pytest.raises(SurroundingsError):
        make_carrier(CarrierName.LAN, host("lan"), tmp_path, SYSTEM_ENTROPY, Reach())


async def test_carriers_turned_on_and_off_make_and_stop_them(tmp_path: Path, near: Near) -> None:
    await create_profile(tmp_path / "alice", "Alice", None, None, "none", ("lan",))
    async with Service.open(tmp_path / "alice") as alice:
        assert (await alice.call(d.Carriers()))[0].ready
        with pytest.raises(CallerError) as last:
            await alice.call(d.CarriersTurn(carriers=(d.CarrierKind.LAN,), on=False))
        assert last.value.code == "last_carrier"
        assert near.air.carriers
        shown = await alice.call(d.CarriersTurn(carriers=(d.CarrierKind.LAN,), on=False, sure=True))
        assert not any(each.on or each.ready for each in shown)
        assert not near.air.carriers
        (status,) = (await alice.call(o.Status())).relays
        assert (status.here, status.reachable) == (True, True)
        with pytest.raises(CallerError) as address:
            await alice.call(d.CarriersTurn(carriers=(d.CarrierKind.INTERNET, d.CarrierKind.LAN), on=True))
        assert address.value.code == "shows_address"
        assert not near.air.carriers
        await alice.call(d.CarriersTurn(carriers=(d.CarrierKind.LAN,), on=True))
        assert near.air.carriers


async def test_tor_in_cards_follows_the_carrier(tmp_path: Path, near: Near) -> None:
    await create_profile(tmp_path / "alice", "Alice", None, None, "none", ("lan",))
    async with Service.open(tmp_path / "alice") as alice:
        engine = alice.engine

        def onion() -> bytes:
            (row,) = engine.look().find(OwnRelay)
            assert isinstance(row.link.address, DeviceHost)
            return row.link.address.onion

        assert onion() == b""
        engine.step(hosting.turn, "tor", True)
        own = hosting.own_host(engine.look())
        assert own is not None
        assert onion() == hosting.onion_of(own)
        engine.step(hosting.turn, "tor", False)
        assert onion() == b""


async def test_settings_of_carriers_are_kept_and_checked(tmp_path: Path, near: Near) -> None:
    await create_profile(tmp_path / "alice", "Alice", None, None, "none", ("lan",))
    async with Service.open(tmp_path / "alice") as alice:
        await alice.call(d.CarriersSet(bridges=("192.0.2.1:443",), password="hunter2"))
        for wrong in (d.CarriersSet(bridges=("a\nb",)), d.CarriersSet(password="a\rb"), d.CarriersSet(adapter="\x00")):
            with pytest.raises(CallerError) as refused:
                await alice.call(wrong)
            assert refused.value.code == "bad_setting"
    async with Service.open(tmp_path / "alice") as alice:
        shown = await alice.call(d.CarriersSet())
        assert (shown.bridges, shown.has_password) == (("192.0.2.1:443",), True)
        assert reach_of(alice.engine.look()).password == "hunter2"
        assert "hunter2" not in repr(shown)


async def test_who_is_in_reach_is_told_and_shown(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice, person(tmp_path, "Bob") as bob:
        await befriend(alice, bob)
        (shown,) = await alice.call(o.Contacts())
        assert shown.near == "lan"
        assert (await alice.call(o.Status())).near == 1
        async with aclosing(alice.events()) as events:
            near.of["Bob"].reachable(False)
            gone = await following(events, e.NearEvent)
            assert (gone.name, gone.carrier) == ("Bob", "")
            near.of["Bob"].reachable(True)
            back = await following(events, e.NearEvent, lambda event: bool(event.carrier))
            assert (back.contact, back.carrier) == (shown.contact, "lan")
            await bob.call(d.CarriersTurn(carriers=(d.CarrierKind.LAN,), on=False, sure=True))
            away = await following(events, e.NearEvent)
            assert away.carrier == ""
        (shown,) = await alice.call(o.Contacts())
        assert shown.near == ""
