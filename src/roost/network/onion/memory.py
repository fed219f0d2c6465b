"""What of an onion network must survive a restart: its document, its consensus, a client's entry nodes."""

from __future__ import annotations

from typing import Protocol


class OnionMemory(Protocol):
    """Bytes by name, durable once `save` returns."""

    def load(self, key: str) -> bytes | None: ...

    def save(self, key: str, value: bytes) -> None: ...


class Forgetful:
    """An `OnionMemory` in memory alone."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load(self, key: str) -> bytes | None:
        return self._kept.get(key)

    def save(self, key: str, value: bytes) -> None:
        self._kept[key] = value
