"""Who may call: the owner's processes over the Unix socket, and on localhost whoever shows the token.

Web pages are kept out even where the browser runs on the same machine: a request that names another `Host` is DNS
rebinding, one with a foreign `Origin` comes from somebody's page, and a body that is not JSON could be a form. Roost's
own page comes from the same host and port; its files are public, whatever it asks for is not. Place: agent/api.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from roost.agent.api.answers import error_body, status_of
from roost.agent.api.keys import Keys
from roost.errors import CallerError, RoostError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(error: RoostError, status: HTTPStatus | None = None) -> web.Response:
    """The response that carries `error`."""
    return web.Response(status=status or status_of(error), body=error_body(error), content_type="application/json")


UPLOAD = "/v1/upload"
SESSION = "/v1/session"
FILES = "/files/"
TOKEN_PROTOCOL = "token."  # noqa: S105 - how a WebSocket of a browser, which sends no headers, shows its token


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request must show. `keys` None: it came over the Unix socket, whose rights have decided already."""

    hosts: frozenset[str]
    keys: Keys | None = None
    public: frozenset[str] = frozenset()  # paths of the web app's page, which hold nothing of anybody's

    def __repr__(self) -> str:
        return f"<Guard {sorted(self.hosts)}>"

    def objection(self, request: web.Request) -> web.Response | None:
        """The refusal, or None."""
        if request.headers.get("Host", "").lower() not in self.hosts:
            return refusal(_NOT_HERE, HTTPStatus.FORBIDDEN)
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            return refusal(_NOT_FOR_PAGES, HTTPStatus.FORBIDDEN)
        if request.headers.get("Sec-Fetch-Site", "none") in {"cross-site", "same-site"} and not _navigates(request):
            return refusal(_NOT_FOR_PAGES, HTTPStatus.FORBIDDEN)
        if self.keys is not None and not _may(request, self.keys, self.public):
            return refusal(_NO_TOKEN, HTTPStatus.UNAUTHORIZED)
        wanted = "application/octet-stream" if request.path == UPLOAD else "application/json"
        if request.method == "POST" and request.content_type != wanted:
            return refusal(_NOT_JSON, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return self.objection(request) or await handler(request)


_NOT_HERE = CallerError("This is not the host's name.", code="forbidden")
_NOT_FOR_PAGES = CallerError("Web pages may not call the agent.", code="forbidden")
_NO_TOKEN = CallerError("The bearer token is missing or wrong.", code="unauthorized", hint="It is in agent.json.")
_NOT_JSON = CallerError("Send the request as application/json.", code="bad_request")


def _may(request: web.Request, keys: Keys, public: frozenset[str]) -> bool:
    """Whether this path is open to whoever asks like this."""
    if request.path.startswith(FILES):
        return keys.open_files(request.path.removeprefix(FILES).partition("/")[0])
    if request.path == SESSION or (request.method in {"GET", "HEAD"} and request.path in public):
        return True
    return keys.open_api(_shown(request))


def _navigates(request: web.Request) -> bool:
    """A person followed a link to the app's page, which shows nothing without a token."""
    return request.path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _shown(request: web.Request) -> str:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    return next((name.removeprefix(TOKEN_PROTOCOL) for name in offered if name.startswith(TOKEN_PROTOCOL)), "")
