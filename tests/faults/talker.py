"""One side of an exchange, as a process: `python -m tests.faults.talker PROFILE CONTACT COUNT [PAUSE_S]`.

Says COUNT numbered messages, some with a file, going on where an earlier process was killed, and prints `done` once all
of them are delivered and all of the other side's are here, files included. Then it stays, for the other side to end.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

from roost.agent import operations as o
from roost.agent.service import Service
from roost.messaging import records as r

FILE_EVERY = 20
AHEAD = 3  # messages that are said again after a start: their keys make it once


def text_of(number: int) -> str:
    """Different lengths: most fit one envelope, some need several."""
    return f"{number:06d} " + "x" * ((number * 7919) % 300 if number % 17 else 4_000)


def file_of(account: bytes, number: int) -> bytes:
    seed = hashlib.sha256(account + number.to_bytes(4, "big")).digest()
    return seed * (1 + (number * 2_654_435_761) % 6_000)


def mine(service: Service, account: bytes) -> list[r.Message]:
    """What `account` said, in the order in which it is kept."""
    rows = service.engine.look().find(r.Message, order="position")
    return [row for row in rows if row.author == account]


def all_here(service: Service, account: bytes, count: int) -> bool:
    """All of the other side's messages and files."""
    work = service.engine.look()
    rows = [row for row in work.find(r.Message) if row.author == account]
    remote = work.find(r.StoredFile, where={"state": int(r.FileState.REMOTE)})
    return len(rows) >= count and not remote


def all_delivered(service: Service, account: bytes, count: int) -> bool:
    rows = mine(service, account)
    done = (r.MessageState.DELIVERED, r.MessageState.READ)
    return len(rows) >= count and all(row.state in done for row in rows) and not service.engine.look().find(r.Outbox)


async def talk(profile: Path, contact: str, count: int, pause_s: float) -> None:
    async with Service.open(profile) as service:
        me = service.engine.look().me.account
        other = next(row.account for row in service.engine.look().find(r.Contact) if row.account != me)
        start = max(len(mine(service, me)) - AHEAD, 0)
        for number in range(start, count):
            files: tuple[str, ...] = ()
            if number % FILE_EVERY == FILE_EVERY - 1:
                path = profile.with_name(f"{profile.name}-{number}.bin")
                path.write_bytes(file_of(me, number))
                files = (str(path),)
            await service.call(o.Send(conversation=contact, text=text_of(number), files=files, key=str(number)))
            await asyncio.sleep(pause_s)
        while not (all_delivered(service, me, count) and all_here(service, other, count)):
            await service.engine.changed(0.25)
        print("done", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    folder, contact, count, *pause = sys.argv[1:]
    asyncio.run(talk(Path(folder), contact, int(count), float(pause[0]) if pause else 0.02))
