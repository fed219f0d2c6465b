"""Where packets may be forwarded to (DESIGN section 6, Routes): to relays on the internet, not into
the operator's network.

A client names a host and a port; without this rule it could make the relay connect to anything that only the relay can
reach. The check is of the resolved address, and the connection goes to exactly that one.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence

from roost.relay.core.limits import Limits, TokenBucket
from roost.relay.core.refusal import RefusedRequest
from roost.wire.mailbox import RefusalCode

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_DESTINATIONS = 4_096  # paces that are remembered
_EMBEDDING = (  # IPv6 that a gateway turns into IPv4, whatever that is
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("64:ff9b:1::/48"),
    ipaddress.ip_network("2002::/16"),
    ipaddress.ip_network("2001::/32"),
)


class ForwardPolicy:
    """`allowed` are networks that the operator lists; `own` is the address on which the relay itself listens."""

    def __init__(self, allowed: Sequence[IpNetwork], own: str, limits: Limits) -> None:
        self._allowed = tuple(allowed)
        self._loopback = is_loopback(own)
        self._limits = limits
        self._paces: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def choose(self, resolved: Sequence[str]) -> str:
        """The first of the resolved addresses that may be connected to. Raises RefusedRequest: bad_destination."""
        for text in resolved:
            if self._may(parse_ip(text)):
                return text
        raise RefusedRequest(RefusalCode.BAD_DESTINATION)

    def pace(self, destination: bytes, now: float) -> None:
        """One more packet to the relay with this key. Raises RefusedRequest: slow_down."""
        bucket = self._paces.get(destination)
        if bucket is None:
            bucket = TokenBucket(self._limits.forwards_per_second, self._limits.forward_burst, now)
            self._paces[destination] = bucket
            if len(self._paces) > _DESTINATIONS:
                self._paces.popitem(last=False)
        self._paces.move_to_end(destination)
        wait_ms = bucket.take(1.0, now)
        if wait_ms:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=wait_ms)

    def _may(self, address: IpAddress | None) -> bool:
        if address is None:
            return False
        if any(address in network for network in self._allowed if network.version == address.version):
            return True
        if address.is_loopback:  # a relay that itself listens on loopback can only be a test or a demo
            return self._loopback
        if address.version == 6 and any(address in network for network in _EMBEDDING):
            return False
        return address.is_global and not address.is_multicast and not address.is_unspecified


def is_loopback(host: str) -> bool:
    address = parse_ip(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def parse_ip(text: str) -> IpAddress | None:
    """None for a name. An IPv4 address inside IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
