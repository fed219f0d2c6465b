"""Acknowledgements that do not get through, and the envelopes for others that go with them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from roost.agent import outgoing
from roost.messaging import records as r
from tests.faults.people import befriend, make_profile, opened, say, texts, until
from tests.network.relay_process import relay_process


async def test_an_acknowledgement_that_hangs_brings_no_flood_of_cover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is due again while it is on its way to a relay that stands still. Once for each time that it leaves, not for
    each moment that it is due, the others of its circle get an envelope too."""
    monkeypatch.setattr(outgoing, "ACK_RETRY_MS", 500)
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(relay_process(tmp_path / "home"))
        away = await stack.enter_async_context(relay_process(tmp_path / "away"))
        folders = [
            await make_profile(tmp_path / name, name, str(relay.link))
            for name, relay in (("Ann", home), ("Bob", away), ("Cy", home))
        ]
        ann, bob, cy = await stack.enter_async_context(opened(*folders))
        await befriend(ann, bob)
        await befriend(ann, cy)
        account = cy.engine.look().me.account

        def cover() -> int:
            """Envelopes for Cy that carried nothing."""
            return sum(row.unheard for row in ann.engine.look().find(r.SessionRow, where={"account": account}))

        await until(ann, lambda: all(row.acknowledge_at == r.NEVER for row in ann.engine.look().find(r.SessionRow)))
        before = cover()
        await say(bob, "Ann", "hello")
        await until(ann, lambda: "hello" in texts(ann))
        away.signal(signal.SIGSTOP)
        try:
            await until(ann, lambda: cover() > before)
            await asyncio.sleep(3)
            assert cover() - before <= 2
        finally:
            away.signal(signal.SIGCONT)
        await until(bob, lambda: not bob.engine.look().find(r.Outbox))
