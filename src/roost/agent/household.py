"""A person's profiles side by side: `roost`, `roost-2`, `roost-3`… in one folder, each with a host and a port.

One process serves as many of them as were opened in the app; each is another origin to the browser, so a page of one
profile holds no key to another's. Going from one to another is a link that works once. Place: agent; apps start it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from aiohttp import web

from roost.agent.api.client import find_agent
from roost.agent.api.endpoint import read_endpoint
from roost.agent.api.guard import refusal
from roost.agent.api.http import post
from roost.agent.api.server import Extension
from roost.agent.connect import profile_exists
from roost.agent.host import LOCKED, NO_PROFILE, OPEN, AgentHost
from roost.agent.operations import Backend, Status, WhoAmI
from roost.errors import CallerError, RoostError, SurroundingsError

_OK = 200
_NUMBERED = re.compile(r"(.+?)(?:-(\d{1,3}))?")
MAX_PROFILES = 99


class ProfileView(msgspec.Struct, frozen=True):
    """A profile as the switcher shows it. `id` is its folder's name; `name` and `unread` are known while it is open."""

    id: str
    number: int
    state: str  # none (being made), locked or open
    current: bool
    name: str = ""
    unread: int = 0


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class Household:
    """The hosts of one person's profiles; `first` is the one that the process was started for."""

    def __init__(self, first: Path, *, version: str = "", extensions: tuple[Extension, ...] = ()) -> None:
        self._first = first
        self._version = version
        self._extensions = extensions
        self._hosts: dict[Path, AgentHost] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AgentHost]:
        """The first profile's host. All that were opened end with the context."""
        try:
            yield await self._host(self._first)
        finally:
            self._stop.set()
            await asyncio.gather(*self._tasks)

    async def _host(self, folder: Path) -> AgentHost:
        async with self._turn:
            if folder not in self._hosts:
                doors = (*self._extensions, _Door(self, folder))
                host = AgentHost(folder, version=self._version, extensions=doors)
                ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._tasks.append(asyncio.create_task(self._live(host, ready)))
                await ready
                self._hosts[folder] = host
            return self._hosts[folder]

    async def _live(self, host: AgentHost, ready: asyncio.Future[None]) -> None:
        async with host.running():
            ready.set_result(None)
            await self._stop.wait()

    # --- which there are ----------------------------------------------------------------------------------------------

    def _folder(self, number: int) -> Path:
        stem, _ = _parts(self._first)
        return self._first.with_name(stem if number == 1 else f"{stem}-{number}")

    def _folders(self) -> dict[int, Path]:
        """The profiles that exist, and those being made, by number."""
        stem, _ = _parts(self._first)
        found = {*self._hosts}
        if self._first.parent.is_dir():
            found |= {path for path in self._first.parent.iterdir() if _parts(path)[0] == stem and _exists(path)}
        return {_parts(path)[1]: path for path in sorted(found)}

    async def profiles(self, current: Path) -> list[ProfileView]:
        rows = [await self._view(number, folder, current) for number, folder in sorted(self._folders().items())]
        return [row for row in rows if row.state != NO_PROFILE or row.current]

    async def _view(self, number: int, folder: Path, current: Path) -> ProfileView:
        host = self._hosts.get(folder)
        backend: Backend | None = host.service if host is not None else await find_agent(folder)
        state = OPEN if backend is not None else LOCKED if _exists(folder) else NO_PROFILE
        name, unread = "", 0
        if backend is not None:
            with suppress(RoostError):
                name = (await backend.call(WhoAmI())).name
                unread = (await backend.call(Status())).unread
        return ProfileView(folder.name, number, state, folder == current, name, unread)

    # --- going there --------------------------------------------------------------------------------------------------

    async def link_to(self, id: str) -> str:
        """An address of a profile's app that works once; its host is started where none runs.

        Raises CallerError `unknown_profile`, and whatever keeps a profile from opening.
        """
        folder = next((folder for folder in self._folders().values() if folder.name == id), None)
        if folder is None:
            raise CallerError("There is no such profile.", code="unknown_profile")
        if folder not in self._hosts:
            elsewhere = await running_app(folder)
            if elsewhere is not None:
                return elsewhere
        host = await self._host(folder)
        await host.open_if_possible()
        return host.app_link()

    async def link_to_new(self) -> str:
        """An address where a further profile is made. Raises CallerError `too_many`."""
        taken = self._folders()
        for number in range(1, MAX_PROFILES + 1):
            folder = self._folder(number)
            if number not in taken and not folder.exists():
                return (await self._host(folder)).app_link()
        raise CallerError("There are too many profiles.", code="too_many")


def _parts(folder: Path) -> tuple[str, int]:
    """The stem that a person's profiles share, and the number behind it."""
    match = _NUMBERED.fullmatch(folder.name)
    if match is None:
        return folder.name, 1
    return match[1], int(match[2] or 1)


def _exists(folder: Path) -> bool:
    try:
        return profile_exists(folder)
    except RoostError:  # one that this version cannot read: its own app says so
        return True


class _Door:
    """What one profile's page may ask of the others: which there are, and an address that works once."""

    public: frozenset[str] = frozenset()

    def __init__(self, household: Household, folder: Path) -> None:
        self._household = household
        self._folder = folder

    def add_routes(self, application: web.Application) -> None:
        application.router.add_post("/v1/profiles", self._list)
        application.router.add_post("/v1/profile-open", self._open)
        application.router.add_post("/v1/profile-new", self._new)

    async def _list(self, _: web.Request) -> web.Response:
        rows = await self._household.profiles(self._folder)
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    async def _open(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Opening)
            return web.json_response({"url": await self._household.link_to(wanted.id)})
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return refusal(CallerError(f"The request does not fit: {error}"))
        except RoostError as error:
            return refusal(error)

    async def _new(self, _: web.Request) -> web.Response:
        try:
            return web.json_response({"url": await self._household.link_to_new()})
        except RoostError as error:
            return refusal(error)


async def running_app(folder: Path) -> str | None:
    """An address of the web app that the running agent of this profile serves, or None where none runs."""
    if await find_agent(folder) is None:
        return None
    endpoint = read_endpoint(folder)
    if endpoint is None:
        return None
    status, body = await post(endpoint.socket, "app-link", b"{}")
    if status != _OK:
        raise SurroundingsError("The running agent does not serve the app.", code="agent_version", hint="Restart it.")
    return str(json.loads(body)["url"])
