"""The links that people exchange: relay links and invitations. Short, checked against typing errors, fit for QR codes.

A relay link is `roost-relay://HOST:PORT/PAYLOAD`, or `roost-relay:PAYLOAD` for one at home that has no address; an
onion network's is `roost-network:PAYLOAD`. An invitation is `roost:PAYLOAD`, or the same payload behind the `#`
of any https URL, which never reaches a server. PAYLOAD is unpadded base64url of a canonical structure followed by the
first 4 bytes of a SHA-256. Only schemes and hosts may be written in capitals (docs/protocol/link-formats.md).
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
from typing import Annotated, Final, NoReturn, TypeVar

from msgspec import Meta

from roost.errors import CallerError, WireError
from roost.wire.addresses import (
    DeviceHost,
    Fingerprint,
    HostAddress,
    OnionHost,
    RelayAddress,
    RelayKey,
    canonical_host,
)
from roost.wire.codec import OutOfBounds, Record, TextRecord, decode, encode
from roost.wire.sizes import MAX_NAME, MAX_PERIOD_S

RELAY_SCHEME: Final = "roost-relay"
NETWORK_SCHEME: Final = "roost-network"
AUTHORITY_SCHEME: Final = "roost-authority"
INVITATION_SCHEME: Final = "roost"
CHANNEL_SCHEME: Final = "roost-channel"
LINK_VERSION: Final = 1
MAX_LINK: Final = 2_000  # characters
_CHECKSUM_SIZE: Final = 4

R = TypeVar("R", bound=Record)


class MalformedLink(CallerError):
    """The link is mistyped, cut off or not one of Roost's. Ask for it again, or copy it whole."""

    code = "malformed_link"
    hint = "Copy the whole link again; a character is missing or wrong."


class RelayLink(TextRecord, frozen=True):
    """How to reach a relay, and the access secret if it asks for one."""

    address: HostAddress
    access: Annotated[str, Meta(max_length=64)] = ""

    def __str__(self) -> str:
        if isinstance(self.address, DeviceHost):
            home = _HomeTail(LINK_VERSION, self.address, self.access)
            return f"{RELAY_SCHEME}:{_armour(home, encode(home))}"
        if isinstance(self.address, OnionHost):
            network = _NetworkTail(LINK_VERSION, self.address, self.access)
            return f"{NETWORK_SCHEME}:{_armour(network, encode(network))}"
        tail = _RelayTail(LINK_VERSION, self.address.key, self.address.tls_fingerprint, self.access)
        return f"{RELAY_SCHEME}://{self.address.endpoint}/{_armour(tail, _covered(self.address.endpoint, tail))}"


class AuthorityLine(TextRecord, frozen=True):
    """What the operators of a new onion network's authorities give each other: who one of them is, and the terms, of
    which all must say the same."""

    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    address: RelayAddress
    name: Annotated[str, Meta(max_length=MAX_NAME)]
    authorities: Annotated[int, Meta(ge=1, le=16)]
    threshold: Annotated[int, Meta(ge=1, le=16)]
    period_s: Annotated[int, Meta(ge=2, le=MAX_PERIOD_S)]
    replicas: Annotated[int, Meta(ge=1, le=9)]
    quorum: Annotated[int, Meta(ge=1, le=9)]

    def __str__(self) -> str:
        return f"{AUTHORITY_SCHEME}:{_armour(self, encode(self))}"


class _RelayTail(TextRecord, frozen=True):
    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    key: RelayKey
    tls_fingerprint: Fingerprint
    access: Annotated[str, Meta(max_length=64)]


class _HomeTail(TextRecord, frozen=True):
    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    host: DeviceHost
    access: Annotated[str, Meta(max_length=64)]


class _NetworkTail(TextRecord, frozen=True):
    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    network: OnionHost
    access: Annotated[str, Meta(max_length=64)]


class InvitationKind(enum.IntEnum):
    ONE_TIME = 0  # `pin` is the first 16 bytes of SHA-256 of the signed card
    REUSABLE = 1  # `pin` is the first 16 bytes of SHA-256 of the account key
    DEVICE = 2  # as ONE_TIME, but it links a new device of one's own
    GROUP = 3  # as REUSABLE, but it leads into a group of the account's


class Invitation(Record, frozen=True):
    """Where the encrypted card is, the secret that finds and opens it, and what pins its content."""

    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    kind: InvitationKind
    relay: HostAddress
    secret: Annotated[bytes, Meta(min_length=16, max_length=16)]
    pin: Annotated[bytes, Meta(min_length=16, max_length=16)]

    def __str__(self) -> str:
        return f"{INVITATION_SCHEME}:{_armour(self, encode(self))}"


class ChannelLink(Record, frozen=True):
    """Where a channel is, the secret that opens it, and its id, which its owner's key must give (crypto.channels)."""

    version: Annotated[int, Meta(ge=LINK_VERSION, le=LINK_VERSION)]
    relay: HostAddress
    secret: Annotated[bytes, Meta(min_length=16, max_length=16)]
    channel: Annotated[bytes, Meta(min_length=32, max_length=32)]

    def __str__(self) -> str:
        return f"{CHANNEL_SCHEME}:{_armour(self, encode(self))}"


