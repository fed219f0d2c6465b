"""Changes msgpack value by value: most of what byte flips make of it is refused at once, and the parser behind the
decoder, which libFuzzer cannot see into, would hardly be reached."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

Mutate = Callable[[bytes, int], bytes]

VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**53, 2**53 + 1, 2**63, 2**64 - 1),
    *(None, True, False, 0.0, float("nan"), "", "a", "\u0000", "ß" * 40, b"", b"\0", [], [[]], [None], {}, {"a": 1}),
    *(bytes(16), bytes(31), bytes(32), bytes(33), bytes(64), bytes(1_184), bytes(1_216), bytes(4_095), bytes(4_096)),
)


def changed(data: bytes, offset: int, max_size: int, seed: int, mutate: Mutate) -> bytes:
    """`data` with one change or a few: of values inside the msgpack behind `offset`, or of bytes."""
    chance = random.Random(seed)  # noqa: S311
    if chance.random() < 0.3:
        return mutate(data, max_size)
    try:
        tree = msgspec.msgpack.decode(data[offset:])
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            tree = _changed(tree, chance, mutate)
        result = data[:offset] + msgspec.msgpack.encode(tree)
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError, OverflowError):
        return mutate(data, max_size)
    return result if len(result) <= max_size else mutate(data, max_size)


def _changed(value: Any, chance: random.Random, mutate: Mutate) -> Any:
    """`value` with one part of it changed; deeper parts are chosen more often than shallow ones."""
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        match chance.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value[:at], value[at], *value[at:]]
            case 2:
                return [*value, chance.choice(VALUES)]
            case _:
                return [*value[:at], _changed(value[at], chance, mutate), *value[at + 1 :]]
    if isinstance(value, bytes) and chance.random() < 0.7:
        return _changed_bytes(value, chance, mutate)
    if isinstance(value, str) and chance.random() < 0.7:
        return mutate(value.encode(), len(value) + 16).decode("utf-8", "replace")
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.7:
        return max(-(2**63), min(2**64 - 1, value + chance.choice((-1, 1, 256, -256, chance.randrange(2**32)))))
    return chance.choice(VALUES)


def _changed_bytes(value: bytes, chance: random.Random, mutate: Mutate) -> bytes:
    """Other bytes; or what lies inside, where it is msgpack itself (an entry's content, a signed card)."""
    match chance.randrange(4):
        case 0:
            return value[:-1] if chance.randrange(2) else value + b"\0"
        case 1:
            try:
                return msgspec.msgpack.encode(_changed(msgspec.msgpack.decode(value), chance, mutate))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                return mutate(value, len(value) + 16)
        case _:
            return mutate(value, len(value) or 1)
