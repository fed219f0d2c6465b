"""A file at another relay, while one's own does not lead there."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

from roost.agent import groups as g
from roost.agent import operations as o
from roost.messaging import records as r
from tests.faults.people import accepted, befriend, make_profile, opened, until
from tests.network.relay_process import RelayProcess, relay_process

SIZE = 24 * 1024**2


async def test_a_file_waits_while_ones_own_relay_does_not_forward(tmp_path: Path) -> None:
    """Its operator has changed the secret that lets people in, and changes it back: the file is not given up."""
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(relay_process(tmp_path / "home"))
        away = await stack.enter_async_context(relay_process(tmp_path / "away"))
        ann = await make_profile(tmp_path / "ann", "Ann", str(away.link))
        bob = await make_profile(tmp_path / "bob", "Bob", str(home.link))
        at_ann, at_bob = await stack.enter_async_context(opened(ann, bob))
        await befriend(at_ann, at_bob)
        assert accepted(at_bob)
        await at_ann.call(g.GroupCreate(title="Trip", members=("Bob",), wait_timeout_s=60))
        path = tmp_path / "map.bin"
        path.write_bytes(random.Random(1).randbytes(SIZE))
        told: list[r.Event] = []
        at_bob.engine.listen(told.append)
        sent = await at_ann.call(o.Send(conversation="Trip", text="the map", files=(str(path),)))
        await until(at_bob, lambda: any(event.kind == "transfer" for event in told), 60)
        await _restart(home, "another secret")
        at_bob.engine.network.retry_now()
        await until(at_bob, lambda: any("not_admitted" in event.detail for event in told), 60)
        (file,) = at_bob.engine.look().find(r.StoredFile)
        assert file.state == r.FileState.REMOTE
        await _restart(home, "secret")
        at_bob.engine.network.retry_now()
        async with asyncio.timeout(60):
            await at_bob.call(o.Save(id=sent.id, to=str(tmp_path / "saved")))
        assert (tmp_path / "saved").read_bytes() == path.read_bytes()


async def _restart(relay: RelayProcess, access: str) -> None:
    await relay.close()
    relay.access = access
    await relay.start()
