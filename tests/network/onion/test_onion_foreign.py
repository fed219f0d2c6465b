"""Networks that others name: anybody can make one up, and its nodes learn who calls them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from roost.errors import Unreachable
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Network
from roost.network.onion.memory import Forgetful
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


async def test_a_network_into_which_the_person_goes_is_called_after_a_restart_too() -> None:
    memory = Forgetful()
    async with Network(ENTROPY, lambda *_: None, memory=memory) as network:
        network.accept(OnionHost(b"n" * 32, (RelayAddress("127.0.0.1", 1, b"k" * 32),)))
    async with made_up() as (host, called), Network(ENTROPY, lambda *_: None, memory=memory) as network:
        asking = asyncio.create_task(network.call(host, CALL))
        async with asyncio.timeout(20):
            await called.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
