"""What a browser sends: a file lands in the profile's folder, whole or piece by piece, until it is sent or dropped.

In pieces: each request names the upload (32 hex digits that the browser chose), where its bytes belong and how many
there are in all. What came of a request that was cut off stays, and `state` says how much there is, so a browser goes
on where it was, after a broken connection or a reload. Place: agent/api; docs/api.md.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from roost.agent.actions.messages import safe_name
from roost.agent.api.guard import UPLOAD, refusal
from roost.agent.pictures import without_metadata
from roost.errors import CallerError, RoostError, SurroundingsError

CHUNK = 262_144
MAX_UPLOAD = 2**31
MAX_PICTURE = 64 * 2**20  # a picture is held in memory while its metadata is taken out
PART = ".part"  # no safe name begins with a dot
_ID = re.compile(r"[0-9a-f]{32}")
_CLOSED = CallerError("The profile is locked.", code="locked")
_TOO_LARGE = CallerError("This file is too large.", code="too_large", hint="Files have at most 2 GiB.")


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a request's bytes belong. `size` -1: the request's body is the whole file."""

    id: str
    name: str
    picture: bool
    offset: int
    size: int

    @classmethod
    def of(cls, request: web.Request) -> Piece:
        """Raises CallerError `bad_request`, `too_large`."""
        asked = request.query
        name, picture = safe_name(asked.get("name", "file")), asked.get("picture") == "1"
        if "id" not in asked:
            return cls(secrets.token_hex(16), name, picture, 0, -1)
        numbers = [asked.get(field, "") for field in ("offset", "size")]
        if not _ID.fullmatch(asked["id"]) or not all(re.fullmatch(r"[0-9]{1,12}", number) for number in numbers):
            raise CallerError("An upload in pieces has an id of 32 hex digits, an offset and a size.")
        if int(numbers[1]) > MAX_UPLOAD:
            raise _TOO_LARGE
        return cls(asked["id"], name, picture, int(numbers[0]), int(numbers[1]))


class UploadRoutes:
    """`folder` is that of the profile that is open now, or None."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def add_routes(self, application: web.Application) -> None:
        application.router.add_post(UPLOAD, self.receive)
        application.router.add_get(UPLOAD, self.state)
        application.router.add_post("/v1/upload-drop", self.drop)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """The body becomes a file, or a piece of one; `?picture=1`: without what the camera wrote beside it."""
        if self.folder is None:
            return refusal(_CLOSED)
        try:
            piece = Piece.of(request)
            async with self._turns[piece.id]:
                return await self._receive(request, piece, self.folder / piece.id)
        except OSError:
            return refusal(SurroundingsError("The file cannot be kept.", code="disk_full", hint="Make room."))
        except RoostError as error:
            return refusal(error)

    async def _receive(self, request: web.Request, piece: Piece, folder: Path) -> web.Response:
        await asyncio.to_thread(folder.mkdir, parents=True, mode=0o700, exist_ok=True)
        part = folder / PART
        try:
            if (folder / piece.name).exists():  # whole already: the answer was lost
                return _whole(folder / piece.name)
            held = _size(part)
            if held != piece.offset:
                raise CallerError(f"{held} bytes are here.", code="wrong_offset", hint="Ask how many, and go on there.")
            held = await _append(request, part, held, MAX_UPLOAD if piece.size < 0 else piece.size)
            if held < piece.size:
                return web.json_response({"received": held})
            if piece.picture and held <= MAX_PICTURE:
                await asyncio.to_thread(_strip, part)
            part.rename(folder / piece.name)
            return _whole(folder / piece.name)
        except BaseException:
            if piece.size < 0:
                await asyncio.to_thread(shutil.rmtree, folder, True)
            raise

    async def state(self, request: web.Request) -> web.StreamResponse:
        """How much of an upload is here."""
        if self.folder is None:
            return refusal(_CLOSED)
        id = request.query.get("id", "")
        if not _ID.fullmatch(id):
            return refusal(CallerError("An upload's id has 32 hex digits."))
        folder = self.folder / id
        whole = next((path for path in folder.glob("*") if path.name != PART), None) if folder.is_dir() else None
        return _whole(whole) if whole else web.json_response({"received": _size(folder / PART)})

    async def drop(self, request: web.Request) -> web.Response:
        """Forget files that were sent, or are not to be: `paths` of whole ones, `ids` of any."""
        if self.folder is None:
            return refusal(_CLOSED)
        try:
            named = await request.json()
        except (ValueError, RecursionError):
            return refusal(CallerError("The request is not JSON."))
        named = named if isinstance(named, dict) else {}
        for id in [*_texts(named.get("ids")), *(self._id_of(path) for path in _texts(named.get("paths")))]:
            if _ID.fullmatch(id):
                async with self._turns[id]:
                    await asyncio.to_thread(shutil.rmtree, self.folder / id, True)
                self._turns.pop(id, None)
        return web.json_response({"ok": True})

    def _id_of(self, path: str) -> str:
        folder = Path(path).parent
        return folder.name if folder.parent == self.folder else ""


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _whole(path: Path) -> web.Response:
    size = path.stat().st_size
    return web.json_response({"received": size, "path": str(path), "size": size})


async def _append(request: web.Request, part: Path, held: int, most: int) -> int:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        async for chunk in request.content.iter_chunked(CHUNK):
            held += len(chunk)
            if held > most:
                raise _TOO_LARGE
            await asyncio.to_thread(file.write, chunk)
    return held


def _strip(path: Path) -> None:
    data = path.read_bytes()
    plain = without_metadata(data)
    if plain != data:
        path.write_bytes(plain)
