"""Files of parcels: written for somebody to carry on a stick or to send by any other means, and read in again.

A file holds whole parcels in the order of their sizes (docs/protocol/parcels.md). Place: agent, beside parcels.py.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from roost.agent import direct as d
from roost.errors import CallerError, SurroundingsError
from roost.messaging import parcels
from roost.messaging.parcels import Offered
from roost.messaging.records import PeerDevice
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost
from roost.wire.parcels import MAX_FILE_LARGE, MAX_FILE_SMALL, Parcel, ParcelFile, file_header, file_record

if TYPE_CHECKING:
    from roost.agent.engine import Engine

_PIECE = 1 << 20
_BATCH = 64  # parcels that are taken in in one commit
FROM_A_FILE = b""


async def write(engine: Engine, path: Path, account: bytes, *, with_files: bool, replace: bool) -> d.CarryExported:
    """Write all that is waiting; for one account only, where that is not empty. Raises CallerError `file_exists` and
    the like, SurroundingsError."""
    _check_free(path, replace=replace)
    offered = engine.step(_to_export, account, with_files)
    small = [one for one in offered if not one.head.large][:MAX_FILE_SMALL]
    large = [one for one in offered if one.head.large][:MAX_FILE_LARGE]
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(file_header(0, 0))
            counts = [await _write_all(engine, file, group) for group in (small, large)]
            size = file.tell()
            file.seek(0)
            file.write(file_header(*counts))
        part.replace(path)
    except OSError as error:
        raise _unusable(error, path, "written") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    mine = sum(one.letter is not None for one in (*small, *large))
    return d.CarryExported(path=str(path), parcels=sum(counts), mine=mine, size=size)


def _check_free(path: Path, *, replace: bool) -> None:
    if not replace and path.exists():
        raise CallerError("There is a file of this name.", code="file_exists", hint="Choose another name, or --yes.")


def _to_export(work: Work, account: bytes, with_files: bool) -> list[Offered]:
    found = list(parcels.to_export(work, with_files=with_files))
    if not account:
        return found
    peers = work.find(PeerDevice, where={"account": account})
    hosts = [address.relay for peer in peers for address in peer.addresses]
    meetings = {host.meeting for host in hosts if isinstance(host, DeviceHost)}
    return [one for one in found if one.letter is not None and one.letter.meeting in meetings]


async def _write_all(engine: Engine, file: BinaryIO, offered: list[Offered]) -> int:
    """How many were written: what is gone meanwhile is left out."""
    count = 0
    for start in range(0, len(offered), _BATCH):
        made = [engine.devices.parcels.parcel_of(one) for one in offered[start : start + _BATCH]]
        records = [file_record(parcel) for parcel in made if parcel is not None]
        count += len(records)
        await asyncio.to_thread(file.write, b"".join(records))
    return count


async def read(engine: Engine, path: Path) -> d.CarryImported:
    """Take in a file. Raises CallerError `no_such_file`, `not_a_parcel_file`; SurroundingsError."""
    reader = ParcelFile()
    mine = kept = dropped = 0
    try:
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                found = reader.feed(piece)
                for start in range(0, len(found), _BATCH):
                    taken = await _take(engine, found[start : start + _BATCH])
                    mine, kept, dropped = mine + taken[0], kept + taken[1], dropped + taken[2]
    except OSError as error:
        raise _unusable(error, path, "read") from error
    return d.CarryImported(mine=mine, kept=kept, dropped=dropped, lost=reader.finish())


async def _take(engine: Engine, batch: list[Parcel]) -> tuple[int, int, int]:
    taken = await engine.devices.parcels.take(FROM_A_FILE, batch)
    return len(taken.mine), len(taken.kept), len(taken.dropped)


def _unusable(error: OSError, path: Path, done: str) -> CallerError | SurroundingsError:
    if isinstance(error, FileNotFoundError):
        return CallerError(f"There is no such file or folder: {os.fspath(path)}", code="no_such_file")
    if isinstance(error, IsADirectoryError):
        return CallerError("This is a folder.", code="not_a_file", hint="Name a file in it.")
    return SurroundingsError(f"The file cannot be {done}.", code="no_permission", hint="Check the disk and the rights.")
