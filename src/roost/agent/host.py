"""An agent that is there before its profile is: for the web app, which makes a profile, unlocks and locks it.

The server on 127.0.0.1 stays while the profile opens and closes; the Unix socket and agent.json are there only while
it is open, so that commands find an agent exactly when one serves. Place: agent; apps start it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from roost.agent import desktop
from roost.agent.api.client import find_agent
from roost.agent.api.guard import refusal
from roost.agent.api.server import Extension, Loopback, serve
from roost.agent.attachments import ProfileFiles
from roost.agent.connect import profile_exists, protection_of
from roost.agent.direct import CarrierKind
from roost.agent.local_relay import LocalRelay
from roost.errors import CallerError, RoostError

if TYPE_CHECKING:
    from roost.agent.service import Service

NO_PROFILE, LOCKED, OPEN, ENDING = "none", "locked", "open", "ending"
_ENDING_TURNS, _ENDING_PAUSE_S = 40, 0.1
RELAY_FOLDER = "relay"  # beside the profile, where the app starts a relay on this machine


class HostState(msgspec.Struct, frozen=True):
    """`state`: none, locked, open, or ending (the program is). `protection`: passphrase, keyring or none; empty without
    a profile."""

    state: str
    protection: str = ""
    folder: str = ""
    keyring: bool = False


class Creation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new profile is made of. `relay` empty: start a relay on this machine; None: use none. With `carriers` the
    device keeps mailboxes itself, and is met on these."""

    name: str
    relay: str | None = ""
    protection: str = "passphrase"
    passphrase: str | None = None
    carriers: tuple[CarrierKind, ...] = ()


class Unlocking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    passphrase: str | None = None


