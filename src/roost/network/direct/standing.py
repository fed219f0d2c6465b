"""The links to other devices that stand: which one is used to each host, and how many there may be."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from roost.errors import Unreachable
from roost.network.direct.carrier import CarrierName
from roost.network.direct.link import PeerLink

ORDER: Final = tuple(CarrierName)
LINKS: Final = 512  # in all; hosts that this device looks for come before others
LINKS_OF_ONE: Final = 4  # two that both dialled, and what has not been noticed to be dead


class Standing:
    """Plain book-keeping; its owner runs the links and tells others of them."""

    def __init__(self, own: bytes) -> None:
        self._own = own
        self.used: dict[bytes, PeerLink] = {}  # by the host's key
        self.running: dict[PeerLink, None] = {}  # these, and those that gave way to them; the oldest first

    def get(self, key: bytes) -> PeerLink | None:
        """The link to a host that is used, unless it is over."""
        link = self.used.get(key)
        return link if link is not None and not link.over else None

    def make_room(self, new: PeerLink, sought: Container[bytes]) -> None:
        """Whoever makes links without end, under one key or many, pushes out nobody else who is sought. Raises
        Unreachable where the new one gives way itself."""
        of_one = [link for link in self.running if link.key == new.key and not link.over]
        if len(of_one) > LINKS_OF_ONE:
            next(link for link in of_one if link is not self.used.get(new.key)).abort()
        alive = [link for link in self.running if not link.over]
        if len(alive) > LINKS:
            least = next((link for link in alive if link.key not in sought), new)
            least.abort()
            if least is new:
                raise Unreachable("There are too many links.", code="full")

    def choose(self, new: PeerLink) -> PeerLink | None:
        """Of two links to one host both ends use the same one: the other one, that gives way."""
        held = self.get(new.key)
        better = min((held, new), key=self._rank) if held is not None else new
        self.used[new.key] = better
        return held if better is new else new

    def ended(self, link: PeerLink) -> bool:
        """A link is over; whether none stands to its host any more. One that gave way to it may."""
        del self.running[link]
        if self.used.get(link.key) is not link:
            return False
        left = [other for other in self.running if other.key == link.key and not other.closing]
        if left:
            self.used[link.key] = min(left, key=self._rank)
        else:
            del self.used[link.key]
        return not left

    def _rank(self, link: PeerLink) -> tuple[int, bool]:
        dialler = self._own if link.dialled else link.key
        return ORDER.index(link.carrier), dialler != min(self._own, link.key)
