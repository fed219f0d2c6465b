"""Attachments at rest: the profile's `files/` folder. docs/protocol/profile-format.md, "files/".

Each file is stored under a random name as the sequence of sealed blobs that crypto.attachment makes of it; its key
stands in the database. A file appears whole or not at all (`add`), or grows by verified blobs (`download`). Memory use
is one blob, whatever the file's size. Safe in threads: nothing is shared but the folder.

Place: store. What it does not decide: which message a file belongs to, and when it is deleted (messaging, agent).
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roost.crypto import BLOB_PLAIN, BLOB_SIZE, AttachmentKey, Entropy
from roost.errors import CryptoError, SurroundingsError
from roost.store.download import Download
from roost.store.durable import create_file, publish_file, sync_file, write_all
from roost.store.failures import file_exists, from_os, os_errors
from roost.store.fileref import DIGEST_SIZE, NAME_SIZE, FileRef, check_name
from roost.store.intake import Source

GRACE_S: Final = 3_600.0  # how long a row may take: a message with many large files commits when all are stored
_ADDING: Final = ".new"
_PARTIAL: Final = ".part"

Progress = Callable[[int, int], None]
"""Called with the plain bytes done and the plain bytes in all."""


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file that was taken in, and BLAKE2b-256 of its plain bytes."""

    ref: FileRef
    digest: bytes