class AgentHost:
    """One profile's folder, and the agent over it while it is open. Also an Extension of the local API."""

    public: frozenset[str] = frozenset()

    def __init__(self, folder: Path, *, version: str = "", extensions: tuple[Extension, ...] = ()) -> None:
        self.folder = folder
        self._version = version
        self.loopback = Loopback(version, (self, *extensions))
        self._life: asyncio.Task[None] | None = None
        self._close = asyncio.Event()
        self._turn = asyncio.Lock()
        self._relay: LocalRelay | None = None
        self._ending = False
        self.service: Service | None = None  # while the profile is open

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AgentHost]:
        async with self.loopback.running():
            try:
                yield self
            finally:
                self._ending = True
                await self.lock()
                if self._relay is not None:
                    await self._relay.stop()

    def app_link(self) -> str:
        """An address of the web app that works once."""
        return self.loopback.app_link()

    @property
    def state(self) -> HostState:
        if not profile_exists(self.folder):
            return HostState(NO_PROFILE, "", str(self.folder), _keyring_works())
        opened = self._life is not None and not self._life.done()
        state = ENDING if self._ending else OPEN if opened else LOCKED
        return HostState(state, protection_of(self.folder), str(self.folder), _keyring_works())

    # --- what changes it ----------------------------------------------------------------------------------------------

    async def open_if_possible(self, passphrase: str | None = None) -> None:
        """Open a profile that needs no passphrase, or whose passphrase is at hand. Raises as `unlock`."""
        if profile_exists(self.folder) and (passphrase or protection_of(self.folder) != "passphrase"):
            await self.unlock(passphrase)

    async def unlock(self, passphrase: str | None = None) -> None:
        """Open the profile and serve it.

        Raises:
            CallerError: `no_profile`, `passphrase_needed`, `wrong_passphrase`, `agent_running`.
            SurroundingsError: `profile_busy` and whatever else keeps a profile from opening.
        """
        async with self._turn:
            if self._life is not None and not self._life.done():
                return
            if await _another_agent(self.folder):
                raise CallerError(
                    "An agent runs for this profile already.", code="agent_running", hint="Stop it first."
                )
            await self._start_own_relay()
            opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._close = asyncio.Event()
            self._life = asyncio.create_task(self._live(passphrase, opened))
            await opened

    async def _live(self, passphrase: str | None, opened: asyncio.Future[None]) -> None:
        """The open profile's own task: what it enters, it leaves."""
        from roost.agent.service import Service

        try:
            async with (
                Service.open(self.folder, passphrase) as service,
                serve(service, self.folder, version=self._version, loopback=self.loopback, files=ProfileFiles(service)),
                desktop.notifications(service, lambda: self.loopback.api.watched, self.loopback.app_link),
            ):
                self._sweep()
                self.service = service
                opened.set_result(None)
                await self._close.wait()
                self.service = None  # nobody begins anything any more while it closes
                self._sweep()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)
        finally:
            self.service = None

    def _sweep(self) -> None:
        shutil.rmtree(self.folder / "uploads", ignore_errors=True)

    async def lock(self) -> None:
        """Close the profile: its key is forgotten, and what arrives waits at the relay."""
        async with self._turn:
            life, self._life = self._life, None
            self._close.set()
            if life is not None:
                with suppress(RoostError):
                    await life

    async def create(self, wanted: Creation) -> None:
        """Make a profile and open it. Raises as `service.create_profile`."""
        from roost.agent.service import create_profile

        carriers = tuple(kind.value for kind in wanted.carriers)
        if wanted.relay is None and not carriers:
            raise CallerError("A profile needs a relay, or a carrier.", code="no_relay", hint="Choose one of them.")
        link = None if wanted.relay is None else wanted.relay.strip() or await self._own_relay_link()
        await create_profile(self.folder, wanted.name.strip(), link, wanted.passphrase, wanted.protection, carriers)
        await self.unlock(wanted.passphrase)

    # --- a relay on this machine --------------------------------------------------------------------------------------

    async def _own_relay_link(self) -> str:
        if self._relay is None:
            self._relay = LocalRelay(self._relay_folder)
        return await self._relay.start()

    async def _start_own_relay(self) -> None:
        if self._relay is None and self._relay_folder.is_dir():
            self._relay = LocalRelay(self._relay_folder)
            with suppress(RoostError):
                await self._relay.start()

    @property
    def _relay_folder(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-{RELAY_FOLDER}")

    # --- over the API -------------------------------------------------------------------------------------------------

    def add_routes(self, application: web.Application) -> None:
        application.router.add_post("/v1/profile", self._show)
        application.router.add_post("/v1/profile-create", self._create)
        application.router.add_post("/v1/profile-unlock", self._unlock)
        application.router.add_post("/v1/profile-lock", self._lock)

    async def _show(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self.state), content_type="application/json")

    async def _create(self, request: web.Request) -> web.Response:
        try:
            await self.create(msgspec.json.decode(await request.read(), type=Creation))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return refusal(CallerError(f"The request does not fit: {error}"))
        except RoostError as error:
            return refusal(error)
        return await self._show(request)

    async def _unlock(self, request: web.Request) -> web.Response:
        try:
            await self.unlock(msgspec.json.decode(await request.read() or b"{}", type=Unlocking).passphrase)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return refusal(CallerError(f"The request does not fit: {error}"))
        except RoostError as error:
            return refusal(error)
        return await self._show(request)

    async def _lock(self, request: web.Request) -> web.Response:
        await self.lock()
        return await self._show(request)


async def _another_agent(folder: Path) -> bool:
    """Whether another agent serves this profile, and goes on doing so: one that is just ending is waited for."""
    for _ in range(_ENDING_TURNS):
        if await find_agent(folder) is None:
            return False
        await asyncio.sleep(_ENDING_PAUSE_S)
    return True


def _keyring_works() -> bool:
    """Whether the system's keyring keeps anything: offered only then."""
    import keyring
    from keyring.backends import fail, null

    return not isinstance(keyring.get_keyring(), (fail.Keyring, null.Keyring))
