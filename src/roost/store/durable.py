"""Files that appear whole or not at all, and stay after a power cut. DESIGN section 9.

The recipe everywhere: write under a temporary name in the same folder, fsync, rename, fsync the folder. Place: store,
below everything else; raises OSError, which callers turn into Roost's errors (failures.py).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

OWNER_ONLY: Final = 0o600
OWNER_FOLDER: Final = 0o700
_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: plain fsync leaves data in the drive's cache


def sync_file(descriptor: int) -> None:
    """Return when the file's bytes are on the medium."""
    if _FULL_SYNC is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, _FULL_SYNC)


def sync_folder(folder: Path) -> None:
    """Return when the folder's entries (names made, renamed, deleted) are on the medium."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_file(path: Path) -> int:
    """A descriptor of a new, empty file that only its owner can read. Raises FileExistsError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything; the operating system may take less at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def replace_file(path: Path, data: bytes) -> None:
    """Make `path` hold exactly `data`: whoever reads, whenever the power fails, finds the old bytes or the new."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)  # of an attempt that was cut short; the profile's lock keeps others away
    descriptor = create_file(temporary)
    try:
        try:
            write_all(descriptor, data)
            sync_file(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def publish_file(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Give a finished, synced file its name. Raises FileExistsError unless `overwrite`; never touches what is there."""
    if overwrite:
        temporary.replace(path)
    else:
        _rename_to_free_name(temporary, path)
    sync_folder(path.parent)


def _rename_to_free_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path, follow_symlinks=False)  # unlike rename, fails when the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links (FAT, some network shares): reserve the name, then replace it
        os.close(create_file(path))
        try:
            temporary.replace(path)
        except BaseException:
            path.unlink()
            raise
    else:
        temporary.unlink()
