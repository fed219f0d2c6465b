"""The links that people exchange: relay links and invitations. Short, checked against typing errors, fit for QR codes.

A relay link is `roost-relay://HOST:PORT/PAYLOAD`; an invitation is `roost:PAYLOAD`, or the same payload behind the `#`
of any https URL, which never reaches a server. PAYLOAD is unpadded base64url of a canonical structure followed by the
first 4 bytes of its SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from msgspec import Meta

from roost.errors import CallerError, WireError
from roost.wire.addresses import Fingerprint, RelayAddress, RelayKey
from roost.wire.codec import Record, decode, encode

RELAY_SCHEME = "roost-relay"
INVITATION_SCHEME = "roost"
_CHECKSUM_SIZE = 4
_MAX_LINK = 2_000

R = TypeVar("R", bound=Record)


class MalformedLink(CallerError):
    """The link is mistyped, cut off or not one of Roost's. Ask for it again, or copy it whole."""

    code = "malformed_link"
    hint = "Copy the whole link again; a character is missing or wrong."


class RelayLink(Record, frozen=True):
    """How to reach a relay, and the access secret if it asks for one."""

    address: RelayAddress
    access: Annotated[str, Meta(max_length=64)] = ""

    def __str__(self) -> str:
        tail = _RelayTail(1, self.address.key, self.address.tls_fingerprint, self.access)
        return f"{RELAY_SCHEME}://{self.address.endpoint}/{_armour(encode((self.address.endpoint, tail)), tail)}"


class _RelayTail(Record, frozen=True):
    version: Annotated[int, Meta(ge=1, le=1)]
    key: RelayKey
    tls_fingerprint: Fingerprint
    access: Annotated[str, Meta(max_length=64)]


class InvitationKind(enum.IntEnum):
    ONE_TIME = 0  # `pin` is the first 16 bytes of SHA-256 of the signed card
    REUSABLE = 1  # `pin` is the first 16 bytes of SHA-256 of the account key
    DEVICE = 2  # as ONE_TIME, but it links a new device of one's own


class Invitation(Record, frozen=True):
    """Where the encrypted card is, the secret that finds and opens it, and what pins its content."""

    version: Annotated[int, Meta(ge=1, le=1)]
    kind: InvitationKind
    relay: RelayAddress
    secret: Annotated[bytes, Meta(min_length=16, max_length=16)]
    pin: Annotated[bytes, Meta(min_length=16, max_length=16)]

    def __str__(self) -> str:
        return f"{INVITATION_SCHEME}:{_armour(encode(self), self)}"


def parse_relay_link(text: str) -> RelayLink:
    """Raises MalformedLink."""
    text = _trimmed(text)
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise MalformedLink("This relay link cannot be read.") from error
    if url.scheme != RELAY_SCHEME or not host or not port or url.query or url.fragment:
        raise MalformedLink("This is not a relay link.", hint=f"A relay link begins with {RELAY_SCHEME}://")
    endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    payload, checksum = _unarmoured(url.path.removeprefix("/"))
    tail = _structure(_RelayTail, payload)
    if checksum != _checksum(encode((endpoint, tail))):
        raise MalformedLink("This relay link is damaged.")
    try:
        link = RelayLink(RelayAddress(host, port, tail.key, tail.tls_fingerprint), tail.access)
        return decode(RelayLink, encode(link))
    except WireError as error:
        raise MalformedLink("This relay link is damaged.") from error


def parse_invitation(text: str) -> Invitation:
    """Raises MalformedLink. Accepts `roost:PAYLOAD` and `https://…#PAYLOAD`."""
    text = _trimmed(text)
    scheme, _, rest = text.partition(":")
    if scheme.lower() == INVITATION_SCHEME:
        armoured = rest
    elif scheme.lower() == "https" and "#" in rest:
        armoured = rest.partition("#")[2]
    else:
        raise MalformedLink("This is not an invitation.", hint=f"An invitation begins with {INVITATION_SCHEME}:")
    payload, checksum = _unarmoured(armoured)
    if checksum != _checksum(payload):
        raise MalformedLink("This invitation is damaged.")
    return _structure(Invitation, payload)


def _trimmed(text: str) -> str:
    text = text.strip()
    if len(text) > _MAX_LINK:
        raise MalformedLink("This link is too long.")
    return text


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_SIZE]


def _armour(checked: bytes, structure: Record) -> str:
    return base64.urlsafe_b64encode(encode(structure) + _checksum(checked)).rstrip(b"=").decode()


def _unarmoured(text: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedLink("This link is damaged.") from error
    if len(raw) <= _CHECKSUM_SIZE:
        raise MalformedLink("This link is cut off.")
    return raw[:-_CHECKSUM_SIZE], raw[-_CHECKSUM_SIZE:]


def _structure(kind: type[R], payload: bytes) -> R:
    try:
        return decode(kind, payload)
    except WireError as error:
        raise MalformedLink("This link is damaged, or made by a newer Roost.") from error
