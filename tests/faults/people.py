"""Relays and profiles for the tests of faults: real processes for what is killed, this process for the rest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from roost.agent import operations as o
from roost.agent.service import Service, create_profile
from roost.messaging import records as r

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 20.0


class Child:
    """A Python module as a process, to be killed and started again."""

    def __init__(self, *command: str, **variables: str) -> None:
        self._command = (sys.executable, "-m", *command)
        self._variables = variables
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> asyncio.subprocess.Process:
        environment = {**os.environ, **self._variables}
        self.process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
        )
        return self.process

    async def line(self, within_s: float = WITHIN_S) -> str:
        """Its next line; empty when it ended."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            return (await self.process.stdout.readline()).decode().strip()

    async def pause(self, seconds: float) -> None:
        """It stands still, with its connections open, and goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
        if self.process is not None:
            await self.process.wait()
            self.process._transport.close()  # type: ignore[attr-defined]
            self.process = None


async def make_profile(folder: Path, name: str, link: str) -> Path:
    await create_profile(folder, name, link, None, "none")
    return folder


@contextlib.asynccontextmanager
async def opened(*folders: Path) -> AsyncIterator[tuple[Service, ...]]:
    async with contextlib.AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(Service.open(folder)) for folder in folders])


async def until(service: Service, reached: object, within_s: float = WITHIN_S) -> None:
    """Wait until `reached()` is true of the profile."""
    assert callable(reached)
    async with asyncio.timeout(within_s):
        while not reached():
            await service.engine.changed(0.1)


async def befriend(inviter: Service, asker: Service) -> None:
    """Make the owners of two profiles contacts of each other."""
    link = (await inviter.call(o.Invite())).link
    await asker.call(o.Add(link=link, greeting="hello"))
    async with asyncio.timeout(WITHIN_S):
        while not (waiting := await inviter.call(o.Requests())):
            await inviter.engine.changed(0.1)
    await inviter.call(o.Accept(id=waiting[0].id))
    await until(asker, lambda: accepted(asker) and not asker.engine.look().find(r.Outbox))
    await until(inviter, lambda: not inviter.engine.look().find(r.Outbox))


def accepted(service: Service) -> list[r.Contact]:
    return service.engine.look().find(r.Contact, where={"state": int(r.ContactState.ACCEPTED)})


def texts(service: Service, author: bytes | None = None) -> list[str]:
    rows = service.engine.look().find(r.Message, order="position")
    return [row.text for row in rows if author is None or row.author == author]


async def say(service: Service, to: str, text: str, **more: object) -> str:
    return (await service.call(o.Send(conversation=to, text=text, **more))).id  # type: ignore[arg-type]
