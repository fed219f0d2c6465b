"""Two people talk while agents and relay are killed at random; afterwards everything is there, once, in order.

python -m tests.faults.exchange --messages 2000 [--seed 7] [--federated]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from roost.crypto import AttachmentKey
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.store import FileRef
from tests.faults.people import Child, befriend, make_profile, opened, texts
from tests.faults.talker import FILE_EVERY, file_of, text_of
from tests.network.relay_process import RelayProcess

LEAST_KILLS = 2  # however slow the machine is


@dataclass
class Report:
    """What happened."""

    seconds: float
    kills: int


async def exchange(
    folder: Path, messages: int, seed: int, *, federated: bool = False, patience_s: float = 30
) -> Report:
    """Run it. Raises AssertionError when anything is missing, double or out of order."""
    began = time.monotonic()
    async with _relays(folder, 2 if federated else 1) as relays:
        alice = await make_profile(folder / "alice", "Alice", str(relays[0].link))
        bob = await make_profile(folder / "bob", "Bob", str(relays[-1].link))
        async with opened(alice, bob) as (one, other):
            await befriend(one, other)
        talkers = [
            Child("tests.faults.talker", str(alice), "Bob", str(messages)),
            Child("tests.faults.talker", str(bob), "Alice", str(messages)),
        ]
        try:
            for talker in talkers:
                await talker.start()
            kills = await _torment(talkers, relays, random.Random(seed), messages)
            for talker in talkers:
                with contextlib.suppress(TimeoutError):
                    assert await talker.line(patience_s + messages / 20) == "done"
        finally:
            for talker in talkers:
                await talker.kill()
        async with opened(alice, bob) as (one, other):
            for service in (one, other):
                _check(service, messages)
    return Report(time.monotonic() - began, kills)


@contextlib.asynccontextmanager
async def _relays(folder: Path, count: int) -> AsyncIterator[list[RelayProcess]]:
    relays = [RelayProcess(folder / f"relay{number}") for number in range(count)]
    try:
        for relay in relays:
            await relay.start()
        yield relays
    finally:
        for relay in relays:
            await relay.close()


async def _torment(talkers: list[Child], relays: list[RelayProcess], chance: random.Random, messages: int) -> int:
    """Kill somebody now and then, until about as much time is over as the messages take, and at least twice."""
    ends, kills = time.monotonic() + 4 + messages * 0.04, 0
    while time.monotonic() < ends or kills < LEAST_KILLS:
        await asyncio.sleep(chance.uniform(0.4, 1.6))
        victim = chance.choice([*talkers, *talkers, *relays])
        if isinstance(victim, Child) and chance.random() < 0.25:  # a slow consumer: it stands still for a while
            await victim.pause(chance.uniform(0.5, 3))
            continue
        await victim.kill() if isinstance(victim, Child) else await victim.close()
        kills += 1
        await asyncio.sleep(chance.choice([0, 0, 0.5]))
        await victim.start()
    return kills


def _check(service: object, messages: int) -> None:
    work = service.engine.look()  # type: ignore[attr-defined]
    me = work.me.account
    (other,) = [row.account for row in work.find(r.Contact) if row.account != me]
    for author in (me, other):
        found = [text.split("\n")[0] for text in texts(service, author)]  # type: ignore[arg-type]
        waits = [_waits(work, row) for row in work.find(r.Outbox)]
        wanted = [text_of(number).strip() for number in range(messages)]
        assert found == wanted, (author == me, [text[:6] for text in found], waits, _sessions(work))
    waits = [_waits(work, row) for row in work.find(r.Outbox)]
    assert not waits, waits
    said = [row for row in work.find(r.Message, order="position") if row.author == other]
    for number in range(FILE_EVERY - 1, messages, FILE_EVERY):
        (row,) = work.find(r.StoredFile, where={"message": said[number].id})
        assert row.state == r.FileState.COMPLETE, r.FileState(row.state).name
        ref = FileRef(row.file, AttachmentKey(row.file_key), row.size)
        files = service.engine.profile.files  # type: ignore[attr-defined]
        assert b"".join(files.blob(ref, index) for index in range(ref.blobs)) == file_of(other, number)


def _sessions(work: Work) -> list[tuple[object, ...]]:
    """How far every session has come."""
    return [
        (row.id.hex()[:4], row.next_number, row.acked, row.received, row.highest, work.find(r.Stash, limit=9) != [])
        for row in work.find(r.SessionRow)
    ]


def _waits(work: Work, row: r.Outbox) -> tuple[object, ...]:
    """What an entry that should be gone waits for."""
    session = work.get(r.SessionRow, row.session)
    frames = (row.first, len(row.envelopes), session and (session.acked, session.next_number, session.confirmed))
    return (r.OutboxState(row.state).name, row.attempts, row.problem, row.next_at - work.now, frames)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--federated", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(exchange(Path(folder), given.messages, given.seed, federated=given.federated))
    print(f"{2 * given.messages} messages, {report.kills} kills, {report.seconds:.0f} s: all there, once, in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
