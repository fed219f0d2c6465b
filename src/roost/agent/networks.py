"""Which of the four networks takes something to a host, as apps name it."""

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
