"""Reading a person's file for sending: it must stay the same from the first byte to the last.

Place: store, under files.py.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from roost.crypto import BLOB_PLAIN
from roost.errors import CallerError, SurroundingsError
from roost.store.failures import from_os, not_a_file
from roost.wire.sizes import MAX_FILE


class Source:
    """A file opened for reading once, from beginning to end.

    Raises:
        CallerError: `no_such_file`, `not_a_file`, `file_too_large`.
        SurroundingsError: `no_permission`.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Without O_NONBLOCK, opening a named pipe waits for ever.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os(error) from error
        try:
            self._before: Final = os.fstat(self._descriptor)
            if not stat.S_ISREG(self._before.st_mode):
                raise not_a_file()
            if self._before.st_size > MAX_FILE:
                raise CallerError(
                    f"The file is larger than {MAX_FILE // 1024**3} GiB.",
                    code="file_too_large",
                    hint="Split it, or send it another way.",
                )
        except BaseException:
            self.close()
            raise
        self.size: Final = self._before.st_size

    def chunks(self) -> Iterator[bytes]:
        """All its bytes: full BLOB_PLAIN ones, then the rest; one empty chunk of an empty file.

        Raises SurroundingsError `file_vanished` as soon as it is seen to have changed, at the end at the latest.
        """
        rest = self.size
        while True:
            chunk = self._read(min(BLOB_PLAIN, rest))
            rest -= len(chunk)
            if not rest:
                self._check_unchanged()
            yield chunk
            if not rest:
                return

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            with _vanishing():
                part = os.read(self._descriptor, size)
            if not part:
                raise file_vanished()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _check_unchanged(self) -> None:
        with _vanishing():
            now = os.fstat(self._descriptor)
        if (now.st_size, now.st_mtime_ns) != (self.size, self._before.st_mtime_ns) or now.st_nlink == 0:
            raise file_vanished()

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def file_vanished() -> SurroundingsError:
    return SurroundingsError(
        "The file changed or vanished while it was being read.",
        code="file_vanished",
        hint="Nothing was sent. Wait until nobody writes to it, then send it again.",
    )


@contextmanager
def _vanishing() -> Iterator[None]:
    """A medium that is pulled out, or a share that is gone, shows as an I/O error."""
    try:
        yield
    except OSError as error:
        raise file_vanished() from error
