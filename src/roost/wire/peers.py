"""What two devices say to each other about their link, on its channel of its own (docs/protocol/direct.md)."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from roost.wire.codec import Extensions, Record, check_extensions

PEER_VERSION: Final = 1
MAX_PLACE: Final = 255


class KnownPlace(Record, frozen=True):
    """Where the sender can be reached over a carrier: bytes that mean something to that carrier alone."""

    carrier: Annotated[int, Meta(ge=0, le=255)]
    data: Annotated[bytes, Meta(min_length=1, max_length=MAX_PLACE)]


class PeerHello(Record, frozen=True, tag=0):
    """The first message of each end, and again when its places change."""

    version: Annotated[int, Meta(ge=1, le=2**16 - 1)]
    places: Annotated[tuple[KnownPlace, ...], Meta(max_length=16)] = ()
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        check_extensions(self.extensions)
