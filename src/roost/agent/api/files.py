"""Files over the local API: what a browser shows or saves is streamed.

A sender decides nothing about how a file is served: its kind comes from its first bytes (agent.pictures), only
pictures, sound and film of known kinds are shown in place, and every answer forbids scripts and guessing. Place:
agent/api.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from roost.agent.api.guard import FILES, refusal
from roost.agent.api.keys import Keys
from roost.agent.attachments import FileSource, OpenFile
from roost.errors import CallerError, RoostError

CHUNK = 262_144
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
    """`source` is that of the profile that is open now, or None."""

    def __init__(self) -> None:
        self.source: FileSource | None = None

    def add_routes(self, application: web.Application, keys: Keys) -> None:
        del keys  # the guard has compared the first part of the path with it
        application.router.add_get(FILES + r"{key}/{message}/{number:\d{1,2}}/{name}", self.attachment)
        application.router.add_get(FILES + "{key}/picture/{account}/{version}", self.picture)

    # --- out ----------------------------------------------------------------------------------------------------------

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        if self.source is None:
            return refusal(_CLOSED)
        try:
            message, number = request.match_info["message"], int(request.match_info["number"])
            small = request.query.get("preview") == "1"
            file = await (self.source.preview if small else self.source.attachment)(message, number)
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
