"""Foreign failures (the file system's, SQLite's) as Roost's errors, each with a stable code and what to do.

Place: store, at its outer edge: nothing above sees OSError or apsw's errors, except where they mean a defect of ours
(a wrong column, a closed database), which nobody should catch. Texts name no paths: those may hold names of people.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import apsw

from roost.errors import CallerError, RoostError, SurroundingsError

# RLIMIT_FSIZE and file systems with small files (FAT) say EFBIG: for the person it is the same as a full disk.
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
BAD_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ELOOP})


def disk_full() -> SurroundingsError:
    return SurroundingsError(
        "There is no space left on the disk.",
        code="disk_full",
        hint="Nothing was lost or half written. Free some space and try again.",
    )


def profile_damaged(what: str = "The profile's database") -> SurroundingsError:
    return SurroundingsError(
        f"{what} is damaged or was tampered with.",
        code="profile_damaged",
        hint="Restore the profile's folder from a backup. Do not delete it: parts may still be readable.",
    )


def profile_busy() -> SurroundingsError:
    return SurroundingsError(
        "Another Roost process uses this profile.",
        code="profile_busy",
        hint="Wait until it has finished, or stop it, and try again.",
    )


def profile_too_new() -> SurroundingsError:
    return SurroundingsError(
        "This profile was written by a newer version of Roost.",
        code="profile_too_new",
        hint="Update Roost on this device. The profile was not changed.",
    )


def no_permission() -> SurroundingsError:
    return SurroundingsError(
        "This place on the disk may not be read or written.",
        code="no_permission",
        hint="Check who owns the file or folder and whether the disk is read-only.",
    )


def disk_failed() -> SurroundingsError:
    return SurroundingsError(
        "Reading from or writing to the disk failed.",
        code="disk_failed",
        hint="Check the disk and its cable or mount, then try again.",
    )


def file_exists() -> CallerError:
    return CallerError(
        "There is already something of that name.",
        code="file_exists",
        hint="Choose another name, or say that it may be replaced.",
    )


def no_such_file() -> CallerError:
    return CallerError("There is no such file or folder.", code="no_such_file", hint="Check the path.")


def not_a_file() -> CallerError:
    return CallerError(
        "Only ordinary files can be used here.", code="not_a_file", hint="Pack a folder into one file and send that."
    )


def from_os(error: OSError) -> RoostError:
    """What a failed call of the operating system means to a person."""
    match error:
        case FileExistsError():
            return file_exists()
        case FileNotFoundError() | NotADirectoryError():
            return no_such_file()
        case IsADirectoryError():
            return not_a_file()
    if error.errno in NO_SPACE:
        return disk_full()
    if error.errno in BAD_NAME:
        return CallerError(
            "A file cannot have that name here.", code="bad_file_name", hint="Choose a shorter, plain name."
        )
    return no_permission() if error.errno in NOT_ALLOWED else disk_failed()


def from_sqlite(error: apsw.Error, system_errno: int = 0) -> SurroundingsError | None:
    """What SQLite's failure means to a person; None when it is a defect of ours. `system_errno`: of the last I/O."""
    match error:
        case apsw.FullError():
            return disk_full()
        case apsw.IOError():
            return disk_full() if system_errno in NO_SPACE else disk_failed()
        case apsw.CorruptError() | apsw.NotADBError() | apsw.FormatError():
            return profile_damaged()
        case apsw.BusyError() | apsw.LockedError():
            return profile_busy()
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError():
            return no_permission()
        case _:
            return None


@contextmanager
def os_errors() -> Iterator[None]:
    """Raise what the operating system refuses inside as a RoostError."""
    try:
        yield
    except OSError as error:
        raise from_os(error) from error
