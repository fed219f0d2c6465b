"""Talking from device to device: the own host, the carriers that are on, and who is met, for one open profile.

It keeps carriers and links in step with the profile: which mailboxes lie here, which contacts have theirs on their own
devices, and what each conversation allows. What is sent and received goes the ordinary ways (outgoing, incoming).
Place: agent, beside the engine's loops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from roost.agent import opening
from roost.agent.carriers import make_carrier, reach_of
from roost.agent.parcels import Parcels
from roost.crypto import AgreementSecret
from roost.crypto.meetings import meeting_of
from roost.errors import RoostError, SurroundingsError, Unreachable
from roost.messaging import hosting, invitations
from roost.messaging.records import Contact, Event, Followed, OwnHost, OwnMailbox, OwnRelay, PeerDevice, Row, SharedLog
from roost.network.direct.carrier import CarrierName, CarrierState
from roost.network.direct.direct import Direct, Way
from roost.network.direct.link import PeerLink
from roost.network.network import Here, carriers_off
from roost.wire.addresses import DeviceHost, HostAddress
from roost.wire.content import Floor

if TYPE_CHECKING:
    from roost.agent.engine import Engine
    from roost.relay.hosting import Hosting

CONCERNS: frozenset[type[Row]] = frozenset({OwnHost, OwnRelay, OwnMailbox, PeerDevice, SharedLog, Contact, Followed})
_ALLOWED = {
    Floor.ANY: frozenset(CarrierName),
    Floor.FEDERATED: frozenset(CarrierName) - {CarrierName.INTERNET},  # that shows one's address to the other side
    Floor.ONION: frozenset({CarrierName.TOR}),
}


BEGIN_S = 0.15
REACH_S = 15.0  # how long an invitation is tried before it waits
REACH_OVER_TOR_S = 60.0
MEET_S = 3.0  # in which devices that are near have found each other
TOR_WITHIN_S = 20.0  # in which Tor is there, or is not waited for
_LOOK_AGAIN_S = 0.5


class Devices:
    """An async context manager around the network: leaving it closes the own mailboxes, after all links. Does nothing
    while this device is no host."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.parcels = Parcels(engine)
        self._hosting: Hosting | None = None
        self._served: object = None
        self._looking_since: float | None = None
        self._tor_since: float | None = None
        self.opened_ms = 0
        self._changing = asyncio.Lock()
        self._begun = asyncio.Event()
        self._cannot: dict[CarrierName, CarrierState] = {}  # that are on, and cannot be used here
        self._strangers: list[DeviceHost] = []  # looked for though no contact's: invitations being opened

    @property
    def direct(self) -> Direct | None:
        return self._engine.network.direct

    async def open(self) -> None:
        """Open the own mailboxes, where there are any. Raises SurroundingsError: their file cannot be used."""
        self.opened_ms = self._engine.now_ms
        host = hosting.own_host(self._engine.look())
        if host is not None:
            await self._begin(host)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._hosting is not None:
            await self._hosting.close()
            self._hosting = None

    async def begin(self) -> None:
        """Be found, a moment after the start: a command that needs nobody has ended by then."""
        await asyncio.sleep(BEGIN_S)
        await self.changed()
        self._begun.set()

    async def changed(self) -> None:
        """Carriers were turned on or off, or this device became a host."""
        async with self._changing:
            host = hosting.own_host(self._engine.look())
            if host is None:
                return
            if self._hosting is None:
                await self._begin(host)
                self._engine.relays_changed()
            direct = self.direct
            assert direct is not None
            wanted = {CarrierName(name) for name in host.carriers}
            for name in [name for name in direct.carriers if name not in wanted]:
                await direct.drop(name)
            self.serve()
            self._cannot = {}
            for name in CarrierName:
                if name in wanted and name not in direct.carriers:
                    await self._add(name, host, direct)
            if self._looking_since is None:
                self._looking_since = asyncio.get_running_loop().time()
            self._engine.tell(Event("carriers"))

    async def _add(self, name: CarrierName, host: OwnHost, direct: Direct) -> None:
        engine = self._engine
        try:
            carrier = make_carrier(name, host, engine.profile.path, engine.entropy, reach_of(engine.look()))
        except RoostError as error:
            self._cannot[name] = CarrierState(name, ready=False, why=error.message, hint=error.hint)
        else:
            await direct.add(carrier)

    async def anew(self, name: CarrierName) -> None:
        """How this carrier reaches what it needs was changed."""
        if self.direct is not None and name in self.direct.carriers:
            await self.direct.drop(name)
        await self.changed()

    async def _begin(self, host: OwnHost) -> None:
        from roost.relay.hosting import Hosting  # the relay's side: only where it is used

        engine = self._engine
        own = AgreementSecret.from_bytes(host.secret)
        self._hosting = await Hosting.open(
            engine.profile.path, hosting.storage_key(host), host.access, engine.entropy, self._broken
        )
        engine.network.here = Here(own.public.raw, self._hosting.host)
        engine.network.direct = Direct(
            own,
            (),
            engine.entropy,
            host=self._hosting.host,
            on_peer=self._peer,
            on_message=self._message,
            on_carriers=lambda: engine.tell(Event("carriers")),
        )

    def serve(self) -> None:
        """Let the carriers serve whom the profile names now."""
        direct = self.direct
        if direct is None:
            return
        work = self._engine.look()
        direct.guest_at = hosting.homes(work)
        circles, sought = hosting.circles(work), hosting.sought(work)
        sought |= {host: Floor.ANY for host in self._strangers if host not in sought}
        if (circles, sought) != self._served:
            self._served = circles, sought
            ways = {floor: Way(allowed) for floor, allowed in _ALLOWED.items()}
            direct.serve(
                {meeting: ways[floor] for meeting, floor in circles.items()},
                [(host, ways[floor]) for host, floor in sought.items()],
            )

    def states(self) -> dict[CarrierName, CarrierState]:
        """Of the carriers that are on."""
        known = self.direct.states() if self.direct is not None else []
        return {**{state.name: state for state in known}, **self._cannot}

    def peer_at(self, link: PeerLink) -> PeerDevice | None:
        """The device, of a contact or mine, at the other end. Anybody may name another's key in an address: what tells
        them apart is the meeting, which only the device itself and whoever writes there have."""
        work = self._engine.look()
        if work.get(OwnRelay, link.key) is not None:  # a relay at home that we share
            return None
        theirs = [peer for peer in work.find(PeerDevice) if link.key in (way.relay.key for way in peer.addresses)]
        if link.dialled:
            met = [peer for peer in theirs if any(_is_at(way.relay, link) for way in peer.addresses)]
        else:
            here = self._engine.network.here
            boxes = work.find(OwnMailbox, where={"relay": here.key}) if here is not None else []
            accounts = {box.account for box in boxes if meeting_of(box.admin) == link.meeting}
            met = [peer for peer in theirs if peer.account in accounts]
        found = met or theirs
        return found[0] if len(found) == 1 else None

    def near(self) -> dict[bytes, str]:
        """Contacts of whom a device is linked to this one now, each with the carrier."""
        direct = self.direct
        if direct is None:
            return {}
        work = self._engine.look()
        over = {link.key: link.carrier for link in direct.standing() if work.get(OwnRelay, link.key) is None}
        found: dict[bytes, CarrierName] = {}
        for peer in work.find(PeerDevice) if over else ():
            keys = {address.relay.key for address in peer.addresses}
            for key in keys & over.keys():
                found[peer.account] = min(over[key], found.get(peer.account, over[key]), key=tuple(CarrierName).index)
        return {account: carrier.value for account, carrier in found.items()}

    def settled(self) -> bool:
        """Every carrier that is on is ready, or cannot be used here."""
        host = hosting.own_host(self._engine.look())
        states = self.states()
        return host is None or all(
            name in self._cannot or (name in states and states[CarrierName(name)].ready) for name in host.carriers
        )

    def met(self, hosts: Collection[DeviceHost], within_s: float = MEET_S) -> bool:
        """Whether these are linked, or had the time to be found if they are near."""
        direct = self.direct
        apart = [host for host in hosts if direct is not None and direct.carrier_to(host.key) is None]
        if direct is None or not apart:
            return True
        if self._looking_since is None:
            return False
        now = asyncio.get_running_loop().time()
        ends = self._looking_since + within_s
        tor = direct.carriers.get(CarrierName.TOR)
        if tor is not None and any(host.onion for host in apart):
            if tor.state.ready and self._tor_since is None:
                self._tor_since = now
            until = self._looking_since + TOR_WITHIN_S if self._tor_since is None else self._tor_since + within_s
            ends = max(ends, until)
        return now >= ends

    # --- strangers ----------------------------------------------------------------------------------------------------

    @contextmanager
    def seeking(self, host: object) -> Iterator[None]:
        """Look for whoever made an invitation while the context lasts, as if they were a contact."""
        if not isinstance(host, DeviceHost):
            yield
            return
        self._strangers.append(host)
        self.serve()
        try:
            yield
        finally:
            self._strangers.remove(host)
            self.serve()

    async def reach(self, host: DeviceHost) -> None:
        """Wait until a link to a device stands that is sought. Raises Unreachable when it does not come about."""
        await self._begun.wait()
        async with self._changing:
            direct = self.direct
        if direct is None or not direct.carriers:
            raise carriers_off()
        tor = host.onion and CarrierName.TOR in direct.carriers
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (REACH_OVER_TOR_S if tor else REACH_S)
        while True:
            try:
                async with asyncio.timeout(max(deadline - loop.time(), 0.0)):
                    await direct.link(host)
            except Unreachable as error:
                if loop.time() + _LOOK_AGAIN_S > deadline:
                    raise _not_met(error) from error
            except TimeoutError:
                raise _not_met(None) from None
            else:
                return
            await self._engine.changed(_LOOK_AGAIN_S)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _broken(self, error: SurroundingsError) -> None:
        self._engine.trouble(error)

    def _peer(self, key: bytes, up: bool) -> None:
        """A device is there (`up`), or not any more."""
        carrier = self.direct.carrier_to(key) if up and self.direct is not None else None
        self._engine.tell(Event("near", subject=key, detail=carrier or ""))
        if up:
            self._engine.network.near(key)
            self._engine.hurry()
            self.parcels.hurry()
            for row in self._engine.look().find(Followed):
                if invitations.place_of(row).key == key:
                    self._engine.start(opening.open_followed(self._engine, row))

    def _message(self, link: PeerLink, message: bytes) -> None:
        """What a device says beside its calls. Raises WireError."""
        self.parcels.received(link, message)


def _not_met(error: Unreachable | None) -> Unreachable:
    if error is not None and error.code != "not_near":
        return error
    return Unreachable(
        "Whoever made this invitation is not near, on no network that both of you use.",
        code="not_near",
        hint="Try again when both of you are there: in the same Wi-Fi, say, or both with Tor. See: roost carriers",
    )


def _is_at(host: HostAddress, link: PeerLink) -> bool:
    return isinstance(host, DeviceHost) and (host.key, host.meeting) == (link.key, link.meeting)
