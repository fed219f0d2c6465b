"""Strict, canonical msgpack: the one way in which every structure of this room becomes bytes and comes back.

Only the encoding that `encode` would write is accepted, so a structure has one byte string, can be signed and hashed,
and two parsers cannot disagree about it (C2SP age: decoders reject what an encoder would not write). The rules in
words: docs/protocol/envelope-and-frames.md.
"""

from __future__ import annotations

import enum
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from roost.errors import CallerError, WireError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


class OutOfBounds(CallerError, ValueError):
    """A value is longer or larger than its field allows. Raised where a structure is made; `decode` says WireError."""

    code = "out_of_bounds"
    hint = "Make it shorter."


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every wire structure: an immutable msgpack array whose fields stand in the order of their definition.

    Its `repr` shows sizes instead of bytes and texts, because those are capabilities, keys and what people say.
    """

    def __repr__(self) -> str:
        shown = (f"{name}={_redacted(getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, _redacted(getattr(self, name))) for name in self.__struct_fields__]


class TextRecord(Record, frozen=True):
    """Base of structures with text: here `max_length` of a text counts its UTF-8 bytes, not its code points.

    Raises OutOfBounds when made with a longer text, or with one that is not Unicode (lone surrogates).
    """

    def __post_init__(self) -> None:
        for name, limit in _text_limits(type(self)):
            value = getattr(self, name)
            for text in (value,) if isinstance(value, str) else value:
                _check_text(text, limit)


class Extension(Record, frozen=True):
    """What a later version adds to a structure; readers skip the kinds that they do not know."""

    kind: Annotated[int, Meta(ge=0, le=2**16 - 1)]
    data: Annotated[bytes, Meta(max_length=4_096)]


Extensions = Annotated[tuple[Extension, ...], Meta(max_length=16)]
"""The last field of structures that outlive a version (card, device list, relay info); kinds ascend."""


def check_extensions(extensions: tuple[Extension, ...]) -> None:
    """Raises OutOfBounds unless kinds ascend strictly, so that a set of extensions has one encoding."""
    kinds = [extension.kind for extension in extensions]
    if any(after <= before for before, after in pairwise(kinds)):
        raise OutOfBounds("extensions are out of order")


def encode(value: object) -> bytes:
    """The canonical bytes of a wire structure."""
    return _encoder.encode(value)


def decode(kind: type[T], data: bytes) -> T:
    """Parse `data` as `kind`, complete and canonical.

    Raises:
        WireError: truncated, oversized, wrongly typed, out of bounds, trailing or non-canonical bytes.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        value = decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError("malformed data") from error
    if _encoder.encode(value) != data:
        raise WireError("data is not in canonical form")
    return value  # type: ignore[return-value]


def decode_parts(data: bytes) -> list[msgspec.Raw]:
    """The elements of a canonical msgpack array, none of them parsed: for looking at a tag or an id before the rest.

    Raises:
        WireError: not one whole array.
    """
    try:
        parts = _parts_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError("malformed data") from error
    if _encoder.encode(parts) != data:
        raise WireError("data is not in canonical form")
    return parts


_parts_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])


@cache
def _text_limits(kind: type[Record]) -> tuple[tuple[str, int], ...]:
    """The text fields of `kind`, or tuples of texts, with their limits in bytes."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return tuple((field.name, limit) for field in info.fields if (limit := _limit(field.type)) is not None)


def _limit(info: Any) -> int | None:
    if isinstance(info, msgspec.inspect.VarTupleType):
        return _limit(info.item_type)
    return info.max_length if isinstance(info, msgspec.inspect.StrType) else None


def _redacted(value: object) -> str:
    match value:
        case bytes():
            return f"<{len(value)} bytes>"
        case enum.Enum():
            return value.name
        case str():
            return f"<{len(value)} characters>"
        case tuple():
            return f"({', '.join(_redacted(item) for item in value)})"
        case _:
            return repr(value)


def _check_text(text: str, limit: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise OutOfBounds("text is not Unicode", hint="Check the text's encoding; it should be UTF-8.") from error
    if size > limit:
        raise OutOfBounds("text is too long")
