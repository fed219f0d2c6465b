"""The profile's lock: one process at a time. DESIGN section 9.

An empty file, never deleted (deleting it would let two processes lock two different files of one name). `flock` belongs
to the open file, so it excludes within one process too, and the kernel drops it when the process dies, however it dies.
The database holds a second, independent lock of its own (database.py) should somebody open it around this one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from roost.store.durable import OWNER_ONLY
from roost.store.failures import os_errors, profile_busy

WAIT_S: Final = 10.0  # docs/cli.md: commands wait up to 10 s for a profile that another process holds
_POLL_S: Final = 0.05


class ProfileLock:
    """Held from construction until `release`.

    Blocks the calling thread for up to `wait_s` seconds. Raises SurroundingsError `profile_busy`.
    """

    def __init__(self, path: Path, wait_s: float = WAIT_S) -> None:
        with os_errors():
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            self._wait(wait_s)
        except BaseException:
            self.release()
            raise

    def _wait(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise profile_busy() from None
                time.sleep(_POLL_S)
            else:
                return

    @property
    def held(self) -> bool:
        return self._descriptor >= 0

    def release(self) -> None:
        """Let others in. Releasing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> ProfileLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
