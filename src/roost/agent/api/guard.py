"""Who may call: the owner's processes over the Unix socket, and on localhost whoever shows the token.

Browsers are kept out even where they run on the same machine: a request that names another `Host` is DNS rebinding, one
with a foreign `Origin` comes from somebody's web page, and a body that is not JSON could be a form. Place: agent/api.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from roost.agent.api.answers import error_body, status_of
from roost.errors import CallerError, RoostError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(error: RoostError, status: HTTPStatus | None = None) -> web.Response:
    """The response that carries `error`."""
    return web.Response(status=status or status_of(error), body=error_body(error), content_type="application/json")


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request must show. `token` None: it came over the Unix socket, whose rights have decided already."""

    hosts: frozenset[str]
    token: str | None = None

    def __repr__(self) -> str:
        return f"<Guard {sorted(self.hosts)}>"

    def objection(self, request: web.Request) -> web.Response | None:
        """The refusal, or None."""
        if request.headers.get("Host", "").lower() not in self.hosts:
            return refusal(_NOT_HERE, HTTPStatus.FORBIDDEN)
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            return refusal(_NOT_FOR_PAGES, HTTPStatus.FORBIDDEN)
        if self.token is not None and not _shows(request, self.token):
            return refusal(_NO_TOKEN, HTTPStatus.UNAUTHORIZED)
        if request.method == "POST" and request.content_type != "application/json":
            return refusal(_NOT_JSON, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return self.objection(request) or await handler(request)


_NOT_HERE = CallerError("This is not the host's name.", code="forbidden")
_NOT_FOR_PAGES = CallerError("Web pages may not call the agent.", code="forbidden")
_NO_TOKEN = CallerError("The bearer token is missing or wrong.", code="unauthorized", hint="It is in agent.json.")
_NOT_JSON = CallerError("Send the request as application/json.", code="bad_request")


def _shows(request: web.Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
