"""Targets of the relay: HTTP and WebSocket, sealed packets, whole requests through its rules, its configuration."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.targets.crypto import _packet_secret
from fuzz.tools import Choices, Target, insist, only
from roost.errors import RoostError, WireError
from roost.relay.config import BadConfig, load_config, public_endpoint, split_listen
from roost.relay.core.packets import PacketKeys, TagSet, WeeklyKey, allowed
from roost.relay.core.refusal import RefusedRequest
from roost.relay.server.framing import RawFraming
from roost.relay.server.web_framing import WebFraming
from roost.relay.storage.memory import MemoryEngine
from roost.wire.codec import decode, decode_parts, encode
from roost.wire.frames import FrameReader
from roost.wire.mailbox import Call, Done, MailboxKind, Put, Refusal, RefusalCode, Request
from roost.wire.sizes import MAX_FRAME, PACKET_LARGE, PACKET_SMALL
from tests.relay.relay_core import CoreRelay, create

UPGRADE = (
    b"GET /roost HTTP/1.1\r\nHost: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def web(data: bytes) -> None:
    """Bytes on a connection that is not raw, or behind a proper upgrade, where they mean the same in pieces."""
    choices = Choices(data)
    upgraded, size = bool(choices.below(2)), choices.below(64) + 1
    whole = choices.rest()
    at_once, refused = _fed(whole, len(whole) or 1, upgraded)
    pieces, _ = again = _fed(whole, size, upgraded)
    if upgraded:
        insist((at_once, refused) == again, "in pieces it means something else")
    for body in at_once + pieces:
        insist(0 < len(body) <= MAX_FRAME, "a frame's size is out of bounds")


def _fed(whole: bytes, size: int, upgraded: bool) -> tuple[list[bytes], bool]:
    """The frames, and whether the stream was refused: then none of them counts."""
    framing, frames = WebFraming(lambda: b"{}"), []
    if upgraded:
        framing.receive(UPGRADE)
    try:
        for start in range(0, len(whole), size):
            frames += framing.receive(whole[start : start + size])
            framing.replies()
            if framing.over():
                break
    except WireError:
        return [], True
    finally:
        framing.wrap(b"body")
        framing.closing()
    return frames, False


def raw(data: bytes) -> None:
    """A raw stream: the frames of `FrameReader`, in pieces too, and plain puts that `decode_call` finds as well."""
    choices = Choices(data)
    size = choices.below(256) + 1
    whole = choices.rest()
    expected, refused = _taken(FrameReader().feed, whole, size)
    found, hopeless = _taken(RawFraming().receive, whole, size)
    insist(hopeless == refused, "only one of both refuses the stream")
    bodies = [each if isinstance(each, bytes) else encode(Call(each[0], Put(each[1], each[2]))) for each in found]
    insist(bodies == expected, "the frames are others")


def _taken(feed: Callable[[bytes], list[Any]], whole: bytes, size: int) -> tuple[list[Any], bool]:
    found: list[Any] = []
    for start in range(0, len(whole), size):
        try:
            found += feed(whole[start : start + size])
        except WireError:
            return [], True
    return found, False


def packet(data: bytes) -> None:
    """A packet of another relay whose plaintext is anything: a request that may come this way, or none."""
    choices, secret = Choices(data), _packet_secret()
    raw = choices.below(4) == 0
    plain = bytes(32) + choices.rest()
    keys = PacketKeys([WeeklyKey(0, secret, TagSet())])
    sealed = plain if raw else secret.public.seal(plain)
    with only(RefusedRequest):
        opened = keys.opened(sealed, 1.0)
        if opened.request is not None:
            allowed(opened.request)
        for response in (Done(), Refusal(RefusalCode.DENIED)):
            insist(len(opened.seal(response)) - 16 in (PACKET_SMALL, PACKET_LARGE), "an answer has a size of its own")
        try:
            keys.opened(sealed, 1.0)
        except RefusedRequest:
            return
        insist(False, "a packet was opened twice")


@cache
def _filled() -> Any:
    relay = CoreRelay(MemoryEngine())
    for kind in MailboxKind:
        insist(isinstance(relay.ask(create(f"box {int(kind)}", kind)), Done), "a mailbox could not be made")
    return vars(relay.engine)["_state"]


def requests(data: bytes) -> None:
    """An array of requests, one after the other, to a relay with one mailbox of each kind."""
    with only(WireError):
        parts = decode_parts(data)
        engine = MemoryEngine()
        engine._state = deepcopy(_filled())
        relay = CoreRelay(engine)
        for part in parts[:12]:
            relay.ask(decode(Request, bytes(part)))  # type: ignore[arg-type]
        relay.crash()
        insist(relay.desk.mailboxes == len(engine._state.boxes), "mailboxes are miscounted")


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="roost-fuzz-")) / "relay.toml"


def config(data: bytes) -> None:
    """A configuration file, and the two settings that have a syntax of their own."""
    path = _scratch()
    path.write_bytes(data)
    with only(BadConfig):
        load_config(path, data=path.parent).limits()
    text = data.decode("utf-8", "replace")
    with only(BadConfig):
        host, port = split_listen(text)
        insist(bool(host) and 0 <= port < 65_536, "a place to listen that is none")
    with only(RoostError):
        public_endpoint(text)


TARGETS = (
    Target("relay-web", web, "HTTP and WebSocket: whole frames or WireError, however it is cut"),
    Target("relay-raw", raw, "the frames of a raw stream or WireError, however it is cut"),
    Target("relay-packets", packet, "a sealed request is read or not, once; answers have two sizes", 4_096),
    Target("relay-requests", requests, "any requests in any order get answers or refusals", 16_384, structured=0),
    Target("relay-config", config, "a configuration or BadConfig", 2_048),
)
