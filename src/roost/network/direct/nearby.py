"""People who show themselves to everybody on the local network, because they asked for it: `roost nearby`.

What they show, a name and an invitation, is public while it lasts, unlike everything that the LAN carrier says. It
proves nothing: anybody may take any name. What makes two people contacts is the invitation, as with any other way in
which it travels.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from roost.errors import CallerError
from roost.network.direct.lan_neighbours import Neighbours, Source
from roost.network.direct.lan_packets import Said, Service, random_name
from roost.wire.links import MalformedLink, parse_invitation

SERVICE: Final = Service("_roost-hello._tcp")
MAX_NAME: Final = 64  # bytes of UTF-8
MAX_LINK: Final = 1_000  # characters
MAX_PEOPLE: Final = 32
MAX_PER_SOURCE: Final = 2  # links that one address may show: one person, perhaps with two profiles
LOOK_S: Final = 1.0
AGAIN_S: Final = 20.0
EARLY: Final = 3  # times that something new is said a second apart
SEEN_S: Final = 70.0  # after so long without a word somebody is gone
ANSWER_GAP_S: Final = 0.25


class NearbyPerson(NamedTuple):
    """Whoever shows this name, and the invitation (a `roost:` link) to become their contact."""

    name: str
    link: str


@dataclass
class _Shown:
    """What is seen of one invitation."""

    name: str
    source: str
    seen: float


class Nearby:
    """Shows one person and sees others, from `start` to `stop`. `changed` is called when `people` changes."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._neighbours = Neighbours(SERVICE, self._on_said, self._on_asked)
        self._seen: dict[str, _Shown] = {}
        self._own: Said | None = None
        self._own_link = ""
        self._early = 0
        self._said_at = float("-inf")
        self._answering: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        self._step()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self.hide()
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None
        if self._answering is not None:
            self._answering.cancel()
        self._neighbours.close()
        self._seen.clear()

    def show(self, name: str, link: str) -> None:
        """From now on everybody on the local network can read this, also on networks that are joined later.

        Raises CallerError for what is no name or invitation, or too long.
        """
        name = clean_name(name)
        if not name:
            raise CallerError("a name is needed that others can read", code="bad_name")
        link = str(parse_invitation(link))
        if len(link) > MAX_LINK:
            raise CallerError("this invitation is too long to be shown nearby", code="link_too_long")
        self.hide()
        self._own = Said(random_name(), random_name(), 0, shown(name, link))
        self._own_link = link
        self._early = EARLY
        self._say()

    def hide(self) -> None:
        """Say that it is over, and say nothing more."""
        if self._own is not None:
            gone = Said(self._own.instance, self._own.host, 0, self._own.data, leaving=True)
            for link in self._neighbours.links:
                self._neighbours.say(SERVICE.say(gone), link)
        self._own = None
        self._own_link = ""

    def people(self) -> list[NearbyPerson]:
        """Who shows themselves now, by name; at most MAX_PEOPLE."""
        return sorted(NearbyPerson(shown.name, link) for link, shown in self._seen.items())

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._stopping.wait()
            except TimeoutError:
                self._step()

    def _step(self) -> None:
        if self._neighbours.look():
            self._early = EARLY
        now = self._now()
        if self._early or now - self._said_at >= AGAIN_S:
            self._early = max(self._early - 1, 0)
            self._said_at = now
            self._neighbours.ask()
            self._say()
        gone = [link for link, shown in self._seen.items() if now - shown.seen > SEEN_S]
        for link in gone:
            del self._seen[link]
        if gone:
            self._changed()

    def _say(self) -> None:
        if self._own is not None:
            for link in self._neighbours.links:
                self._neighbours.say(SERVICE.say(self._own), link)

    def _on_asked(self, name: str, source: Source) -> None:  # noqa: ARG002 - whoever asks, everybody hears it
        if self._own is not None and self._answering is None:
            self._answering = asyncio.get_running_loop().call_later(ANSWER_GAP_S, self._answer)

    def _answer(self) -> None:
        self._answering = None
        self._say()

    def _on_said(self, said: Said, source: Source) -> None:
        person = read_shown(said.data)
        if person is None or person.link == self._own_link:
            return
        before = self._seen.get(person.link)
        if before is not None and before.source != source.address:
            return  # the same over IPv6, or somebody who repeats it under another name
        if said.leaving:
            if before is not None:
                del self._seen[person.link]
                self._changed()
            return
        if before is None and not self._has_room(source.address):
            return
        self._seen[person.link] = _Shown(person.name, source.address, self._now())
        if before is None or before.name != person.name:
            self._changed()

    def _has_room(self, source: str) -> bool:
        """Whether one more of this source's can be remembered, if need be in place of one of whoever has most."""
        sources = Counter(shown.source for shown in self._seen.values())
        if sources[source] >= MAX_PER_SOURCE:
            return False
        if len(self._seen) >= MAX_PEOPLE:
            most, count = sources.most_common(1)[0]
            if count <= sources[source] + 1:
                return False
            del self._seen[next(link for link, shown in self._seen.items() if shown.source == most)]
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def clean_name(name: str) -> str:
    """A name as it can be shown anywhere: one line, nothing invisible, nothing that turns lines around, 64 bytes."""
    visible = "".join(" " if character.isspace() else character for character in name)
    kept = "".join(character for character in visible if not unicodedata.category(character).startswith("C"))
    line = " ".join(kept.split())
    return line.encode()[:MAX_NAME].decode(errors="ignore").strip()


def shown(name: str, link: str) -> bytes:
    """What `show` says."""
    written = name.encode()
    return bytes([len(written)]) + written + link.encode("ascii")


def read_shown(data: bytes) -> NearbyPerson | None:
    """What somebody shows, or None when it is not what `show` would show."""
    size = data[0] if data else 0
    try:
        name, link = data[1 : 1 + size].decode(), data[1 + size :].decode("ascii")
        invitation = str(parse_invitation(link)) if len(link) <= MAX_LINK else ""
    except (UnicodeDecodeError, MalformedLink):
        return None
    if not name or clean_name(name) != name or invitation != link:
        return None
    return NearbyPerson(name, link)
