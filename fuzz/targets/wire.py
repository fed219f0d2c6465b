"""Targets of the wire room: structures, calls, contents, links, hosts, the stream of frames, padding."""

from __future__ import annotations

import base64
import hashlib
import inspect
from typing import Any

from fuzz.tools import Choices, Target, insist, only
from roost.crypto import padding as crypto_padding
from roost.errors import CryptoError, WireError
from roost.wire import addresses, ballots, codec, content, identity, links, mailbox, onion, padding
from roost.wire.addresses import canonical_host
from roost.wire.calls import MalformedCall, decode_call
from roost.wire.codec import OutOfBounds, Record, TextRecord, decode, decode_parts, encode
from roost.wire.frames import FrameReader, frame

UNIONS: dict[str, Any] = {
    "Content": content.Content,
    "Request": mailbox.Request,
    "Response": mailbox.Response,
    "ServerFrame": mailbox.ServerFrame,
}
KINDS: dict[str, Any] = UNIONS | {
    name: kind
    for module in (addresses, codec, content, identity, links, mailbox, onion, ballots)
    for name, kind in sorted(vars(module).items())
    if inspect.isclass(kind) and issubclass(kind, Record) and kind not in (Record, TextRecord)
}
NAMES = sorted(KINDS)


def structure(data: bytes) -> None:
    """The first byte names the kind, the others are its encoding."""
    if not data:
        return
    name, encoded = NAMES[data[0] % len(NAMES)], data[1:]
    with only(WireError):
        value = decode(KINDS[name], encoded)
        insist(encode(value) == encoded, "another encoding was accepted")
        insist(decode(KINDS[name], encode(value)) == value, "what is encoded does not come back")
        repr(value)


def call(data: bytes) -> None:
    try:
        read = decode_call(data)
    except MalformedCall as error:
        insist(error.call is None or 0 <= error.call < 2**32, "a call's id is out of bounds")
        return
    insist(encode(read) == data, "another encoding was accepted")


def contents(data: bytes) -> None:
    with only(WireError):
        read = content.decode_content(data)
        if isinstance(read, content.Unknown):
            insist(read.raw == data and read.tag not in content._KNOWN_TAGS, "an unknown content was changed")
        else:
            insist(content.encode_content(read) == data, "another encoding was accepted")
    with only(WireError):
        insist(b"".join(map(bytes, decode_parts(data))) in data, "parts are not of the array")


def link(data: bytes) -> None:
    """Texts as people paste them, and payloads whose checksum is right."""
    choices = Choices(data)
    how = choices.below(4)
    if how == 0:
        _one_link(choices.rest().decode("utf-8", "replace"))
    elif how == 1:
        payload = choices.rest()
        _one_link(f"roost:{_armoured(payload, payload)}")
    else:
        tail = choices.rest()
        endpoint = ("relay.example:443", "[::1]:1")[how - 2]
        _one_link(f"roost-relay://{endpoint}/{_armoured(tail, b'')}")
        with only(WireError):
            covered = encode((endpoint, decode(links._RelayTail, tail)))
            _one_link(f"roost-relay://{endpoint}/{_armoured(tail, covered)}")


def _armoured(payload: bytes, covered: bytes) -> str:
    raw = payload + hashlib.sha256(covered).digest()[:4]
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _one_link(text: str) -> None:
    with only(links.MalformedLink):
        invitation = links.parse_invitation(text)
        insist(links.parse_invitation(str(invitation)) == invitation, "an invitation changes when it is written")
    with only(links.MalformedLink):
        relay = links.parse_relay_link(text)
        insist(links.parse_relay_link(str(relay)) == relay, "a relay link changes when it is written")
    with only(links.MalformedLink):
        line = links.parse_authority_line(text)
        insist(links.parse_authority_line(str(line)) == line, "an authority's line changes when it is written")


def host(data: bytes) -> None:
    with only(OutOfBounds):
        canonical = canonical_host(data.decode("utf-8", "replace"))
        insist(canonical_host(canonical) == canonical, "the canonical spelling has another one")
        insist(canonical.isascii() and canonical == canonical.lower(), "not the spelling that travels")
        if len(canonical) <= 128:
            addresses.RelayAddress(canonical, 1, bytes(32))


def stream(data: bytes) -> None:
    """Frames fed piece by piece are those fed at once; the first byte is the size of the pieces."""
    if not data:
        return
    size, whole = data[0] + 1, data[1:]
    at_once, pieces = FrameReader(4_096), FrameReader(4_096)
    try:
        expected = at_once.feed(whole)
    except WireError:
        expected = None
    found: list[bytes] = []
    failed = False
    for start in range(0, len(whole), size):
        try:
            found += pieces.feed(whole[start : start + size])
        except WireError:
            failed = True
            break
    insist(failed == (expected is None), "only one way of feeding is refused")
    if expected is not None:
        insist(found == expected, "pieces give other frames")
        insist(whole.startswith(b"".join(map(frame, found))), "frames are not those of the stream")


def padded(data: bytes) -> None:
    with only(WireError):
        plain = padding.unpad(data)
        insist(padding.pad(plain, len(data)) == data, "wire: another padding was accepted")
    with only(CryptoError):
        plain = crypto_padding.unpad(data)
        insist(crypto_padding.pad(plain, len(data)) == data, "crypto: another padding was accepted")


TARGETS = (
    Target("wire-structures", structure, "every structure has one encoding; else WireError", structured=1),
    Target("wire-calls", call, "a client's frame is a call or MalformedCall", structured=0),
    Target("wire-contents", contents, "a content has one encoding; unknown ones stay as they are", structured=0),
    Target("wire-links", link, "links have one spelling; else MalformedLink", max_size=2_048),
    Target("wire-hosts", host, "a host has one canonical spelling; else OutOfBounds", max_size=256),
    Target("wire-stream", stream, "piece by piece gives the same frames as at once"),
    Target("wire-padding", padded, "only what pad writes is accepted", max_size=512),
)
