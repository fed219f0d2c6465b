"""Serves the built web app from the package: its files, its one page, and the rules that keep everything else out.

The page may run only its own scripts, talk only to the agent that served it, and never be framed; strings cannot become
scripts (Trusted Types). Nothing here is anybody's data, so it needs no token. Place: apps; extends the local API.
"""

from __future__ import annotations

import mimetypes
import secrets
from importlib import resources
from pathlib import Path, PurePosixPath

from aiohttp import web

STATIC = Path(str(resources.files("roost.apps.web").joinpath("static")))
_NONCE = "__NONCE__"  # in the page; the widget library puts it on the one <style> that it adds
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_MISSING = """<!doctype html><html lang="en"><title>Roost</title><body>
<h1>The web app is not built</h1>
<p>This Roost was installed without it. With Node.js 20 or newer: <code>make web</code>, then reload this page.
The commands work all the same: <code>roost --help</code>.</p>
"""


def policy(nonce: str, host: str) -> str:
    """The Content-Security-Policy of the page that `host` serves."""
    rules = (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' 'nonce-{nonce}'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        f"connect-src 'self' ws://{host}",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return "; ".join(rules)


def _headers(nonce: str, host: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy(nonce, host),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), usb=(), payment=()",
    }


class Site:
    """The built files of `folder`, by path, as they were when it was made: a page that is open goes on with its own
    files after a newer Roost was installed over this one."""

    def __init__(self, folder: Path = STATIC) -> None:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self._files = {f"/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}
        page = self._files.pop("/index.html", None)
        self._page = None if page is None else page.decode()

    @property
    def built(self) -> bool:
        return self._page is not None

    @property
    def public(self) -> frozenset[str]:
        return frozenset({"/", *self._files})

    def add_routes(self, application: web.Application) -> None:
        application.router.add_get("/", self._index)
        for path in self._files:
            application.router.add_get(path, self._file)

    async def _index(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        page = self._page or _MISSING
        headers = {**_headers(nonce, request.headers["Host"]), "Cache-Control": "no-store"}
        return web.Response(text=page.replace(_NONCE, nonce), content_type="text/html", headers=headers)

    async def _file(self, request: web.Request) -> web.Response:
        name = PurePosixPath(request.path)
        kind = _TYPES.get(name.suffix) or mimetypes.guess_type(name.name)[0] or "application/octet-stream"
        cached = "public, max-age=31536000, immutable" if request.path.startswith("/assets/") else "no-cache"
        headers = {**_headers("", request.headers["Host"]), "Cache-Control": cached, "Content-Type": kind}
        return web.Response(body=self._files[request.path], headers=headers)
