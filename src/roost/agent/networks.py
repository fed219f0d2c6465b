"""Which of the four networks takes something to a host, as apps name it."""

from __future__ import annotations

from roost.agent.views import NetworkKind
from roost.messaging.records import OwnRelay
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress


def network_to(work: Work, host: HostAddress) -> NetworkKind:
    """How a request to a host travels."""
    if isinstance(host, DeviceHost):
        return NetworkKind.DIRECT
    return NetworkKind.FEDERATED if work.get(OwnRelay, host.key) is None else NetworkKind.CENTRAL
