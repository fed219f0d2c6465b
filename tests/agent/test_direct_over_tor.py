"""Two people with no server who meet over Tor alone, in a private Tor network of real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roost.agent import browsing as b
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service, create_profile
from roost.messaging.records import OwnHost
from roost.network.direct.carrier import CarrierName
from roost.network.direct.tor import TorCarrier
from tests.agent.test_service import befriend
from tests.network.direct.tor_devices import config
from tests.tor_network import TorNetwork, tor_network

__all__ = ["tor_network"]
READY_S = 60.0


@pytest.mark.timeout(180)
async def test_two_people_become_contacts_and_talk_over_tor(
    tmp_path: Path,
    tor_network: TorNetwork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def over_tor(name: CarrierName, host: OwnHost, folder: Path, *_: object) -> TorCarrier:
        assert name is CarrierName.TOR
        return TorCarrier(config(folder / "tor", tor_network), host.onion_seed)

    monkeypatch.setattr("roost.agent.devices.make_carrier", over_tor)
    for name in ("Alice", "Bob"):
        await create_profile(tmp_path / name, name, None, None, "none", ("tor",))
    async with Service.open(tmp_path / "Alice") as alice, Service.open(tmp_path / "Bob") as bob:
        await ready(alice)
        await ready(bob)
        await befriend(alice, bob)
        await alice.call(b.Floor(conversation="Bob", network=v.NetworkKind.ONION))
        sent = await alice.call(
            o.Send(conversation="Bob", text="nobody sees where", wait=v.MessageState.DELIVERED, wait_timeout_s=60)
        )
        assert sent.state == v.MessageState.DELIVERED
        (read,) = (await bob.call(o.Read(conversation="Alice"))).messages
        assert (read.text, read.network) == ("nobody sees where", v.NetworkKind.DIRECT)
        assert {link.carrier for link in alice.engine.network.direct.standing()} == {CarrierName.TOR}


async def ready(service: Service) -> None:
    async with asyncio.timeout(READY_S):
        while not (service.engine.devices.states() and service.engine.devices.settled()):  # noqa: ASYNC110 - tor does
            await asyncio.sleep(0.2)
