"""A relay at home that is reached from anywhere: an onion service in a private Tor network."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service
from roost.network.direct.carrier import Carrier, CarrierName
from roost.network.direct.memory import Air, MemoryCarrier
from roost.network.direct.tor import TorCarrier
from roost.network.direct.tor_process import read_port
from tests.agent.test_direct_people import texts, until_said
from tests.agent.test_relay_at_home import person, relays
from tests.agent.test_service import befriend
from tests.apps.processes import Process
from tests.network.direct import tor_devices
from tests.tor_network import TorNetwork, tor_network

__all__ = ["tor_network"]


async def until_reachable(service: Service) -> None:
    async with asyncio.timeout(90):
        while not (await relays(service))["home"].reachable:
            await service.engine.changed(0.5)


async def test_messages_wait_at_home_for_whoever_is_elsewhere(
    tmp_path: Path, tor_network: TorNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: CarrierName, host: object, folder: Path, *_: object) -> Carrier:
        if name is CarrierName.LAN:
            return MemoryCarrier(Air())  # nobody is on this network
        return TorCarrier(tor_devices.config(folder / "tor", tor_network), host.onion_seed)  # type: ignore[attr-defined]

    monkeypatch.setattr("roost.agent.devices.make_carrier", make)
    settings = tor_devices.config(tmp_path / "tor", tor_network)
    async with tor_devices.tor(settings):
        place = read_port(settings.port_file)
        (tmp_path / "relay.toml").write_text(f'carriers = ["tor"]\n[tor]\ncontrol = "{place}"\n')
        process = Process("relay", "--data", str(tmp_path / "home"), "--config", str(tmp_path / "relay.toml"))
        try:
            link = process.next()["link"]
            async with person(tmp_path, "Alice", link) as alice, person(tmp_path, "Bob", link) as bob:
                for service in (alice, bob):
                    await until_reachable(service)
                await befriend(alice, bob)
            async with person(tmp_path, "Alice") as alice:
                wait = {"wait": v.MessageState.SENT, "wait_timeout_s": 90}
                await alice.call(o.Send(conversation="Bob", text="from afar", **wait))  # type: ignore[arg-type]
            async with person(tmp_path, "Bob") as bob:
                await until_said(bob, "Alice", 1)
                assert await texts(bob, "Alice") == ["from afar"]
            assert process.end(within_s=8) == 0
        finally:
            process.close()
