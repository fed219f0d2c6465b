"""The agent in this process: a `Backend` over one open profile. Apps use it directly, or through the local API.

It finds the handler of each operation (agent.actions), opens and closes the profile, and turns what happened into
events.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from roost.agent import showing, showing_events, syncing
from roost.agent import views as v
from roost.agent.actions import HANDLERS
from roost.agent.engine import Engine
from roost.agent.events import Event
from roost.agent.nearby import Neighbourhood
from roost.agent.onion_memory import NewMemory
from roost.agent.operations import Request
from roost.errors import CallerError, RoostError, SurroundingsError
from roost.messaging import accounts, devices
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network import SYSTEM_ENTROPY, Network
from roost.network.onion.memory import OnionMemory
from roost.store import Keyring, Passphrase, Profile, ProfileFolder, Protection, Unprotected
from roost.wire.addresses import DeviceHost, OnionHost
from roost.wire.links import MalformedLink, RelayLink, parse_relay_link

R = TypeVar("R")

HEARD = "heard"
HEARD_WITHIN_S = 0.5
CLOSE_WITHIN_S = 5.0
REACH_WITHIN_S = 10.0


class Service:
    """Backend for one profile; use `Service.open`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.nearby = Neighbourhood(engine)
        self.wrap_key: bytes | None = None  # kept only while a device waits to be linked
        self._heard_timer: asyncio.TimerHandle | None = None
        self._heard = 0  # up to this event; written down with some delay, so a listener may hear one twice

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, passphrase: str | None = None) -> AsyncIterator[Service]:
        """Open the profile in `folder`, connect, and close it in the end after sending what can be sent at once.

        Raises:
            CallerError: `no_profile`, `passphrase_needed`, `wrong_passphrase`.
            SurroundingsError: `profile_busy`, `profile_too_new`, `profile_damaged` and the like.
        """
        profile = await asyncio.to_thread(ProfileFolder.open(folder).unlock, SYSTEM_ENTROPY, passphrase)
        with contextlib.closing(profile):
            engine = Engine(profile, SYSTEM_ENTROPY)
            service = cls(engine)
            service._keep_account_key(passphrase)
            async with engine.running():
                try:
                    yield service
                finally:
                    service._write_heard()
                    await service.nearby.close()
                    await syncing.flush(engine, CLOSE_WITHIN_S)

    def _keep_account_key(self, passphrase: str | None) -> None:
        """A device that was welcomed holds the account key unwrapped: wrap it as soon as the passphrase is at hand."""
        me = self.engine.look().me
        if not me.wrapped:
            self.wrap_key = self.engine.profile.account_key(passphrase)
        if me.linked:
            self._wrap()
        else:
            self.engine.listen(lambda event: self._wrap() if event.kind == "linked" else None)

    def _wrap(self) -> None:
        me = self.engine.look().me
        if not me.wrapped and me.account_secret and self.wrap_key is not None:
            self.engine.step(accounts.rewrap, accounts.account_key(me, None), self.wrap_key)
            self.wrap_key = None

    async def call(self, request: Request[R], /) -> R:
        """Carry out one operation. Raises RoostError."""
        handler = HANDLERS[type(request)]
        if not handler.unlinked and not self.engine.look().me.linked:
            await syncing.refresh(self.engine, REACH_WITHIN_S)
            if not self.engine.look().me.linked:
                raise CallerError(
                    "This device is not linked yet.",
                    code="not_linked",
                    hint="On a device that you have: roost device link --confirm CODE",
                )
        result: R = await handler.run(self, request)
        return result

    # --- events -------------------------------------------------------------------------------------------------------

    def events(self, *, from_now: bool = True) -> AsyncIterator[Event]:
        """What happens, for ever. `from_now` False: first what listeners have not heard yet."""
        queue: asyncio.Queue[r.Event] = asyncio.Queue()
        if not from_now:
            work = self.engine.look()
            heard = work.get(r.Setting, HEARD)
            after = int.from_bytes(heard.value, "big") if heard else 0
            for row in work.find(r.EventRow, order="number"):
                if row.number > after:
                    queue.put_nowait(r.Event(row.kind, row.subject, row.account, row.detail, row.number))
        stop = self.engine.listen(queue.put_nowait)
        return self._iterate(queue, stop, remember=not from_now)

    async def _iterate(
        self, queue: asyncio.Queue[r.Event], stop: Callable[[], None], *, remember: bool
    ) -> AsyncIterator[Event]:
        try:
            while True:
                happened = await queue.get()
                shown = showing_events.event(self.engine.look(), happened)
                if shown is not None:
                    yield shown
                if remember and happened.number:
                    self._remember_heard(happened.number)
        finally:
            stop()
            self._write_heard()

    def _remember_heard(self, number: int) -> None:
        if number > self._heard:
            if not self._heard_timer:
                self._heard_timer = asyncio.get_running_loop().call_later(HEARD_WITHIN_S, self._write_heard)
            self._heard = number

    def _write_heard(self) -> None:
        if self._heard_timer:
            self._heard_timer.cancel()
            self._heard_timer = None
            try:
                self.engine.step(_hear, self._heard)
            except RoostError as error:  # a full disk: the events come again
                self.engine.trouble(error)


