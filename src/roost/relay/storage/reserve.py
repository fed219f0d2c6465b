"""A file that is there to be deleted: room on a full disk for what frees space.

To delete rows SQLite first has to write. Without this, a full disk could not be emptied by those who fetch their mail.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 16 * 1024**2


class Reserve:
    """Best effort: where there is no room for it, there is none."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    def keep(self) -> None:
        """Make the file, or make it again."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if os.fstat(descriptor).st_size < self._size:
                    _fill(descriptor, self._size)
            except OSError:
                os.ftruncate(descriptor, 0)  # half a reserve would be half of somebody's room
            finally:
                os.close(descriptor)

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()


def _fill(descriptor: int, size: int) -> None:
    """Real blocks, not a hole."""
    zeros = bytes(1024**2)
    written = 0
    while written < size:
        written += os.pwrite(descriptor, zeros[: size - written], written)
