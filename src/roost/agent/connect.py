"""How an app gets a backend for a profile: the running agent if there is one, else the same agent in this process.

Two processes never open one profile: whoever runs a `Service` holds the profile's lock. Who asks for the passphrase is
the app's business; here it is a value or a question. Place: agent, the door for apps and the library.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from roost.agent.api.client import Client, find_agent
from roost.agent.api.endpoint import Endpoint
from roost.agent.operations import Backend
from roost.errors import CallerError, RoostError

if TYPE_CHECKING:
    from roost.agent.api.server import Extension

LOCK = "lock"  # in a profile's folder (docs/protocol/profile-format.md)
_POLL_S = 0.05

Passphrase = str | Callable[[], str] | None


@asynccontextmanager
async def open_backend(folder: Path, passphrase: Passphrase = None, *, share: bool = False) -> AsyncIterator[Backend]:
    """A backend for the profile in `folder`, closed at the end of the context.

    `passphrase` is asked for only where this process opens the profile and it needs one. `share`: this process then
    lets others in, as an agent does; for whoever holds the profile for long, such as `roost listen` or a bot.

    Raises:
        CallerError: `no_profile`, `passphrase_needed`, `wrong_passphrase`.
        SurroundingsError: `profile_busy` and whatever else keeps a profile from opening.
    """
    async with AsyncExitStack() as stack:
        yield await find_agent(folder) or await _own(stack, folder, passphrase, share=share)


async def _own(stack: AsyncExitStack, folder: Path, passphrase: Passphrase, *, share: bool) -> Backend:
    """A service in this process; or, where another process holds the profile and turns out to be an agent, that one."""
    from roost.agent.service import Service

    typed = unlock(folder, passphrase)
    agent = await _agent_in_the_way(folder)
    if agent is not None:
        return agent
    service = await stack.enter_async_context(Service.open(folder, typed))
    if share:
        from roost.agent.api.server import serve
        from roost.agent.attachments import ProfileFiles

        await stack.enter_async_context(serve(service, folder, files=ProfileFiles(service)))
    return service


async def _agent_in_the_way(folder: Path) -> Client | None:
    """Wait while another process holds the profile, up to WAIT_S. None: it is free, or was a moment ago.

    Raises SurroundingsError `profile_busy`.
    """
    from roost.store import WAIT_S, ProfileLock

    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_S
    while True:
        try:
            ProfileLock(folder / LOCK, wait_s=0).release()
        except RoostError as error:
            if error.code != "profile_busy":
                raise
            agent = await find_agent(folder)
            if agent is not None or loop.time() >= deadline:
                if agent is None:
                    raise
                return agent
        else:
            return None
        await asyncio.sleep(_POLL_S)


def is_agent(backend: Backend) -> bool:
    """Whether `backend` is a running agent, which goes on when this process ends."""
    return isinstance(backend, Client)


def profile_exists(folder: Path) -> bool:
    """Whether a profile lies in `folder`. Raises SurroundingsError where one does that this version cannot read."""
    from roost.store import ProfileFolder

    try:
        ProfileFolder.open(folder)
    except CallerError:
        return False
    return True


def protection_of(folder: Path) -> str:
    """What protects the profile in `folder`: `passphrase`, `keyring` or `none`. Raises CallerError `no_profile`."""
    from roost.store import ProfileFolder

    by = ProfileFolder.open(folder).key_file.protection
    return str(by.__struct_config__.tag)


def unlock(folder: Path, passphrase: Passphrase) -> str | None:
    """The passphrase, asked for if the profile needs one. Raises CallerError `no_profile`."""
    from roost.store import ProfileFolder

    if not ProfileFolder.open(folder).needs_passphrase:
        return None
    return passphrase() if callable(passphrase) else passphrase


@asynccontextmanager
async def run_agent(
    folder: Path, passphrase: Passphrase = None, *, version: str = "", extensions: tuple[Extension, ...] = ()
) -> AsyncIterator[Endpoint]:
    """The agent: a service that holds the connections, and the local API over it, while the context lasts.

    `extensions` add to what it serves on 127.0.0.1.

    Raises as `open_backend`, and CallerError `agent_running` where another agent serves the profile already.
    """
    from roost.agent import desktop
    from roost.agent.api.server import Loopback, serve
    from roost.agent.attachments import ProfileFiles
    from roost.agent.processes import rare_collections
    from roost.agent.service import Service

    running = CallerError("An agent runs for this profile already.", code="agent_running", hint="Stop it first.")
    if await find_agent(folder) is not None:
        raise running
    try:
        opened = Service.open(folder, unlock(folder, passphrase))
        async with AsyncExitStack() as stack:
            stack.enter_context(rare_collections())
            service = await stack.enter_async_context(opened)
            files = ProfileFiles(service)
            loopback = Loopback(version, extensions)
            await stack.enter_async_context(loopback.running())
            serving = serve(service, folder, version=version, loopback=loopback, files=files)
            endpoint = await stack.enter_async_context(serving)
            shown = desktop.notifications(service, lambda: loopback.api.watched, loopback.app_link)
            await stack.enter_async_context(shown)
            yield endpoint
    except RoostError as error:
        if error.code == "profile_busy" and await find_agent(folder) is not None:
            raise running from error
        raise
