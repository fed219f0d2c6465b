"""Which of the four networks takes something to a host, and what a relay is called, as apps name them."""

from __future__ import annotations

from roost.agent.views import NetworkKind
from roost.messaging.records import OwnRelay
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress


def network_to(work: Work, host: HostAddress) -> NetworkKind:
    """How a request to a host travels: a relay of one's own, at home too, sees both sides."""
    relay = work.get(OwnRelay, host.key)
    if relay is not None and not relay.here:
        return NetworkKind.CENTRAL
    return NetworkKind.DIRECT if isinstance(host, DeviceHost) else NetworkKind.FEDERATED


def relay_name(address: HostAddress) -> str:
    """A relay on a screen: HOST:PORT, or a few characters of the key of one at home."""
    return f"home-{address.key[:4].hex()}" if isinstance(address, DeviceHost) else address.endpoint
