"""What a relay's memory costs: an idle connection with its subscribed mailbox, and a mailbox more on one connection."""

from __future__ import annotations

import asyncio
import resource
import time

from benchmarks.load import Keys, built
from benchmarks.measure import Clock, Result
from benchmarks.processes import RunningRelay, memory, relay
from roost.network import connect_relay

LINKS = 5_000
MAILBOXES = 4_000  # below what one connection may subscribe to
_SETTLED_S = 2.0
_FILES = LINKS + 200


def run(_clock: Clock) -> list[Result]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES:
        raise RuntimeError(f"{LINKS} connections need {_FILES} open files (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, hard))  # children have it too
    with built() as load, relay() as running:
        asyncio.run(_mailboxes(running, 8))  # whatever is loaded once
        before = _settled(running)
        with load.idle(running.address.port, LINKS, 60.0):
            connection = (_settled(running) - before) / LINKS
    with relay() as running:
        mailbox = asyncio.run(_mailboxes(running, MAILBOXES))
    return [
        Result("an idle connection with a subscribed mailbox", connection / 1024, "KiB"),
        Result("a subscribed mailbox more", mailbox, "bytes"),
    ]


def _settled(running: RunningRelay) -> int:
    time.sleep(_SETTLED_S)
    return memory(running.pid)


async def _mailboxes(running: RunningRelay, count: int) -> float:
    """Bytes for each of so many mailboxes that one connection makes and subscribes to."""
    link = await connect_relay(running.address)
    before = 0
    for number in range(2 * count):
        if number == count:
            before = _settled(running)
        keys = Keys()
        await link.call(keys.create())
        if number >= count:
            await link.subscribe(keys.get, 0, lambda _number, _envelope: None)
    found = _settled(running) - before
    await link.close()
    return found / count
