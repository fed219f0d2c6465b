"""What Roosts say to each other on a local network: multicast DNS packets (RFC 6762, RFC 6763), so that networks which
let devices find printers let Roosts find each other.

One packet says one thing: an instance of a service with a random name, a random host name, a port and some bytes. It
names no address: who hears it knows where it came from. Other software sees well-formed DNS; of what arrives only what
a Roost would write is read, byte for byte, so there is no parser of DNS here (names, pointers) to be led astray.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import Final

MAX_PACKET: Final = 1_452  # fits into one frame over IPv6; nothing longer is looked at
INSTANCE_SIZE: Final = 16  # characters of 0-9 and a-f, as of the host's name
TTL_S: Final = 120

_PTR, _TXT, _SRV = 12, 16, 33
_IN: Final = 1
_ONLY_ONE: Final = 0x8001  # of class IN, and it replaces what was said of that name before
_ANSWER: Final = struct.pack(">6H", 0, 0x8400, 0, 3, 0, 0)
_QUESTION: Final = struct.pack(">2H", _TXT, _IN)
_QUERY: Final = struct.pack(">6H", 0, 0, 1, 0, 0, 0)
_SERVICE: Final = b"\xc0\x0c"  # a name's end: "as at byte 12", where the service's name stands
_LOCAL: Final = b"\x05local\x00"
_STRING: Final = 255
_HEX: Final = frozenset(b"0123456789abcdef")


@dataclass(frozen=True)
class Said:
    """One instance of a service. `leaving`: it says that it is there no longer."""

    instance: str
    host: str
    port: int
    data: bytes
    leaving: bool = False


class Service:
    """The packets of one type of service, such as `_roost._tcp`."""

    def __init__(self, kind: str) -> None:
        self._name = b"".join(_label(label.encode()) for label in kind.split(".")) + _LOCAL
        self._question = self._name + _QUESTION
        self._answer = _ANSWER + self._name + struct.pack(">2H", _PTR, _IN)
        self._at = len(self._answer) + 6 + 1  # where an instance's name begins, behind TTL and two lengths

    def say(self, said: Said) -> bytes:
        """A packet that says so. Raises ValueError when it is too long."""
        packet = self._write(said)
        if len(packet) > MAX_PACKET:
            raise ValueError("this does not fit into one packet")
        return packet

    def concerns(self, packet: bytes) -> bool:
        """Whether it may be one that `ask` or `say` made; costs next to nothing."""
        return len(packet) <= MAX_PACKET and (packet.startswith(self._answer) or packet.endswith(self._question))

    def ask(self, name: str) -> bytes:
        """A packet that asks everybody to say who they are. It asks after an instance of this random name, which the
        answers may take up to show that they were not said before."""
        return _QUERY + _label(name.encode()) + self._question

    def asked(self, packet: bytes) -> str | None:
        """The name that a question holds; None for anything but what `ask` makes."""
        name = packet[len(_QUERY) + 1 : len(_QUERY) + 1 + INSTANCE_SIZE]
        return name.decode() if _HEX.issuperset(name) and self.ask(name.decode()) == packet else None

    def heard(self, packet: bytes) -> Said | None:
        """What an answer says; None for anything but what `say` makes."""
        if not packet.startswith(self._answer) or len(packet) > MAX_PACKET:
            return None
        # Read where it has to stand, write it anew, and see whether that is the same.
        at = self._at
        instance = packet[at : at + INSTANCE_SIZE]
        at += INSTANCE_SIZE + len(_SERVICE) + len(_of(instance)) + 10 + 4  # the whole SRV record up to its port
        port, host_size = packet[at : at + 2], packet[at + 2 : at + 3]
        host = packet[at + 3 : at + 3 + INSTANCE_SIZE]
        at += 2 + 1 + INSTANCE_SIZE + len(_LOCAL) + len(_of(instance)) + 10
        text = _joined(packet[at:])
        if len(host_size) != 1 or text is None or not _HEX.issuperset(instance + host):
            return None
        leaving = packet[len(self._answer) : len(self._answer) + 4] == bytes(4)
        said = Said(instance.decode(), host.decode(), int.from_bytes(port, "big"), text, leaving)
        return said if self._write(said) == packet else None

    def _write(self, said: Said) -> bytes:
        ttl = 0 if said.leaving else TTL_S
        instance = said.instance.encode()
        name = _of(instance)
        target = struct.pack(">3H", 0, 0, said.port) + _label(said.host.encode()) + _LOCAL
        starts = range(0, max(len(said.data), 1), _STRING)
        text = b"".join(_label(said.data[start : start + _STRING]) for start in starts)
        return b"".join(
            (
                self._answer + struct.pack(">IH", ttl, len(name)) + name,
                name + struct.pack(">2HIH", _SRV, _ONLY_ONE, ttl, len(target)) + target,
                name + struct.pack(">2HIH", _TXT, _ONLY_ONE, ttl, len(text)) + text,
            )
        )


def random_name() -> str:
    """An instance's or a host's name, which means nothing."""
    return secrets.token_hex(INSTANCE_SIZE // 2)


def _label(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _of(instance: bytes) -> bytes:
    """An instance's whole name."""
    return _label(instance) + _SERVICE


def _joined(text: bytes) -> bytes | None:
    joined = bytearray()
    at = 0
    while at < len(text):
        joined += text[at + 1 : at + 1 + text[at]]
        at += 1 + text[at]
    return bytes(joined) if at == len(text) else None
