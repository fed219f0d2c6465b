"""Where relays and mailboxes are: the values that travel inside links, cards and conversations."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta

from roost.wire.codec import OutOfBounds, Record
from roost.wire.sizes import (
    CAPABILITY_SIZE,
    HASH_SIZE,
    LINK_KEY_SIZE,
    MAX_HOST,
    MEETING_SIZE,
    ONION_KEY_SIZE,
    RELAY_KEY_SIZE,
)

Host = Annotated[str, Meta(min_length=1, max_length=MAX_HOST)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
RelayKey = Annotated[bytes, Meta(min_length=RELAY_KEY_SIZE, max_length=RELAY_KEY_SIZE)]
Capability = Annotated[bytes, Meta(min_length=CAPABILITY_SIZE, max_length=CAPABILITY_SIZE)]
Fingerprint = Annotated[bytes, Meta(max_length=32)]
LinkKey = Annotated[bytes, Meta(min_length=LINK_KEY_SIZE, max_length=LINK_KEY_SIZE)]
Meeting = Annotated[bytes, Meta(min_length=MEETING_SIZE, max_length=MEETING_SIZE)]
NetworkId = Annotated[bytes, Meta(min_length=HASH_SIZE, max_length=HASH_SIZE)]
OnionKey = Annotated[bytes, Meta(max_length=ONION_KEY_SIZE)]

# Letters, digits, hyphens, and the underscore that container networks use, in labels of up to 63.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@lru_cache(maxsize=1_024)  # the same few hosts come again with every address that is decoded
def canonical_host(text: str) -> str:
    """The one spelling of a host that travels: a lower-case ASCII name without a final dot, a dotted IPv4 address, or
    a compressed IPv6 address without brackets. An IPv4 address inside IPv6 becomes the IPv4 address.

    Raises:
        OutOfBounds: it is none of these. Other spellings of an IPv4 address (`127.1`, `0x7f000001`) are refused, so
            that a check for private addresses sees what a resolver would.
    """
    host = text.strip().lower()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" in host:
        return _ipv6(host)
    host = _ascii(host).removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if not 0 < len(host) <= MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise _no_host()
    return host


class RelayAddress(Record, frozen=True, tag=0):
    """A relay: where it listens and the Ed25519 identity key that it must prove.

    `host` is canonical (`canonical_host`); anything else raises OutOfBounds. `tls_fingerprint` is empty, or the SHA-256
    of the certificate of a proxy that ends TLS in front of it.
    """

    host: Host
    port: Port
    key: RelayKey
    tls_fingerprint: Fingerprint = b""

    def __post_init__(self) -> None:
        if canonical_host(self.host) != self.host:
            raise OutOfBounds("the host is not in canonical form")
        if len(self.tls_fingerprint) not in (0, 32):
            raise OutOfBounds("a fingerprint has 32 bytes")

    @property
    def endpoint(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class DeviceHost(Record, frozen=True, tag=1):
    """A host that is found over carriers instead of standing at an address: a person's own device, or a relay at home.

    `key` is the X25519 key that it proves when a link to it is made. `meeting` is a secret that it shares with one
    circle (a contact, an invitation, a group): whoever holds it recognises the host nearby and may open a link to it.
    `onion` is the Ed25519 key of its Tor onion service (version 3), or empty. It names no place: links and cards stay
    good wherever the device goes.
    """

    key: LinkKey
    meeting: Meeting
    onion: OnionKey = b""

    def __post_init__(self) -> None:
        if len(self.onion) not in (0, ONION_KEY_SIZE):
            raise OutOfBounds("an onion service's key has 32 bytes")

    @property
    def endpoint(self) -> str:
        """How it is named on a screen: it has no address, so a few characters of its key."""
        return f"device-{self.key[:4].hex()}"


class OnionHost(Record, frozen=True, tag=2):
    """An onion network: whoever writes to a mailbox there, or reads it, does so through its nodes.

    `key` is the hash of the network's document (wire.onion), so that nobody can put another network in its place. `at`
    says where its directory can be fetched first. Which of its nodes keep a mailbox follows from the mailbox's place,
    the first bytes of its capabilities.
    """

    key: NetworkId
    at: Annotated[tuple[RelayAddress, ...], Meta(min_length=1, max_length=2)]

    @property
    def endpoint(self) -> str:
        """How it is named on a screen: a few characters of its key."""
        return f"network-{self.key[:4].hex()}"


HostAddress = RelayAddress | DeviceHost | OnionHost
"""Where a mailbox can be hosted. `key` names the host in each, and is what it must prove."""


class MailboxAddress(Record, frozen=True):
    """A mailbox at a host, with the capability to put envelopes into it."""

    relay: HostAddress
    put: Capability


Address = MailboxAddress


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _no_host() from error


def _ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise _no_host() from error


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError as error:
        raise _no_host() from error
    if address.scope_id is not None:  # it names an interface of one machine only
        raise _no_host()
    return str(address.ipv4_mapped or address.compressed)


def _no_host() -> OutOfBounds:
    return OutOfBounds("this is not a host name or address", hint="Write a name such as relay.example, or an address.")
