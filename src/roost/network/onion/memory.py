"""What of an onion network must survive a restart: its document, its consensus, a client's entry nodes."""

from __future__ import annotations

from typing import Protocol


class OnionMemory(Protocol):
    """Bytes by name. What cannot be written durably is no error of the network's, and let go of."""

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
