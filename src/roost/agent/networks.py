"""Which of the four networks takes something to a host, and what a relay is called, as apps name them."""

from __future__ import annotations

from roost.agent.views import NetworkKind
from roost.crypto import capability_place
from roost.messaging import travel
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress, OnionHost
from roost.wire.travel import Network

KINDS = {
    Network.CENTRAL: NetworkKind.CENTRAL,
    Network.FEDERATED: NetworkKind.FEDERATED,
    Network.ONION: NetworkKind.ONION,
    Network.DIRECT: NetworkKind.DIRECT,
}


def network_to(work: Work, host: HostAddress) -> NetworkKind:
    """How a request to a host travels."""
    return KINDS[travel.network_to(work, host)]


def place_at(host: HostAddress, capability: bytes) -> bytes:
    """What a request that makes a mailbox says of its place: something only to an onion network."""
    return capability_place(capability) if isinstance(host, OnionHost) else b""


def relay_name(address: HostAddress) -> str:
    """A relay on a screen: HOST:PORT, or a few characters of the key of one at home or of an onion network."""
    return f"home-{address.key[:4].hex()}" if isinstance(address, DeviceHost) else address.endpoint
