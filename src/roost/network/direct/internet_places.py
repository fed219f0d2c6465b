"""Where a device may be reached over the internet, in bytes: its endpoint's key, then addresses with ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from roost.network.direct.carrier import CarrierName, Place

KEY_SIZE: Final = 32
MAX_PLACE: Final = 255
_SIZES: Final = {4: 4, 6: 16}


@dataclass(frozen=True)
class Candidate:
    """A UDP address at which a device may be."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """From "192.0.2.1:7000" or "[2001:db8::1]:7000". Raises ValueError."""
        host, _, port = text.rpartition(":")
        if not 0 < int(port) < 65_536:
            raise ValueError("a port is from 1 to 65535")
        return cls(ipaddress.ip_address(host.strip("[]")), int(port))

    @classmethod
    def from_bytes(cls, data: bytes) -> Candidate | None:
        """None for what is none."""
        size = _SIZES.get(data[0]) if data else None
        if size is None or len(data) != 1 + size + 2:
            return None
        port = int.from_bytes(data[-2:], "big")
        return cls(ipaddress.ip_address(data[1:-2]), port) if port else None

    def __bytes__(self) -> bytes:
        return bytes([self.address.version]) + self.address.packed + self.port.to_bytes(2, "big")

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


def place_of(carrier: CarrierName, key: bytes, candidates: Iterable[Candidate]) -> Place:
    """As many of the candidates as fit, each once, in their order."""
    data = key
    for candidate in dict.fromkeys(map(bytes, candidates)):
        if len(data) + len(candidate) <= MAX_PLACE:
            data += candidate
    return Place(carrier, data)


def read_place(data: bytes) -> tuple[bytes, list[Candidate]] | None:
    """The key and the candidates at which one device can be; None for what `place_of` would not write."""
    key, rest = data[:KEY_SIZE], data[KEY_SIZE:]
    candidates = []
    while rest:
        size = 1 + _SIZES.get(rest[0], 0) + 2
        candidate = Candidate.from_bytes(rest[:size])
        if candidate is None:
            return None
        if not candidate.address.is_multicast and not candidate.address.is_unspecified:  # those are many, or none
            candidates.append(candidate)
        rest = rest[size:]
    return (key, candidates) if candidates else None
