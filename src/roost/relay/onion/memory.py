"""What a relay keeps of an onion network's directory: one file for each thing, replaced as a whole."""

from __future__ import annotations

import contextlib
from pathlib import Path

from roost.relay.files import write_secret


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