class FileStore:
    """The stored files of one profile."""

    def __init__(self, folder: Path, entropy: Entropy) -> None:
        self._folder: Final = folder
        self._entropy: Final = entropy
        self._fresh: Final[dict[str, float]] = {}  # whose row may still be on its way to the database, and until when

    def _path(self, name: str, suffix: str = "") -> Path:
        return self._folder / (check_name(name) + suffix)

    def _new_name(self) -> str:
        name = self._entropy.bytes(NAME_SIZE).hex()
        self._fresh[name] = math.inf
        return name

    # --- in ---------------------------------------------------------------------------------------------------------

    def add(self, source: Path, progress: Progress | None = None) -> AddedFile:
        """Store a copy of `source`, encrypted under a fresh key; it is on disk when this returns.

        Raises:
            CallerError: `no_such_file`, `not_a_file`, `file_too_large` (above 2 GiB).
            SurroundingsError: `file_vanished` (changed, cut or deleted meanwhile), `no_permission`, `disk_full`,
                `disk_failed`. Nothing remains stored.
        """
        with Source(source) as file:
            ref = FileRef(self._new_name(), AttachmentKey.generate(self._entropy), file.size)
            try:
                with _temporary_file(self._path(ref.name, _ADDING)) as (path, descriptor):
                    digest = _seal_into(descriptor, file, ref, progress)
                    with os_errors():
                        sync_file(descriptor)
                        publish_file(path, self._path(ref.name), overwrite=True)
            finally:
                self._fresh[ref.name] = time.monotonic() + GRACE_S
        return AddedFile(ref, digest)

    def download(self, key: AttachmentKey, size: int) -> Download:
        """Begin to receive an attachment of `size` plain bytes, which its sender sealed under `key`."""
        ref = FileRef(self._new_name(), key, size)
        self._fresh[ref.name] = time.monotonic() + GRACE_S
        return self.resume(ref)

    def resume(self, ref: FileRef) -> Download:
        """Go on with a download, or begin it. What is there is verified first: about a second for each GiB.

        Raises SurroundingsError `disk_full`, `disk_failed`.
        """
        return Download(ref, self._path(ref.name, _PARTIAL), self._path(ref.name))

    # --- out --------------------------------------------------------------------------------------------------------

    def blob(self, ref: FileRef, index: int) -> bytes:
        """The plain bytes of blob `index`, as when sealing it anew for another device.

        Raises SurroundingsError `file_damaged`, `disk_failed`.
        """
        with self._opened(ref) as descriptor:
            return _open_at(descriptor, ref, index)

    def chunks(self, ref: FileRef) -> Iterator[bytes]:
        """All plain bytes, a blob at a time. Raises SurroundingsError `file_damaged`, `disk_failed`."""
        with self._opened(ref) as descriptor:
            for index in range(ref.blobs):
                yield _open_at(descriptor, ref, index)

    def read(self, ref: FileRef, offset: int, length: int) -> bytes:
        """Plain bytes from `offset` on, at most `length`; fewer at the file's end.

        Raises SurroundingsError `file_damaged`, `disk_failed`.
        """
        if offset < 0 or length < 0:
            raise ValueError("ranges are not negative")
        end = min(offset + length, ref.size)
        if offset >= end:
            return b""
        first, last = offset // BLOB_PLAIN, (end - 1) // BLOB_PLAIN
        with self._opened(ref) as descriptor:
            plain = b"".join(_open_at(descriptor, ref, index) for index in range(first, last + 1))
        return plain[offset - first * BLOB_PLAIN : end - first * BLOB_PLAIN]

    def export(self, ref: FileRef, target: Path, *, overwrite: bool = False, progress: Progress | None = None) -> None:
        """Write the plain file to `target`, readable by its owner only: whole or not at all.

        Raises:
            CallerError: `file_exists` unless `overwrite`, `no_such_file` (no such folder), `bad_file_name`.
            SurroundingsError: `file_damaged`, `no_permission`, `disk_full`, `disk_failed`.
        """
        if not overwrite and os.path.lexists(target):
            raise file_exists()
        name = f".roost-{self._entropy.bytes(8).hex()}{_PARTIAL}"
        with _temporary_file(target.with_name(name)) as (path, descriptor):
            done = 0
            for chunk in self.chunks(ref):
                with os_errors():
                    write_all(descriptor, chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, ref.size)
            with os_errors():
                sync_file(descriptor)
                publish_file(path, target, overwrite=overwrite)

    @contextmanager
    def _opened(self, ref: FileRef) -> Iterator[int]:
        try:
            descriptor = os.open(self._path(ref.name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise file_damaged() from error
        except OSError as error:
            raise from_os(error) from error
        try:
            if os.fstat(descriptor).st_size != ref.blobs * BLOB_SIZE:
                raise file_damaged()
            yield descriptor
        finally:
            os.close(descriptor)

    # --- away -------------------------------------------------------------------------------------------------------

    def delete(self, name: str) -> None:
        """Remove a stored file, complete or not, if it is there. Its row, which holds the key, must go too."""
        with os_errors():
            for suffix in ("", _PARTIAL, _ADDING):
                self._path(name, suffix).unlink(missing_ok=True)
        self._fresh.pop(name, None)

    def sweep(self, keep: Collection[str]) -> int:
        """Remove everything that is none of the names in `keep` (those in the database), and return how much that was.

        Allowed at any time: what this object is adding, or added within the last hour and never yet saw in `keep`,
        stays, since its row may not be committed yet. So call `delete` for what is known to be of no more use.
        """
        now, removed = time.monotonic(), 0
        for name, until in list(self._fresh.items()):
            if name in keep or until < now:
                del self._fresh[name]
        with os_errors():
            for path in list(self._folder.iterdir()):
                name = path.name.partition(".")[0]
                if name not in keep and name not in self._fresh:
                    path.unlink(missing_ok=True)
                    removed += 1
        return removed


def file_damaged() -> SurroundingsError:
    return SurroundingsError(
        "The stored copy of this file is damaged or missing.",
        code="file_damaged",
        hint="Ask its sender to send it again, or restore the profile's files folder from a backup.",
    )


def _open_at(descriptor: int, ref: FileRef, index: int) -> bytes:
    with os_errors():
        blob = os.pread(descriptor, BLOB_SIZE, index * BLOB_SIZE)
    try:
        return ref.open_blob(index, blob)
    except CryptoError as error:
        raise file_damaged() from error


def _seal_into(descriptor: int, file: Source, ref: FileRef, progress: Progress | None) -> bytes:
    """Write a source as blobs; returns the digest of its plain bytes."""
    digest, done = hashlib.blake2b(digest_size=DIGEST_SIZE), 0
    for index, chunk in enumerate(file.chunks()):
        digest.update(chunk)
        blob = ref.key.seal_blob(index, chunk, last=index == ref.blobs - 1)
        with os_errors():
            write_all(descriptor, blob)
        done += len(chunk)
        if progress is not None:
            progress(done, ref.size)
    return digest.digest()


@contextmanager
def _temporary_file(path: Path) -> Iterator[tuple[Path, int]]:
    """A new file that is gone afterwards, unless it was given another name."""
    with os_errors():
        descriptor = create_file(path)
    try:
        yield path, descriptor
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
