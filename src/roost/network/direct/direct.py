"""All links to other devices: who is near, dialling over whatever carrier reaches them, and one good link for each.

A host is known by its link key, which the handshake proves. Where two links to one host stand, both ends keep the same
one: over the better carrier, then the one dialled by the lower key. What a person allows a conversation is kept by
serving each carrier only with those whom it may reach. docs/protocol/direct.md.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from roost.crypto import AgreementPublic, AgreementSecret, Entropy
from roost.crypto.peer_link import PeerLinkInitiator, PeerLinkResponder
from roost.errors import CryptoError, RoostError, Unreachable, WireError
from roost.network.dial import link_over
from roost.network.direct.carrier import Carrier, CarrierName, CarrierState, People, Place, Stream
from roost.network.direct.host_end import HostProtocol
from roost.network.direct.link import PeerLink, handshake
from roost.network.direct.pace import Pace
from roost.network.direct.standing import ORDER, Standing
from roost.network.link import Link
from roost.network.link_core import LinkTiming
from roost.wire.addresses import DeviceHost
from roost.wire.codec import decode, encode
from roost.wire.peers import PEER_VERSION, KnownPlace, PeerHello

HANDSHAKE_S: Final = 20.0  # Tor is slow
STAGGER_S: Final = 1.5  # after which the next carrier is tried beside the one that has not answered
AGAIN_S: Final = 1.0  # a host that could not be reached is not dialled again sooner for the same reason
NEAR_AGAIN_S: Final = 2.0  # ... nor because a carrier says once more that it is near; commands come and go quickly
GREET_AGAIN_S: Final = (1.0, 3.0, 10.0)  # after which somebody near is tried again
_PENDING: Final = 64  # streams of one carrier that have not shown who they are
_SEEN: Final = 20_000  # openings remembered against replays
_TIMING: Final = LinkTiming(hello_s=15.0, idle_s=40.0, waiting_s=15.0, answer_s=15.0)

OnPeer = Callable[[bytes, bool], None]
"""A host, by its key, has become reachable, or is not any more."""


@dataclass(frozen=True)
class Way:
    """Carriers on which a circle may meet: all, or such as hide where one is."""

    carriers: frozenset[CarrierName] = frozenset(CarrierName)

    def allows(self, carrier: CarrierName) -> bool:
        return carrier in self.carriers


@dataclass
class _Dialling:
    outcome: asyncio.Future[PeerLink]
    task: asyncio.Task[None]


class Direct:
    """Links to other devices. Made on the event loop; `start` and `close` once.

    `host` makes the host's end of what others ask of this device; None where this device hosts nothing.
    `on_message` gets what a device says beside its calls (parcels), and `on_peer` who comes and goes.
    """

    def __init__(
        self,
        own: AgreementSecret,
        carriers: Sequence[Carrier],
        entropy: Entropy,
        *,
        host: HostProtocol | None = None,
        on_peer: OnPeer,
        on_message: Callable[[PeerLink, bytes], None],
        on_carriers: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._own = own
        self.carriers = {carrier.name: carrier for carrier in carriers}
        self._entropy = entropy
        self._host = host
        self._on_peer = on_peer
        self._on_message = on_message
        self._on_carriers = on_carriers
        self._now = now
        self._loop = asyncio.get_running_loop()
        self.guest_at: Collection[bytes] = ()  # hosts, by key, that do not learn which device comes
        self._circles: dict[bytes, Way] = {}  # meetings of mine
        self._sought: dict[bytes, dict[DeviceHost, Way]] = {}  # by host key
        self._links = Standing(own.public.raw)
        self._clients: dict[PeerLink, asyncio.Task[Link]] = {}
        self._dialling: dict[bytes, _Dialling] = {}
        self._failed: dict[bytes, tuple[float, Unreachable]] = {}
        self._near = Pace(NEAR_AGAIN_S)
        self._places: dict[bytes, tuple[Place, ...]] = {}
        self._bettering: set[bytes] = set()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._pending: dict[CarrierName, OrderedDict[Stream, None]] = {name: OrderedDict() for name in ORDER}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        for name in self.carriers:
            await self._start(name)

    async def _start(self, name: CarrierName) -> None:
        carrier = self.carriers[name]
        carrier.serve(self._people(name))
        await carrier.start(
            lambda stream: self._accepted(name, stream), lambda host: self._met(host), self._on_carriers
        )

    async def add(self, carrier: Carrier) -> None:
        """Another carrier from now on."""
        self.carriers[carrier.name] = carrier
        await self._start(carrier.name)

    async def drop(self, name: CarrierName) -> None:
        """A carrier is not used any more; links over it end."""
        carrier = self.carriers.pop(name, None)
        if carrier is not None:
            await carrier.stop()
        await asyncio.gather(*(link.close() for link in tuple(self._links.running) if link.carrier is name))

    async def close(self) -> None:
        """End all links and stop the carriers."""
        self._closed = True
        self._near.close()
        await asyncio.gather(*(carrier.stop() for carrier in self.carriers.values()))
        await asyncio.gather(*(link.close() for link in tuple(self._links.running)))
        tasks = {*self._tasks, *(one.task for one in self._dialling.values())}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- who ----------------------------------------------------------------------------------------------------------

    def serve(self, circles: dict[bytes, Way], sought: Iterable[tuple[DeviceHost, Way]]) -> None:
        """Under these meetings this device may be found from now on, and these hosts are looked for."""
        self._circles = circles
        self._sought = {}
        for host, way in sought:
            if host.key != self._own.public.raw:
                self._sought.setdefault(host.key, {})[host] = way
        for hosts in self._sought.values():  # one link carries all: the strictest holds
            hosts.update(dict.fromkeys(hosts, Way(frozenset.intersection(*(way.carriers for way in hosts.values())))))
        for name, carrier in self.carriers.items():
            carrier.serve(self._people(name))
        for link in tuple(self._links.running):
            if not self._may_stand(link):
                self._start_task(link.close())

    def _people(self, name: CarrierName) -> People:
        own = tuple(meeting for meeting, way in self._circles.items() if way.allows(name))
        hosts = [host for known in self._sought.values() for host, way in known.items() if way.allows(name)]
        return People(own, tuple(hosts))

    def _may_stand(self, link: PeerLink) -> bool:
        ways = [*self._sought.get(link.key, {}).values()]
        if not link.dialled:
            ways.append(self._circles.get(link.meeting, Way(frozenset())))
        return bool(ways) and all(way.allows(link.carrier) for way in ways)

    def states(self) -> list[CarrierState]:
        return [self.carriers[name].state for name in ORDER if name in self.carriers]

    def carrier_to(self, key: bytes) -> CarrierName | None:
        """Over which carrier a link to this host stands."""
        link = self._links.get(key)
        return link.carrier if link is not None else None

    def standing(self) -> list[PeerLink]:
        """All links that stand."""
        return [link for link in self._links.used.values() if not link.over]

    # --- calls --------------------------------------------------------------------------------------------------------

    async def link(self, host: DeviceHost) -> Link:
        """A link for calls to `host`: one that stands, or a new one. Not the caller's to close.

        Raises Unreachable: it is not near, or does not prove its key.
        """
        peer = self._links.get(host.key)
        if peer is None:
            peer = await self._reach(host)
        return await self._client(peer, host)

    async def _client(self, peer: PeerLink, host: DeviceHost) -> Link:
        task = self._clients.get(peer)
        if task is None:
            task = self._clients[peer] = self._loop.create_task(link_over(peer.calls, host, _TIMING))
            task.add_done_callback(lambda done: self._opened(peer, done))
        link = await asyncio.shield(task)
        if not link.usable:
            peer.abort()
            raise Unreachable("The connection to the other device was lost.")
        return link

    def _opened(self, peer: PeerLink, task: asyncio.Task[Link]) -> None:
        if task.cancelled() or task.exception() is not None:
            peer.abort()

    async def _reach(self, host: DeviceHost) -> PeerLink:
        failed = self._failed.get(host.key)
        if failed is not None and self._loop.time() < failed[0] + AGAIN_S:
            raise failed[1]
        dialling = self._dialling.get(host.key)
        if dialling is None:
            outcome: asyncio.Future[PeerLink] = self._loop.create_future()
            outcome.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait
            dialling = _Dialling(outcome, self._loop.create_task(self._dial(host, outcome)))
            self._dialling[host.key] = dialling
            dialling.task.add_done_callback(lambda _: self._dialling.pop(host.key, None))
        return await asyncio.shield(dialling.outcome)

    async def _dial(self, host: DeviceHost, outcome: asyncio.Future[PeerLink]) -> None:
        """Try the carriers in order, each a little after the one before; the first link that stands is the answer."""
        hosts = self._sought.get(host.key) or {host: Way()}
        attempts: set[asyncio.Task[PeerLink]] = set()
        failure: Unreachable | None = None
        try:
            for name in [name for name in ORDER if name in self.carriers]:
                for known in [known for known, way in hosts.items() if way.allows(name)]:
                    attempts.add(self._loop.create_task(self._dial_over(name, known)))
                    done, attempts = await _first(attempts, STAGGER_S)
                    failure = self._outcome(done, outcome) or failure
                    if outcome.done():
                        return
            while attempts:
                done, attempts = await _first(attempts, None)
                failure = self._outcome(done, outcome) or failure
                if outcome.done():
                    return
            error = failure or _not_near()
            self._failed[host.key] = self._loop.time(), error
            outcome.set_exception(error)
        finally:
            for task in attempts:
                task.cancel()
            if not outcome.done():
                outcome.set_exception(_not_near())

    @staticmethod
    def _outcome(done: set[asyncio.Task[PeerLink]], outcome: asyncio.Future[PeerLink]) -> Unreachable | None:
        """Note the link that was made; else why none was, where that says more than that nobody is near."""
        worst: Unreachable | None = None
        for task in done:
            error = task.exception()
            if error is None:
                if not outcome.done():
                    outcome.set_result(task.result())
            elif isinstance(error, Unreachable):
                worst = error if worst is None or worst.code == "not_near" else worst
            else:
                raise error
        return worst

    async def _dial_over(self, name: CarrierName, host: DeviceHost) -> PeerLink:
        places = tuple(place for place in self._places.get(host.key, ()) if place.carrier is name)
        stream = await self.carriers[name].dial(host, places)
        own = AgreementSecret.generate(self._entropy) if host.key in self.guest_at else self._own
        side = PeerLinkInitiator(own, AgreementPublic(host.key), host.meeting, int(self._now()), self._entropy)
        return await self._agreed(name, stream, side, dialled=True)

    # --- being called -------------------------------------------------------------------------------------------------

    def _accepted(self, name: CarrierName, stream: Stream) -> None:
        """Whoever has not shown who they are counts among few of this carrier, of whom the oldest gives way."""
        if self._closed:
            stream.abort()
            return
        pending = self._pending[name]
        pending[stream] = None
        if len(pending) > _PENDING:
            oldest, _ = pending.popitem(last=False)
            oldest.abort()
        self._start_task(self._answer(name, stream))

    async def _answer(self, name: CarrierName, stream: Stream) -> None:
        meetings = [meeting for meeting, way in self._circles.items() if way.allows(name)]
        side = PeerLinkResponder(self._own, meetings, int(self._now()), self._entropy, self._seen_before)
        try:
            await self._agreed(name, stream, side, dialled=False)
        except CryptoError:
            await _ignored(stream)
        except Unreachable:
            stream.abort()
        finally:
            self._pending[name].pop(stream, None)

    def _seen_before(self, nonce: bytes) -> bool:
        if nonce in self._seen:
            return True
        self._seen[nonce] = None
        if len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return False

    # --- links --------------------------------------------------------------------------------------------------------

    async def _agreed(
        self, name: CarrierName, stream: Stream, side: PeerLinkInitiator | PeerLinkResponder, *, dialled: bool
    ) -> PeerLink:
        """Shake hands; the link that stands then. Raises Unreachable; CryptoError only where this end was dialled."""
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                established = await handshake(stream, side)
        except TimeoutError as error:
            stream.abort()
            raise Unreachable("The other device does not answer.") from error
        except CryptoError as error:
            if not dialled:
                raise
            stream.abort()
            raise Unreachable("What answers nearby is not the other device.", code="not_near") from error
        except BaseException:
            stream.abort()
            raise
        peer = PeerLink(
            stream, established, side.rest, name, dialled=dialled, host=self._host, on_message=self._message
        )
        if not dialled and not self._may_stand(peer):  # found under the meeting of a group, say
            stream.abort()
            raise Unreachable("What is shared with this device does not allow this carrier.")
        self._links.running[peer] = None
        self._start_task(self._carry(peer))
        peer.say(encode(PeerHello(PEER_VERSION, self._known_places(peer))))
        return self._keep(peer)

    def _known_places(self, peer: PeerLink) -> tuple[KnownPlace, ...]:
        ways = self._sought.get(peer.key, {}).values()
        allowed = {name for name in ORDER if any(way.allows(name) for way in ways)} if ways else {peer.carrier}
        places = [place for name in allowed if name in self.carriers for place in self.carriers[name].places()]
        return tuple(KnownPlace(ORDER.index(place.carrier), place.data) for place in places[:16])

    def _keep(self, peer: PeerLink) -> PeerLink:
        """Of two links to one host the same one stays at both ends. Raises Unreachable where there are too many."""
        self._links.make_room(peer, self._sought)
        held = self._links.get(peer.key)
        worse = self._links.choose(peer)
        if worse is not None and worse.dialled:  # the other end comes to the same answer, and leaves it to the dialler
            self._start_task(self._give_way(worse))
        if held is None:
            self._failed.pop(peer.key, None)
            self._on_peer(peer.key, True)
        return self._links.used[peer.key]

    async def _give_way(self, peer: PeerLink) -> None:
        """What is under way on it may end first; and the other one may be lost meanwhile."""
        await asyncio.sleep(1.0)
        if self._links.get(peer.key) is not peer:
            await peer.close()

    async def _carry(self, peer: PeerLink) -> None:
        try:
            await peer.run()
        finally:
            self._clients.pop(peer, None)  # one that is being opened fails by itself: whoever waits for it has to hear
            if self._links.ended(peer):
                self._near.forget(peer.key)
                if peer.key not in self._sought:
                    self._places.pop(peer.key, None)
                if not self._closed:
                    self._on_peer(peer.key, False)

    def _message(self, peer: PeerLink, message: bytes) -> None:
        """Raises WireError for what is no message."""
        try:
            hello = decode(PeerHello, message)
        except WireError:
            self._on_message(peer, message)
            return
        self._places[peer.key] = tuple(
            Place(ORDER[known.carrier], known.data) for known in hello.places if known.carrier < len(ORDER)
        )
        self._upgrade(peer)

    def _upgrade(self, peer: PeerLink) -> None:
        """A better carrier may reach it too, now that its places are known."""
        better = ORDER[: ORDER.index(peer.carrier)]
        if any(place.carrier in better for place in self._places[peer.key]):
            self._start_task(self._try_better(peer))

    async def _try_better(self, peer: PeerLink) -> None:
        """Once at a time for each host, however often it tells its places."""
        if peer.key in self._bettering:
            return
        self._bettering.add(peer.key)
        try:
            await self._dial_better(peer)
        finally:
            self._bettering.discard(peer.key)

    async def _dial_better(self, peer: PeerLink) -> None:
        for host, way in tuple(self._sought.get(peer.key, {}).items()):
            for name in ORDER[: ORDER.index(peer.carrier)]:
                if name in self.carriers and way.allows(name):
                    with suppress(Unreachable):
                        await self._dial_over(name, host)
                        return

    def _met(self, host: DeviceHost) -> None:
        """A carrier says that somebody is near."""
        if self._closed or host.key not in self._sought or not self._near.due(host.key, lambda: self._met(host)):
            return
        self._failed.pop(host.key, None)
        held = self._links.get(host.key)
        if held is None:
            self._start_task(self._greet(host))
        elif held.carrier is not ORDER[0]:
            self._start_task(self._try_better(held))

    async def _greet(self, host: DeviceHost) -> None:
        """It may have been seen before it can be reached."""
        for pause in GREET_AGAIN_S:
            with suppress(RoostError):
                await self.link(host)
                return
            await asyncio.sleep(pause)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _first(
    attempts: set[asyncio.Task[PeerLink]], timeout_s: float | None
) -> tuple[set[asyncio.Task[PeerLink]], set[asyncio.Task[PeerLink]]]:
    return await asyncio.wait(attempts, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


async def _ignored(stream: Stream) -> None:
    """Who shows no meeting learns nothing, not even when we noticed: read on for as long as a handshake takes."""
    with suppress(TimeoutError, Unreachable):
        async with asyncio.timeout(HANDSHAKE_S):
            while await stream.read():
                pass
    stream.abort()


def _not_near() -> Unreachable:
    return Unreachable(
        "The other device is not near, on no network that both have.",
        code="not_near",
        hint="Nothing is lost; it is sent when the devices meet.",
    )
