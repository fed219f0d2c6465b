"""The LAN carrier keeps every carrier's promises: two of them on one interface that leads nowhere; uvloop too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from roost.network.direct.lan import LanCarrier
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice, device_host
from tests.network.direct.namespaces import inside, ip, namespace


@pytest.fixture
def interface() -> Iterator[None]:
    with namespace() as name:
        ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "nobody")
        ip("-n", name, "addr", "add", "192.0.2.1/24", "dev", "eth0")
        with inside(name):
            Path("/proc/sys/net/ipv6/conf/nobody/disable_ipv6").write_text("1")
            ip("link", "set", "nobody", "up")
            ip("link", "set", "eth0", "up")
            yield


async def make_device(who: str) -> Device:
    return Device(LanCarrier(), device_host(who))


class TestLan(CarrierConformance):
    @pytest.fixture
    def make(self, interface: None) -> MakeDevice:
        return make_device


def test_on_uvloop(interface: None) -> None:
    for promise in ("test_bytes_go_both_ways_whoever_dialled", "test_who_stopped_is_reached_again_after_a_restart"):
        uvloop.run(getattr(TestLan(), promise)(make_device))
