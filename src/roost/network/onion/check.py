"""The self-test of an onion network, as a client sees it: its directory, a way in, a mailbox behind three hops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from roost.crypto import Entropy, capability_hash
from roost.errors import Unreachable
from roost.network.dial import Connect
from roost.network.onion.keeper import OnionKeeper
from roost.network.subscription import Subscription
from roost.wire.links import RelayLink
from roost.wire.mailbox import Create, Delete, Grant, MailboxKind, Put, Request, Response, Right, Trim
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE, PLACE_SIZE

STEP_S = 30.0

T = TypeVar("T")


async def check_network(link: RelayLink, entropy: Entropy, connect: Connect, steps_ms: dict[str, float]) -> int:
    """Test the network behind `link` with a mailbox of one's own, which is deleted again; `steps_ms` gets how long each
    step took: directory, entry, create, subscribe, put, deliver, trim, delete. Returns how many nodes the network has.

    Raises:
        Unreachable, Refused, PeerError: what stopped the test.
    """
    keeper = OnionKeeper(link, connect, entropy, lambda *_: None)
    keeper.start()
    try:
        consensus = await _timed(steps_ms, "directory", keeper.directory.renew())
        await _timed(steps_ms, "entry", keeper.standing())
        await _check_mailbox(keeper, entropy, steps_ms)
        return len(consensus.nodes)
    finally:
        await keeper.close()


async def _check_mailbox(keeper: OnionKeeper, entropy: Entropy, steps_ms: dict[str, float]) -> None:
    place = entropy.bytes(PLACE_SIZE)
    admin, get, put = (place + entropy.bytes(CAPABILITY_SIZE - PLACE_SIZE) for _ in range(3))
    rights = ((admin, Right.ADMIN), (get, Right.GET), (put, Right.PUT))
    grants = tuple(Grant(capability_hash(capability), right) for capability, right in rights)
    envelope = entropy.bytes(ENVELOPE_SIZE)
    arrived: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def deliver(number: int, delivered: bytes) -> None:
        if delivered == envelope and not arrived.done():
            arrived.set_result(number)

    async def ask(step: str, request: Request) -> Response:
        return await _timed(steps_ms, step, keeper.call(request))

    await ask("create", Create(MailboxKind.ORDINARY, grants, place=place))
    try:
        subscription = Subscription(get, lambda: 0, deliver, keeper.unsubscribe)
        keeper.subscribe(subscription)
        await _timed(steps_ms, "subscribe", subscription.caught_up.wait())
        began = time.perf_counter()
        await ask("put", Put(put, envelope))
        number = await _timed({}, "deliver", arrived)
        steps_ms["deliver"] = (time.perf_counter() - began) * 1000
        await ask("trim", Trim(admin, number))
    finally:
        await ask("delete", Delete(admin))


async def _timed(steps_ms: dict[str, float], step: str, work: Awaitable[T]) -> T:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(STEP_S):
            result = await work
    except TimeoutError as error:
        hint = "Try again; if it stays so, ask those who run the network."
        raise Unreachable(f"The network did not answer: {step}.", hint=hint) from error
    steps_ms[step] = (time.perf_counter() - began) * 1000
    return result
