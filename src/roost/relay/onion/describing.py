"""A node tells the authorities where it is and which packet keys it has, each period and after each start.

Its address there is an IP address, whatever its operator calls it: authorities then see which nodes lie in one place,
and clients need not ask a resolver, who would learn which nodes they enter by.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from msgspec.structs import replace

from roost.crypto import Label, SigningKey
from roost.errors import Refused, Unreachable
from roost.relay.core.forwarding import parse_ip
from roost.relay.core.onion_packets import NodeKeys
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.peers import Dial
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.mailbox import PutDescriptor
from roost.wire.onion import NetworkDocument, NodeDescriptor, SignedDescriptor

_log = logging.getLogger("roost.relay")
_TRY_S = 10.0
_RESOLVE_S = 5.0


async def located(address: RelayAddress) -> RelayAddress:
    """Where the relay that is met at `address` lies: the same, with a name looked up. Of several IP addresses the one
    that most reach, and each time the same. Raises Unreachable."""
    if parse_ip(address.host) is not None:
        return address
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise _nowhere(address.host) from error
    known = {ip for entry in found if (ip := parse_ip(str(entry[4][0]))) is not None and not ip.is_link_local}
    if not known:
        raise _nowhere(address.host)
    best = min(known, key=lambda ip: (ip.is_loopback, not ip.is_global, ip.version, int(ip)))
    return replace(address, host=str(best))


def _nowhere(host: str) -> Unreachable:
    return Unreachable(f"The name {host} leads to no IP address.")


class Describing:
    """One node's word to the authorities of its network: `begin` a period, then `tell` until they were `told`."""

    def __init__(
        self,
        document: NetworkDocument,
        own: SigningKey,
        address: RelayAddress,
        operator: str,
        keys: NodeKeys,
        dial: Dial,
    ) -> None:
        self._document = document
        self._own = own
        self._address = address
        self._operator = operator
        self._keys = keys
        self._dial = dial
        self._period = -1
        self._told: set[bytes] = set()
        self._problems: dict[str, str] = {}  # of whom, and what
        self._located: RelayAddress | None = None

    def begin(self, period: int) -> None:
        self._period = period
        self._told.clear()

    @property
    def told(self) -> bool:
        return all(one.key in self._told for one in self._document.authorities)

    async def tell(self) -> None:
        """Tell those who do not know yet. What is in the way is said in the log, once."""
        try:
            address = await located(self._address)
        except Unreachable as error:
            self._problem("here", error.message)
            return
        self._problem("here", "")
        if address != self._located:
            _log.info("node of the onion network, to be met at %s", address.endpoint)
            self._located = address
        request = describe(self._document, self._own, address, self._operator, self._keys, self._period)
        untold = [one.address for one in self._document.authorities if one.key not in self._told]
        await asyncio.gather(*(self._tell(authority, request) for authority in untold))

    async def _tell(self, authority: RelayAddress, request: PutDescriptor) -> None:
        try:
            async with asyncio.timeout(_TRY_S):
                link = await self._dial(authority)
                try:
                    await link.call(request)
                finally:
                    await link.close()
        except Refused as error:
            self._problem(authority.endpoint, f"the authority at {authority.endpoint} does not take it: {error.code}")
        except (Unreachable, RefusedRequest, TimeoutError):
            return
        else:
            self._told.add(authority.key)
            self._problem(authority.endpoint, "")

    def _problem(self, whose: str, what: str) -> None:
        if what and self._problems.get(whose) != what:
            _log.warning("this node is not described to its network: %s", what)
        self._problems[whose] = what


def describe(
    document: NetworkDocument, own: SigningKey, address: RelayAddress, operator: str, keys: NodeKeys, period: int
) -> PutDescriptor:
    """What the node says of itself for this period."""
    descriptor = encode(NodeDescriptor(document.id, period, address, operator, keys.public(period)))
    return PutDescriptor(document.id, encode(SignedDescriptor(descriptor, own.sign(Label.ONION_NODE, descriptor))))
