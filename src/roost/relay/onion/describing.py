"""A node tells the authorities where it is and which packet keys it has, each period and after each start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from roost.crypto import Label, SigningKey
from roost.errors import Refused, Unreachable
from roost.network import Link
from roost.relay.core.onion_packets import NodeKeys
from roost.relay.core.refusal import RefusedRequest
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.mailbox import PutDescriptor
from roost.wire.onion import NetworkDocument, NodeDescriptor, SignedDescriptor

_TRY_S = 10.0


def describe(
    document: NetworkDocument, own: SigningKey, address: RelayAddress, operator: str, keys: NodeKeys, period: int
) -> PutDescriptor:
    """What the node says of itself for this period."""
    descriptor = encode(NodeDescriptor(document.id, period, address, operator, keys.public(period)))
    return PutDescriptor(document.id, encode(SignedDescriptor(descriptor, own.sign(Label.ONION_NODE, descriptor))))


async def tell(
    authorities: Iterable[RelayAddress], request: PutDescriptor, dial: Callable[[RelayAddress], Awaitable[Link]]
) -> set[bytes]:
    """Tell it to these authorities at once; the keys of those that took it."""
    told = await asyncio.gather(*(_tell(address, request, dial) for address in authorities))
    return {key for key in told if key is not None}


async def _tell(
    address: RelayAddress, request: PutDescriptor, dial: Callable[[RelayAddress], Awaitable[Link]]
) -> bytes | None:
    try:
        async with asyncio.timeout(_TRY_S):
            link = await dial(address)
            try:
                await link.call(request)
            finally:
                await link.close()
    except (Unreachable, Refused, RefusedRequest, TimeoutError):
        return None
    return address.key
