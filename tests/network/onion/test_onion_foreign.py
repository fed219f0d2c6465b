"""Networks that others name: anybody can make one up, and its nodes learn who calls them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from roost.errors import Unreachable
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import BackoffPolicy, Network
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.mailbox import Put
from roost.wire.sizes import ENVELOPE_SIZE

CALL = Put(bytes(32), bytes(ENVELOPE_SIZE))


@asynccontextmanager
async def made_up() -> AsyncIterator[tuple[OnionHost, asyncio.Event]]:
    """A network whose directory is said to be at a listener, and whether somebody called there."""
    called = asyncio.Event()
    server = await asyncio.start_server(lambda _, writer: (called.set(), writer.close())[0], "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield OnionHost(b"n" * 32, (RelayAddress("127.0.0.1", port, b"k" * 32),)), called


async def test_nobody_calls_a_network_that_others_name() -> None:
    async with made_up() as (host, called), Network(ENTROPY, lambda *_: None) as network:
        with pytest.raises(Unreachable) as refused:
            await network.call(host, CALL)
        assert refused.value.code == "foreign_network"
        with pytest.raises(Unreachable):
            network.subscribe(host, bytes(32), lambda: 0, lambda *_: None)
        await asyncio.sleep(0.3)
        assert not called.is_set()


async def test_a_network_that_the_person_enters_is_called_until_they_leave_it() -> None:
    entered = {b"n" * 32}
    network = Network(ENTROPY, lambda *_: None, entered=entered.__contains__, backoff=BackoffPolicy(0.02, 0.1))
    async with made_up() as (host, called), network:
        asking = asyncio.create_task(network.call(host, CALL))
        async with asyncio.timeout(20):
            await called.wait()
        network.leave_networks()
        called.clear()
        await asyncio.wait_for(called.wait(), 20)  # it is still one of the person's
        entered.clear()
        network.leave_networks()
        with pytest.raises(Unreachable):
            await asking
        await asyncio.sleep(0.1)
        called.clear()
        await asyncio.sleep(0.5)
        assert not called.is_set()
        with pytest.raises(Unreachable) as refused:
            await network.call(host, CALL)
        assert refused.value.code == "foreign_network"
