"""Speaking to everybody on the local networks and hearing them: sockets, interfaces that come and go, and how much a
neighbour may say. It knows packets of one service and nothing of what they mean.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from roost.network.direct.lan_interfaces import Interface, interfaces
from roost.network.direct.lan_limits import Shares
from roost.network.direct.lan_packets import MAX_PACKET, Said, Service, random_name

GROUP_4: Final = "224.0.0.251"
GROUP_6: Final = "ff02::fb"
PORT: Final = 5353
HEARD_AT_ONCE: Final = 64  # datagrams taken before others in this process have their turn
RECEIVE_BUFFER: Final = 1 << 20

# Packets that concern us: so many at once, so many a second. A Roost says about one a minute and network.
EACH: Final = (40.0, 2.0)
NEWCOMERS: Final = (100.0, 30.0)

_NOT_PERMITTED: Final = frozenset({errno.EPERM, errno.EACCES})
_IP_MULTICAST_ALL: Final = 49  # Linux; Python does not name them
_IPV6_MULTICAST_ALL: Final = 29


class Link(NamedTuple):
    """One network in one family: what is said there is said once. `scope` is its interface's number, `family` is
    socket.AF_INET or AF_INET6."""

    scope: int
    family: int


class Source(NamedTuple):
    """Who said something: an address on `link`."""

    address: str
    link: Link


class Neighbours:
    """Everybody on the local networks. `heard` gets what they say, `asked` their questions."""

    def __init__(
        self, service: Service, heard: Callable[[Said, Source], None], asked: Callable[[str, Source], None]
    ) -> None:
        self.links: dict[Link, Interface] = {}
        self._service = service
        self._heard = heard
        self._asked = asked
        self._sockets: dict[int, socket.socket] = {}
        self._refused: set[Link] = set()  # where this system does not let us speak or listen
        self._shares: Shares[Source] = Shares(EACH, NEWCOMERS)

    @property
    def not_permitted(self) -> bool:
        """There are networks, but this system does not let us speak or listen on any."""
        return bool(self._refused) and not self.links.keys() - self._refused

    def look(self) -> bool:
        """See which networks there are now and listen on them. True when they are others than before."""
        before = self.links
        now = {
            Link(interface.index, family): interface
            for interface in interfaces()
            for family in (socket.AF_INET, socket.AF_INET6)
            if (interface.v4 if family == socket.AF_INET else interface.v6)
        }
        for link in before.keys() - now.keys():
            self._leave(link)
        self._refused &= now.keys()
        self.links = {
            link: interface for link, interface in now.items() if link in before or self._join(link, interface)
        }
        return before != self.links

    def address(self, link: Link) -> str:
        """This device's own on that network."""
        interface = self.links[link]
        return str(interface.v4[0].ip) if link.family == socket.AF_INET else interface.v6

    def say(self, packet: bytes, link: Link) -> None:
        """Everybody on that network hears it, or nobody."""
        speaking = self._sockets[link.family]
        try:
            if link.family == socket.AF_INET:
                speaking.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _interface_4(link.scope, self.address(link))
                )
                speaking.sendto(packet, (GROUP_4, PORT))
            else:
                speaking.sendto(packet, (GROUP_6, PORT, 0, link.scope))
        except OSError as error:  # else the network went away: the next look sees it
            if error.errno in _NOT_PERMITTED:
                self._refused.add(link)
        else:
            self._refused.discard(link)

    def ask(self) -> list[str]:
        """Everybody who is there says so soon. What was asked after, a random name on each network."""
        names = []
        for link in self.links:
            names.append(random_name())
            self.say(self._service.ask(names[-1]), link)
        return names

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets.values():
            loop.remove_reader(listening)
            listening.close()
        self._sockets.clear()
        self.links = {}

    def _join(self, link: Link, interface: Interface) -> bool:
        try:
            listening = self._sockets.get(link.family) or self._open(link.family)
            if link.family == socket.AF_INET:
                listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _group_4(interface.index))
            else:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _group_6(interface.index))
        except OSError as error:
            if error.errno in _NOT_PERMITTED:
                self._refused.add(link)
            return error.errno == errno.EADDRINUSE and link.family in self._sockets  # joined already
        return True

    def _leave(self, link: Link) -> None:
        listening = self._sockets[link.family]
        try:
            if link.family == socket.AF_INET:
                listening.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, _group_4(link.scope))
            else:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _group_6(link.scope))
        except OSError:
            pass  # the interface is gone, and the membership with it

    def _open(self, family: int) -> socket.socket:
        listening = socket.socket(family, socket.SOCK_DGRAM)
        try:
            _set_up(listening, family)
        except OSError:
            listening.close()
            raise
        asyncio.get_running_loop().add_reader(listening, self._receive, listening, family)
        self._sockets[family] = listening
        return listening

    def _receive(self, listening: socket.socket, family: int) -> None:
        now = asyncio.get_running_loop().time()
        for _ in range(HEARD_AT_ONCE):
            try:
                packet, sender = listening.recvfrom(MAX_PACKET + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # an error of something that was sent
            if self._service.concerns(packet):
                source = self._source(family, sender)
                if source is not None and self._shares.take(source, now):
                    self._take(packet, source)

    def _take(self, packet: bytes, source: Source) -> None:
        said = self._service.heard(packet)
        asked = self._service.asked(packet)
        if said is not None:
            self._heard(said, source)
        elif asked is not None:
            self._asked(asked, source)

    def _source(self, family: int, sender: tuple[object, ...]) -> Source | None:
        """Who that is, or None for who is not on a network of ours: what comes from elsewhere leads elsewhere."""
        address = str(sender[0]).partition("%")[0]
        if family == socket.AF_INET6:
            link = Link(int(str(sender[3])), family)
            near = link in self.links and ipaddress.IPv6Address(address).is_link_local
            return Source(address, link) if near else None
        ip = ipaddress.IPv4Address(address)
        for link, interface in self.links.items():
            if link.family == family and any(ip in mine.network for mine in interface.v4):
                return Source(address, link)
        return None


def _set_up(listening: socket.socket, family: int) -> None:
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if family == socket.AF_INET:
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        if sys.platform == "linux":
            listening.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        # Bound to the group, so that nothing that was sent to this device alone, from wherever, is heard.
        listening.bind((GROUP_4 if sys.platform != "win32" else "", PORT))
    else:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        if sys.platform == "linux":
            listening.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        listening.bind(("::", PORT))


def _interface_4(index: int, address: str) -> bytes:
    """An ip_mreqn: the interface, and the address of it that is spoken from."""
    return struct.pack("4s4si", bytes(4), socket.inet_aton(address), index)


def _group_4(index: int) -> bytes:
    return struct.pack("4s4si", socket.inet_aton(GROUP_4), bytes(4), index)


def _group_6(index: int) -> bytes:
    return struct.pack("16sI", socket.inet_pton(socket.AF_INET6, GROUP_6), index)
