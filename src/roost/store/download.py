"""An attachment that grows on disk blob by blob, each verified before it counts; interrupted, it goes on where it was.

Place: store, under files.py. What it does not decide: where blobs come from, and that padding blobs are thrown away.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Final

from roost.crypto import BLOB_SIZE
from roost.errors import CryptoError
from roost.store.durable import OWNER_ONLY, publish_file, sync_file, write_all
from roost.store.failures import os_errors
from roost.store.fileref import DIGEST_SIZE, FileRef


class Download:
    """Made by FileStore.download or FileStore.resume. For one thread at a time; close it, or use it as a context.

    `done` says how many blobs are there and verified: ask for blob number `done` next. What a power cut left damaged is
    noticed when the download is taken up again, and is not counted.
    """

    def __init__(self, ref: FileRef, partial: Path, complete: Path) -> None:
        self.ref: Final = ref
        self.done = 0
        self._complete: Final = complete
        self._path: Final = complete if complete.exists() else partial  # a crash came before the database was told
        self._hash: Final = hashlib.blake2b(digest_size=DIGEST_SIZE)
        with os_errors():
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            self._verify_what_is_there()
        except BaseException:
            self.close()
            raise

    def _verify_what_is_there(self) -> None:
        while self.done < self.ref.blobs:
            with os_errors():
                blob = os.pread(self._descriptor, BLOB_SIZE, self.done * BLOB_SIZE)
            try:
                plain = self.ref.open_blob(self.done, blob)
            except CryptoError:
                return
            self._count(plain)

    def _count(self, plain: bytes) -> None:
        self._hash.update(plain)
        self.done += 1

    @property
    def total(self) -> int:
        """How many blobs the attachment has."""
        return self.ref.blobs

    def append(self, blob: bytes) -> None:
        """Verify and keep blob number `done`.

        Raises:
            CryptoError: it is not that blob of this attachment.
            SurroundingsError: `disk_full`, `disk_failed`.
            After any of these nothing has changed.
        """
        if self.done >= self.total:
            raise ValueError("all blobs are there")
        plain = self.ref.open_blob(self.done, blob)
        with os_errors():
            os.lseek(self._descriptor, self.done * BLOB_SIZE, os.SEEK_SET)
            write_all(self._descriptor, blob)
        self._count(plain)

    def finish(self) -> bytes:
        """Make the complete file durable under its name; returns BLAKE2b-256 of its plain bytes, to be compared.

        Raises SurroundingsError `disk_full`, `disk_failed`.
        """
        if self.done < self.total:
            raise ValueError("blobs are missing")
        with os_errors():
            os.truncate(self._descriptor, self.total * BLOB_SIZE)
            sync_file(self._descriptor)
            publish_file(self._path, self._complete, overwrite=True)
        return self._hash.digest()

    def close(self) -> None:
        """Stop, keeping what is there. Closing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Download:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
