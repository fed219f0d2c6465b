"""A file whose upload was cut off goes on by itself: what was said after it waits behind it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from roost.agent import transfers
from roost.messaging import records as r
from tests.faults.people import befriend, make_profile, opened, say, texts, until
from tests.network.relay_process import RelayProcess


async def test_an_upload_that_was_cut_off_goes_on_without_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "RETRY_MS", 1_500)
    relay = RelayProcess(tmp_path / "relay")
    await relay.start()
    try:
        alice = await make_profile(tmp_path / "alice", "Alice", str(relay.link))
        bob = await make_profile(tmp_path / "bob", "Bob", str(relay.link))
        path = tmp_path / "file.bin"
        path.write_bytes(bytes(200_000))
        async with opened(alice, bob) as (one, other):
            await befriend(one, other)
            await relay.stop(signal.SIGKILL)
            await say(one, "Bob", "a file", files=(str(path),))
            await say(one, "Bob", "and a word")
            await asyncio.sleep(0.5)  # the upload has failed at least once
            await relay.start()
            for service in (one, other):
                service.engine.network.retry_now()
            await until(other, lambda: [text.split("\n")[0] for text in texts(other)] == ["a file", "and a word"], 30)
            await until(one, lambda: not one.engine.look().find(r.Outbox), 30)
    finally:
        await relay.close()
