"""What a relay keeps of an onion network's directory: one file for each thing, replaced as a whole."""

from __future__ import annotations

import contextlib
from pathlib import Path

from roost.errors import WireError
from roost.relay.files import write_secret
from roost.wire.codec import decode, encode
from roost.wire.onion import Consensus


class FileMemory:
    """An `OnionMemory` (network.onion.memory) in a folder. What cannot be written is fetched again after a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def save(self, key: str, value: bytes) -> None:
        with contextlib.suppress(OSError):
            write_secret(self._path(key), value)

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "-")


class Before:
    """The consensus in use and the one before it, also after a restart: who kept a place before may hold what others
    never heard of."""

    def __init__(self, memory: FileMemory, network: bytes) -> None:
        self._memory = memory
        self._name = f"{network.hex()}/%s"
        self._used = self._load("used")
        self._before = self._load("before")

    def used(self, current: Consensus) -> None:
        """This one is used from now on."""
        if self._used is not None and self._used.period >= current.period:
            return
        if self._used is not None:
            self._before = self._used
            self._save("before", self._used)
        self._used = current
        self._save("used", current)

    def before(self, current: Consensus) -> Consensus | None:
        """The last one that was used before this."""
        older = [one for one in (self._used, self._before) if one is not None and one.period < current.period]
        return max(older, key=lambda one: one.period, default=None)

    def _load(self, what: str) -> Consensus | None:
        data = self._memory.load(self._name % what)
        if data is None:
            return None
        try:
            return decode(Consensus, data)
        except WireError:  # cut short by a power failure
            return None

    def _save(self, what: str, consensus: Consensus) -> None:
        self._memory.save(self._name % what, encode(consensus))
