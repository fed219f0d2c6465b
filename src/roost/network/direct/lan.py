"""The LAN carrier: contacts on the same local network recognise each other, and nobody else does (docs/carriers.md).

Each device tells everybody, by multicast DNS, random names and a port, and bytes in which only holders of one of its
meetings find anything (crypto.meetings). All of it is different on every network, in every family of addresses, after
every change of networks and every quarter of an hour. Who recognises a host opens a TCP connection to where that came
from.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from roost.crypto import Entropy
from roost.crypto.meetings import MAX_ANNOUNCED, announce, recognised
from roost.errors import Unreachable
from roost.network.direct.carrier import Accept, CarrierName, CarrierState, Met, People, Place, Stream
from roost.network.direct.lan_candidates import Candidate, Candidates, Spot
from roost.network.direct.lan_limits import Allowance, Door
from roost.network.direct.lan_listener import LanStream, Listener, open_stream
from roost.network.direct.lan_neighbours import Link, Neighbours, Source
from roost.network.direct.lan_packets import Said, Service, random_name
from roost.network.entropy import SYSTEM_ENTROPY
from roost.wire.addresses import DeviceHost

SERVICE: Final = Service("_roost._tcp")
LOOK_S: Final = 1.0  # how often the interfaces are looked at: a quarter of a millisecond
SETTLE_S: Final = 0.02  # changes that come together are one
EARLY_S: Final = (0.0, 1.0, 3.0)  # when to speak after something changed: a packet may be lost
AGAIN_S: Final = 60.0  # ... and then about so often
ANSWERS: Final = 4  # questions that are answered at once
QUESTIONS: Final = 64  # of this device's own that an answer may still come to
ANSWER_GAP_S: Final = 0.25  # at most so often, however many ask
ANSWER_S: Final = (0.02, 0.1)  # by chance within, so that not everybody answers at once
ROTATE_S: Final = 900.0
MAX_INSTANCES: Final = 8  # announcements on one network; who has more meetings takes turns among them
RECOGNITIONS: Final = (100.0, 40.0)  # announcements not seen before: at once and a second; a millisecond each
REMEMBERED: Final = 512  # announcements, so that one that comes again costs nothing
ITSELF_S: Final = 0.8  # for an answer of the host itself, before other places are tried
DIAL_S: Final = 8.0
CONNECT_S: Final = 3.0
NEXT_AFTER_S: Final = 0.25  # the next place is tried when this one has not answered


@dataclass
class _Presence:
    """What of this device can be found on one network."""

    listener: Listener
    address: str
    packets: list[bytes] = field(default_factory=list)
    rotate_at: float = 0.0
    say_at: float = 0.0
    said: int = 0  # times since the last change
    said_at: float = 0.0
    asked: dict[str, str] = field(default_factory=dict)  # by source: what is answered next
    answering: asyncio.TimerHandle | None = None


class LanCarrier:
    """See carrier.Carrier. `now_s` and `entropy` are the clock and randomness of announcements."""

    name: ClassVar[CarrierName] = CarrierName.LAN

    def __init__(self, *, entropy: Entropy = SYSTEM_ENTROPY, now_s: Callable[[], float] = time.time) -> None:
        self._entropy = entropy
        self._now_s = now_s
        self._people = People()
        self._sought: dict[bytes, DeviceHost] = {}
        self._neighbours = Neighbours(SERVICE, self._on_said, self._on_asked)
        self._presences: dict[Link, _Presence] = {}
        self._candidates = Candidates()
        self._recognitions = Allowance(*RECOGNITIONS)
        self._seen: OrderedDict[bytes, list[bytes]] = OrderedDict()
        self._door: Door[str] = Door()
        self._accept: Accept = lambda stream: stream.abort()
        self._met: Met = lambda _: None
        self._changed: Callable[[], None] = lambda: None
        self._ask_at: list[float] = []
        self._waiting: dict[bytes, set[asyncio.Future[None]]] = {}  # by meeting: dials that wait for an answer
        self._questions: deque[bytes] = deque(maxlen=QUESTIONS)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._wake = asyncio.Event()
        self._state = self._state_now()

    @property
    def state(self) -> CarrierState:
        return self._state

    async def start(self, accept: Accept, met: Met, changed: Callable[[], None]) -> None:
        self._accept, self._met, self._changed = accept, met, changed
        self._task = asyncio.create_task(self._run())
        await self._step()

    def serve(self, people: People) -> None:
        if set(people.own) != set(self._people.own):
            for presence in self._presences.values():
                presence.rotate_at = 0.0
            self._wake.set()
        sought = {host.meeting: host for host in people.sought}
        if sought.keys() != self._sought.keys():
            self._candidates.keep(sought)
            self._seen.clear()
            if sought.keys() - self._sought.keys():
                self._ask_soon()
        self._people, self._sought = people, sought

    async def dial(self, host: DeviceHost, places: Sequence[Place]) -> Stream:  # noqa: ARG002 - places are found here
        candidates = self._candidates.best_first(host.meeting, self._now()) if self._task else []
        if not candidates:
            raise Unreachable("this device is not on the local network", code="not_near")
        if not any(one.fresh or one.good for one in candidates):
            await self._ask_itself(host.meeting)
            candidates = self._candidates.best_first(host.meeting, self._now())
        stream = await self._first_to_answer(host.meeting, candidates)
        if stream is None:
            raise Unreachable("this device does not answer on the local network")
        return stream

    def places(self) -> tuple[Place, ...]:
        return ()

    async def stop(self) -> None:
        if self._task is not None:
            self._stopping = True
            self._wake.set()
            await self._task
            self._task = None
        await self._leave()
        self._neighbours.close()
        self._state = self._state_now()

    # -- being found

    async def _run(self) -> None:
        while not self._stopping:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(SETTLE_S)
                self._wake.clear()
            await self._step()

    async def _step(self) -> None:
        if self._neighbours.look():
            await self._leave()  # whatever stays must not show that it is the same device as before
            self._ask_soon()
        now = self._now()
        for link in self._neighbours.links:
            presence = self._presences.get(link) or self._appear(link)
            if presence is not None:
                self._speak(link, presence, now)
        if any(at <= now for at in self._ask_at):
            self._ask_at = [at for at in self._ask_at if at > now]
            if self._sought:
                self._questions.extend(bytes.fromhex(name) for name in self._neighbours.ask())
        self._tell_state()

    def _appear(self, link: Link) -> _Presence | None:
        address = self._neighbours.address(link)
        try:
            listener = Listener(link, address, self._door, lambda stream: self._accept(stream))
        except OSError:  # an address that is not quite there yet: at the next look
            return None
        presence = self._presences[link] = _Presence(listener, address)
        return presence

    async def _leave(self) -> None:
        leaving, self._presences = self._presences, {}
        for presence in leaving.values():
            if presence.answering is not None:
                presence.answering.cancel()
            await presence.listener.close()

    def _speak(self, link: Link, presence: _Presence, now: float) -> None:
        """Say what is due."""
        if now >= presence.rotate_at:
            self._rotate(presence, now)
        if now >= presence.say_at:
            self._say(link, presence, presence.packets)
            presence.said += 1
            early = presence.said < len(EARLY_S)
            wait = EARLY_S[presence.said] - EARLY_S[presence.said - 1] if early else AGAIN_S * _about()
            presence.say_at = now + wait

    def _rotate(self, presence: _Presence, now: float) -> None:
        """Other names, another nonce, other tags."""
        presence.packets = self._announcements(presence)
        all_at_once = len(self._people.own) <= MAX_INSTANCES * MAX_ANNOUNCED
        presence.rotate_at = now + (ROTATE_S if all_at_once else AGAIN_S) * _about()
        presence.say_at, presence.said = now, 0

    def _announcements(self, presence: _Presence, question: str = "") -> list[bytes]:
        """Something new to say; to a question, nonces begin with what it asks after."""
        meetings = list(dict.fromkeys(self._people.own))
        random.SystemRandom().shuffle(meetings)
        packets = []
        for start in range(0, min(len(meetings), MAX_INSTANCES * MAX_ANNOUNCED), MAX_ANNOUNCED):
            part = meetings[start : start + MAX_ANNOUNCED]
            data = announce(part, int(self._now_s()), _Answering(question, self._entropy))
            packets.append(SERVICE.say(Said(random_name(), random_name(), presence.listener.port, data)))
        return packets

    def _say(self, link: Link, presence: _Presence, packets: list[bytes]) -> None:
        presence.said_at = self._now()
        for packet in packets:
            self._neighbours.say(packet, link)

    def _on_asked(self, name: str, source: Source) -> None:
        presence = self._presences.get(source.link)
        if presence is None or bytes.fromhex(name) in self._questions:
            return  # not to one's own questions
        if source.address not in presence.asked and len(presence.asked) >= ANSWERS:
            return
        presence.asked[source.address] = name
        if presence.answering is None:
            at = max(self._now() + random.SystemRandom().uniform(*ANSWER_S), presence.said_at + ANSWER_GAP_S)
            presence.answering = asyncio.get_running_loop().call_at(at, self._answer, source.link, presence)

    def _answer(self, link: Link, presence: _Presence) -> None:
        asked, presence.asked, presence.answering = presence.asked, {}, None
        for name in asked.values():
            self._say(link, presence, self._announcements(presence, name))

    # -- finding

    def _ask_soon(self) -> None:
        now = self._now()
        self._ask_at = [now + after for after in EARLY_S]
        self._wake.set()

    def _on_said(self, said: Said, source: Source) -> None:
        if said.leaving or not said.port:
            return  # nobody is believed to be gone because somebody says so
        if self._is_own(said, source):
            return
        now = self._now()
        nonce = said.data[:16]
        fresh = nonce[:8] in self._questions
        scope = source.link.scope if source.link.family == socket.AF_INET6 else 0
        for meeting in self._recognise(said.data, now):
            if self._candidates.heard(meeting, nonce, Spot(source.address, scope, said.port), now, fresh=fresh):
                self._met(self._sought[meeting])
            for waiting in self._waiting.get(meeting, ()) if fresh else ():
                if not waiting.done():
                    waiting.set_result(None)

    def _is_own(self, said: Said, source: Source) -> bool:
        own = self._presences.get(source.link)
        return own is not None and (said.port, source.address) == (own.listener.port, own.address)

    def _recognise(self, announcement: bytes, now: float) -> list[bytes]:
        known = self._seen.get(announcement)
        if known is None:
            if not self._sought or not self._recognitions.take(now):
                return []
            known = recognised(announcement, list(self._sought), int(self._now_s()))
            self._seen[announcement] = known
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return known

    # -- dialling

    async def _ask_itself(self, meeting: bytes) -> None:
        """Somebody may only repeat what the host said once. The host itself answers, if it is there."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(meeting, set()).add(answered)
        self._ask_soon()
        try:
            async with asyncio.timeout(ITSELF_S):
                await answered
        except TimeoutError:
            pass  # an announcement gets lost now and then: others may do
        finally:
            self._waiting[meeting].discard(answered)
            if not self._waiting[meeting]:
                del self._waiting[meeting]

    async def _first_to_answer(self, meeting: bytes, candidates: list[Candidate]) -> LanStream | None:
        """Try them one after the other, without waiting long for any: the first stream that stands."""
        attempts: set[asyncio.Task[LanStream | None]] = set()
        stream: LanStream | None = None
        waiting = iter(candidates)
        try:
            async with asyncio.timeout(DIAL_S):
                while stream is None:
                    candidate = next(waiting, None)
                    if candidate is not None:
                        attempts.add(asyncio.create_task(self._attempt(meeting, candidate)))
                    if not attempts:
                        break
                    stream = await _first(attempts, None if candidate is None else NEXT_AFTER_S)
        except TimeoutError:
            pass
        finally:
            await _give_up(attempts, stream)
        return stream

    async def _attempt(self, meeting: bytes, candidate: Candidate) -> LanStream | None:
        def understood(_: LanStream) -> None:
            candidate.good = True

        candidate.tries += 1
        try:
            return await open_stream(candidate.spot, timeout_s=CONNECT_S, understood=understood)
        except Unreachable:
            self._candidates.failed(meeting, candidate, self._now())
            return None

    # -- state

    def _state_now(self) -> CarrierState:
        if self._task is None:
            return CarrierState(self.name, ready=False, why="It is switched off.", hint="Switch it on.")
        if self._neighbours.not_permitted:
            return CarrierState(
                self.name,
                ready=False,
                why="This system does not let Roost speak on the local network.",
                hint="Allow Roost multicast (UDP port 5353) and connections from the local network.",
            )
        if not self._presences:
            return CarrierState(
                self.name,
                ready=False,
                why="This device is on no local network.",
                hint="Join a Wi-Fi or plug in a cable.",
            )
        return CarrierState(self.name, ready=True)

    def _tell_state(self) -> None:
        state = self._state_now()
        if state != self._state:
            self._state = state
            self._changed()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class _Answering:
    """Entropy for an announcement that answers a question: its nonce, drawn first, begins with what was asked after."""

    def __init__(self, question: str, entropy: Entropy) -> None:
        self._begin = bytes.fromhex(question)
        self._entropy = entropy

    def bytes(self, count: int) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + self._entropy.bytes(count - len(begin))


def _about() -> float:
    return random.SystemRandom().uniform(0.8, 1.2)


async def _first(attempts: set[asyncio.Task[LanStream | None]], within_s: float | None) -> LanStream | None:
    """The stream of an attempt that succeeds, or None when one fails or the time is over."""
    done, _ = await asyncio.wait(attempts, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    for attempt in done:
        attempts.discard(attempt)
        if attempt.result() is not None:
            return attempt.result()
    return None


async def _give_up(attempts: set[asyncio.Task[LanStream | None]], chosen: LanStream | None) -> None:
    for attempt in attempts:
        attempt.cancel()
    try:
        for stream in await asyncio.gather(*attempts, return_exceptions=True):
            if isinstance(stream, LanStream):
                stream.abort()
    except asyncio.CancelledError:
        if chosen is not None:
            chosen.abort()
        raise