def parse_relay_link(text: str) -> RelayLink:
    """The link of a relay or an onion network in `text`, around which white space may stand. Raises MalformedLink."""
    text = _trimmed(text)
    scheme, separator, rest = text.partition(":")
    if scheme.lower() == NETWORK_SCHEME:
        return _network_link(rest)
    if not separator or scheme.lower() != RELAY_SCHEME:
        raise MalformedLink("This is not a relay link.", hint=f"A relay link begins with {RELAY_SCHEME}:")
    if not rest.startswith("//"):
        return _home_link(rest)
    rest = rest[2:]
    endpoint, _, armoured = rest.partition("/")
    host, _, port = endpoint.rpartition(":")
    tail, checksum = _unarmoured(_RelayTail, armoured)
    try:
        address = RelayAddress(canonical_host(host), _port(port), tail.key, tail.tls_fingerprint)
    except OutOfBounds as error:
        raise MalformedLink("This relay link is damaged.") from error
    if endpoint.lower() != address.endpoint or checksum != _checksum(_covered(address.endpoint, tail)):
        raise MalformedLink("This relay link is damaged.")
    return RelayLink(address, tail.access)


def _home_link(armoured: str) -> RelayLink:
    home, checksum = _unarmoured(_HomeTail, armoured)
    if checksum != _checksum(encode(home)):
        raise MalformedLink("This relay link is damaged.")
    return RelayLink(home.host, home.access)


def _network_link(armoured: str) -> RelayLink:
    tail, checksum = _unarmoured(_NetworkTail, armoured)
    if checksum != _checksum(encode(tail)):
        raise MalformedLink("This network's link is damaged.")
    return RelayLink(tail.network, tail.access)


def parse_invitation(text: str) -> Invitation:
    """The invitation in `text`: `roost:PAYLOAD` or `https://…#PAYLOAD`. Raises MalformedLink."""
    text = _trimmed(text)
    scheme, _, rest = text.partition(":")
    if scheme.lower() == INVITATION_SCHEME:
        armoured = rest
    elif scheme.lower() == "https" and rest.startswith("//") and "#" in rest:
        armoured = rest.partition("#")[2]
    else:
        _no_invitation(scheme.lower())
    invitation, checksum = _unarmoured(Invitation, armoured)
    if checksum != _checksum(encode(invitation)):
        raise MalformedLink("This invitation is damaged.")
    return invitation


def parse_channel_link(text: str) -> ChannelLink:
    """The channel's link in `text`: `roost-channel:PAYLOAD` or `https://…#PAYLOAD`. Raises MalformedLink."""
    text = _trimmed(text)
    scheme, _, armoured = text.partition(":")
    if scheme.lower() == "https" and armoured.startswith("//") and "#" in armoured:
        armoured = armoured.partition("#")[2]
    elif scheme.lower() != CHANNEL_SCHEME:
        raise MalformedLink("This is not a channel's link.", hint=f"A channel's link begins with {CHANNEL_SCHEME}:")
    link, checksum = _unarmoured(ChannelLink, armoured)
    if checksum != _checksum(encode(link)):
        raise MalformedLink("This channel's link is damaged.")
    return link


def parse_authority_line(text: str) -> AuthorityLine:
    """`roost-authority:PAYLOAD`. Raises MalformedLink."""
    text = _trimmed(text)
    scheme, _, armoured = text.partition(":")
    if scheme.lower() != AUTHORITY_SCHEME:
        raise MalformedLink("This is not an authority's line.", hint=f"One begins with {AUTHORITY_SCHEME}:")
    line, checksum = _unarmoured(AuthorityLine, armoured)
    if checksum != _checksum(encode(line)):
        raise MalformedLink("This authority's line is damaged.")
    return line


def _no_invitation(scheme: str) -> NoReturn:
    if scheme == NETWORK_SCHEME:
        raise MalformedLink("This is an onion network's link, not an invitation.", hint="Ask for an invitation.")
    if scheme == RELAY_SCHEME:
        raise MalformedLink("This is a relay's link, not an invitation.", hint="Ask the person for an invitation.")
    raise MalformedLink("This is not an invitation.", hint=f"An invitation begins with {INVITATION_SCHEME}:")


def _trimmed(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_LINK:
        raise MalformedLink("This link is too long.")
    return text


def _port(text: str) -> int:
    """A port in decimal, without leading zeros. Raises OutOfBounds."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and text[0] != "0" and int(text) <= 65_535):
        raise OutOfBounds("this is not a port")
    return int(text)


def _covered(endpoint: str, tail: _RelayTail) -> bytes:
    """What a relay link's checksum covers: the endpoint that stands outside its payload too."""
    return encode((endpoint, tail))


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_SIZE]


def _armour(structure: Record, covered: bytes) -> str:
    return _base64(encode(structure) + _checksum(covered))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unarmoured(kind: type[R], text: str) -> tuple[R, bytes]:
    """The structure and the checksum in a payload, of which only the one spelling that `_armour` writes is accepted."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedLink("This link is damaged.") from error
    if _base64(raw) != text:
        raise MalformedLink("This link is damaged.")
    try:
        return decode(kind, raw[:-_CHECKSUM_SIZE]), raw[-_CHECKSUM_SIZE:]
    except WireError as error:
        raise MalformedLink("This link is damaged, cut off, or made by a newer Roost.") from error