def _hear(work: Work, number: int) -> None:
    """Listeners have heard everything up to this event."""
    held = work.get(r.Setting, HEARD)
    if held is None or int.from_bytes(held.value, "big") < number:
        work.put(r.Setting(HEARD, number.to_bytes(8, "big")))


# --- making profiles -------------------------------------------------------------------------------------------------


async def create_profile(
    path: Path,
    name: str,
    relay_link: str | None,
    passphrase: str | None = None,
    protection: str = "passphrase",
    carriers: tuple[str, ...] = (),
    network_links: tuple[str, ...] = (),
) -> v.Identity:
    """Make an account with this device as its first one, keeping its mailboxes at the relay of `relay_link` and on the
    onion networks of `network_links`; without any, on this device itself, which contacts then meet on `carriers`.

    Raises:
        CallerError: `malformed_link`, `bad_name`, `profile_exists`, `folder_not_empty`, `empty_passphrase`.
        SurroundingsError: the relay cannot be reached, or the profile cannot be written.
    """
    accounts.check_name(name)
    learned = NewMemory()
    relay, networks = await _reached(relay_link, network_links, learned)
    with contextlib.closing(_begin(path, passphrase, protection)) as profile:
        wrap_key = profile.account_key(passphrase)
        engine = Engine(profile, SYSTEM_ENTROPY)
        engine.step(accounts.create, name, relay, device_name(), wrap_key, carriers, networks)
        engine.step(learned.keep)
        profile.finish()
        return showing.identity(engine.look())


async def link_device(
    path: Path,
    name: str | None,
    relay_link: str | None,
    passphrase: str | None = None,
    protection: str = "passphrase",
    carriers: tuple[str, ...] = (),
    network_links: tuple[str, ...] = (),
) -> v.DeviceLinkView:
    """A device that waits to be linked: makes its profile, or takes one that has no contacts, and returns its code.

    Raises as `create_profile`, and CallerError `profile_in_use` for a profile that has contacts.
    """
    from roost.agent.operations import DeviceLink

    if _has_profile(path):
        async with Service.open(path, passphrase) as service:
            me = service.engine.look().me
            if me.linked:
                service.engine.step(devices.become_waiting, name or me.device_name)
                service.wrap_key = service.engine.profile.account_key(passphrase)
                service.engine.relays_changed()
            return await service.call(DeviceLink())
    if relay_link is None and not carriers and not network_links:
        raise CallerError(
            "A new device needs a relay.", code="no_relay", hint="Give one with --relay LINK, or go without: --direct."
        )
    learned = NewMemory()
    relay, networks = await _reached(relay_link, network_links, learned)
    with contextlib.closing(_begin(path, passphrase, protection)) as profile:
        engine = Engine(profile, SYSTEM_ENTROPY)
        engine.step(accounts.create_waiting, relay, name or device_name(), carriers, networks)
        engine.step(learned.keep)
        profile.finish()
    async with Service.open(path, passphrase) as service:
        return await service.call(DeviceLink())


def _begin(path: Path, passphrase: str | None, protection: str) -> Profile:
    return ProfileFolder.create(path, chosen_protection(passphrase, protection), SYSTEM_ENTROPY)


def _has_profile(path: Path) -> bool:
    try:
        ProfileFolder.open(path)
    except CallerError:
        return False
    return True


def chosen_protection(passphrase: str | None, protection: str) -> Protection:
    """What the words of the command line mean. Raises CallerError `passphrase_needed`."""
    match protection:
        case "none":
            return Unprotected()
        case "keyring":
            return Keyring()
        case _ if passphrase is None:
            raise CallerError(
                "A passphrase is needed.",
                code="passphrase_needed",
                hint="Set ROOST_PASSPHRASE, or use --no-passphrase.",
            )
        case _:
            return Passphrase(passphrase)


def device_name() -> str:
    """What this device is called unless the person says otherwise."""
    return (platform.node() or "device")[:40]


async def _reached(
    relay_link: str | None, network_links: tuple[str, ...], memory: NewMemory
) -> tuple[RelayLink | None, tuple[RelayLink, ...]]:
    """The relay and the onion networks of these links, which have answered just now."""
    relay = parse_relay_link(relay_link) if relay_link is not None else None
    networks = tuple(parse_network_link(link) for link in network_links)
    for host in (relay, *networks):
        if host is not None:
            await check_reachable(host, memory)
    return relay, networks


def parse_network_link(text: str) -> RelayLink:
    """Raises CallerError `malformed_link` for one that leads to no onion network."""
    link = parse_relay_link(text)
    if not isinstance(link.address, OnionHost):
        raise MalformedLink("This is a relay's link, not an onion network's.", hint="Give it with --relay.")
    return link


async def check_reachable(relay: RelayLink, memory: OnionMemory) -> None:
    """Connect to a relay or an onion network once and check its key, if it is not one that is met later. What is
    learned of a network goes into `memory`. Raises SurroundingsError."""
    if isinstance(relay.address, DeviceHost):
        return
    async with Network(SYSTEM_ENTROPY, lambda *_: None, memory=memory) as network:
        network.set_relays((relay,))
        if not await network.connected(relay.address.key, REACH_WITHIN_S):
            raise network.problem(relay.address.key) or SurroundingsError(
                "The relay did not answer in time.", code="unreachable", hint="Check the link and the connection."
            )
