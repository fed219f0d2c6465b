"""What targets share: reading choices out of the fuzzer's bytes, and saying that a property does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from roost.errors import RoostError


class Broken(AssertionError):
    """A parser did what it must not. Not a RoostError, so nothing that a parser catches hides it."""


def insist(fact: bool, what: str) -> None:
    """Raises Broken unless `fact`."""
    if not fact:
        raise Broken(what)


@contextmanager
def only(*kinds: type[Exception]) -> Iterator[None]:
    """Whatever of these is raised is a proper refusal; everything else is a finding."""
    try:
        yield
    except kinds as error:
        if isinstance(error, RoostError):
            insist(bool(error.code) and bool(str(error)), "a refusal without code or words")


@dataclass(frozen=True)
class Target:
    """One parser: `run` takes any bytes and raises only when the property does not hold.

    `structured`: the input from byte `structured` on is msgpack, which the fuzzer then also changes value by value.
    """

    name: str
    run: Callable[[bytes], None]
    property: str
    max_size: int = 8_192
    structured: int | None = None


class Choices:
    """Reads an input from its front; beyond its end everything is zero."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """`count` bytes."""
        part = self._data[self._at : self._at + count]
        self._at += len(part)
        return part.ljust(count, b"\0")

    def number(self, size: int) -> int:
        """A big-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def below(self, limit: int) -> int:
        """A number under `limit` (at most 256), from one byte."""
        return self.number(1) % limit

    def rest(self) -> bytes:
        part, self._at = self._data[self._at :], len(self._data)
        return part

    @property
    def left(self) -> int:
        return len(self._data) - self._at


class CountedEntropy:
    """Deterministic bytes: the same in every run, so that a finding happens again."""

    def __init__(self) -> None:
        self._count = 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        block = self._count.to_bytes(8, "big")
        return (block * (count // 8 + 1))[:count]
