"""The local networks that this device is on now, as far as neighbours can be found there."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

import ifaddr

MAX_INTERFACES: Final = 16  # machines with many containers have hundreds

_GET_FLAGS: Final = 0x8913  # SIOCGIFFLAGS on Linux
_UP: Final = 0x1
_LOOPBACK: Final = 0x8
_POINT_TO_POINT: Final = 0x10
_RUNNING: Final = 0x40  # a cable is in, a Wi-Fi is joined
_MULTICAST: Final = 0x1000


@dataclass(frozen=True)
class Interface:
    """One network: its IPv4 networks with this device's addresses in them, and its link-local IPv6 address or ""."""

    index: int
    v4: tuple[ipaddress.IPv4Interface, ...] = ()
    v6: str = ""


def interfaces() -> tuple[Interface, ...]:
    """Those that are up, reach neighbours by multicast and have an address; at most MAX_INTERFACES."""
    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:  # the system is short of something: at the next look
        return ()
    found = []
    for adapter in adapters:
        interface = _interface(adapter)
        if interface is not None and _reaches_neighbours(adapter.name):
            found.append(interface)
    return tuple(found[:MAX_INTERFACES])


def _interface(adapter: ifaddr.Adapter) -> Interface | None:
    v4: list[ipaddress.IPv4Interface] = []
    v6 = ""
    for ip in adapter.ips:
        if isinstance(ip.ip, str):
            v4.append(ipaddress.IPv4Interface(f"{ip.ip}/{ip.network_prefix}"))
        elif not v6 and ipaddress.IPv6Address(ip.ip[0]).is_link_local:
            v6 = ip.ip[0]
    v4 = [address for address in v4 if not address.is_loopback]
    if adapter.index is None or not (v4 or v6):
        return None
    return Interface(adapter.index, tuple(v4), v6)


def _reaches_neighbours(name: str) -> bool:
    if sys.platform != "linux":
        return True  # others leave addresses only on interfaces that are up
    import fcntl

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            answer = fcntl.ioctl(asking, _GET_FLAGS, struct.pack("16sH14x", name.encode()[:15], 0))
    except OSError:  # it is gone already
        return False
    flags: int = struct.unpack_from("H", answer, 16)[0]
    wanted = _UP | _RUNNING | _MULTICAST
    return flags & wanted == wanted and not flags & (_LOOPBACK | _POINT_TO_POINT)
