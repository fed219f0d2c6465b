"""Files over the local API: what a browser sends lands in the profile's folder, what it shows or saves is streamed.

A sender decides nothing about how a file is served: its kind comes from its first bytes (agent.pictures), only
pictures, sound and film of known kinds are shown in place, and every answer forbids scripts and guessing. Place:
agent/api.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from roost.agent.actions.messages import safe_name
from roost.agent.api.guard import FILES, UPLOAD, refusal
from roost.agent.api.keys import Keys
from roost.agent.attachments import FileSource, OpenFile
from roost.agent.pictures import without_metadata
from roost.errors import CallerError, RoostError, SurroundingsError

CHUNK = 262_144
MAX_UPLOAD = 2**31
MAX_PICTURE = 64 * 2**20  # a picture is held in memory while its metadata is taken out
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=86400, immutable",
}
_NOT_SHOWN = CallerError("This is not shown, only saved.", code="not_shown", hint="Ask for it with ?save=1.")
_CLOSED = CallerError("The profile is locked.", code="locked")


class FileRoutes:
    """`source` and `uploads` are those of the profile that is open now, or None."""

    def __init__(self) -> None:
        self.source: FileSource | None = None
        self.uploads: Path | None = None

    def add_routes(self, application: web.Application, keys: Keys) -> None:
        del keys  # the guard has compared the first part of the path with it
        application.router.add_post(UPLOAD, self.upload)
        application.router.add_post("/v1/upload-drop", self.drop)
        application.router.add_get(FILES + r"{key}/{message}/{number:\d{1,2}}/{name}", self.attachment)
        application.router.add_get(FILES + "{key}/picture/{account}/{version}", self.picture)

    # --- in -----------------------------------------------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """The body becomes a file of the name `name`; `?picture=1`: without what the camera wrote beside it."""
        if self.uploads is None:
            return refusal(_CLOSED)
        folder = self.uploads / secrets.token_hex(16)
        path = folder / safe_name(request.query.get("name", "file"))
        try:
            folder.mkdir(parents=True, mode=0o700)
            size = await _receive(request, path)
            if request.query.get("picture") == "1" and size <= MAX_PICTURE:
                size = await asyncio.to_thread(_strip, path)
        except BaseException as error:
            await asyncio.to_thread(shutil.rmtree, folder, True)
            if isinstance(error, OSError):
                return refusal(SurroundingsError("The file cannot be kept.", code="disk_full", hint="Make room."))
            if isinstance(error, RoostError):
                return refusal(error)
            raise
        return web.json_response({"path": str(path), "size": size})

    async def drop(self, request: web.Request) -> web.Response:
        """Forget files that were sent, or are not to be."""
        if self.uploads is None:
            return refusal(_CLOSED)
        try:
            named = await request.json()
        except (ValueError, RecursionError):
            return refusal(CallerError("The request is not JSON."))
        paths = named.get("paths") if isinstance(named, dict) else None
        for text in paths if isinstance(paths, list) else []:
            folder = Path(str(text)).parent
            if folder.parent == self.uploads and re.fullmatch(r"[0-9a-f]{32}", folder.name):
                await asyncio.to_thread(shutil.rmtree, folder, True)
        return web.json_response({"ok": True})

    # --- out ----------------------------------------------------------------------------------------------------------

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        if self.source is None:
            return refusal(_CLOSED)
        try:
            file = await self.source.attachment(request.match_info["message"], int(request.match_info["number"]))
            return await _stream(request, file)
        except RoostError as error:
            return refusal(error)

    async def picture(self, request: web.Request) -> web.StreamResponse:
        if self.source is None:
            return refusal(_CLOSED)
        try:
            return await _stream(request, await self.source.picture(request.match_info["account"]))
        except RoostError as error:
            return refusal(error)


async def _receive(request: web.Request, path: Path) -> int:
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in request.content.iter_chunked(CHUNK):
            size += len(chunk)
            if size > MAX_UPLOAD:
                raise CallerError("This file is too large.", code="too_large", hint="Files have at most 2 GiB.")
            await asyncio.to_thread(file.write, chunk)
    return size


def _strip(path: Path) -> int:
    data = path.read_bytes()
    plain = without_metadata(data)
    if plain != data:
        path.write_bytes(plain)
    return len(plain)


async def _stream(request: web.Request, file: OpenFile) -> web.StreamResponse:
    """The whole file or the part that is asked for."""
    if request.query.get("save") != "1" and (file.media is None or not file.media.showable):
        return refusal(_NOT_SHOWN, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)  # browsers guess pictures whatever one says
    start, end, status = _wanted(request, file.size)
    if start > end + 1 or (start >= file.size and file.size):
        return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=_SAFE)
    response = web.StreamResponse(status=status, headers=_headers(request, file))
    if status == HTTPStatus.PARTIAL_CONTENT:
        response.headers["Content-Range"] = f"bytes {start}-{end}/{file.size}"
    response.content_length = end - start + 1
    await response.prepare(request)
    while start <= end:
        chunk = await file.read(start, min(CHUNK, end - start + 1))
        await response.write(chunk)
        start += len(chunk)
        if not chunk:
            break
    await response.write_eof()
    return response


def _wanted(request: web.Request, size: int) -> tuple[int, int, HTTPStatus]:
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    if asked is None:
        return 0, size - 1, HTTPStatus.OK
    end = min(int(asked[2]), size - 1) if asked[2] else size - 1
    return int(asked[1]), end, HTTPStatus.PARTIAL_CONTENT


def _headers(request: web.Request, file: OpenFile) -> dict[str, str]:
    saved = request.query.get("save") == "1"
    kind = "application/octet-stream" if saved or file.media is None else file.media.type
    place = "attachment" if saved else "inline"
    return {
        **_SAFE,
        "Content-Type": kind,
        "Content-Disposition": f"{place}; filename*=UTF-8''{quote(file.name, safe='')}",
        "Accept-Ranges": "bytes",
    }
