"""How answers and refusals look over HTTP, and how a refusal becomes the same error again on the other side."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from roost.errors import CallerError, PeerError, Refused, RoostError, SurroundingsError, Unreachable

STATUS: tuple[tuple[type[RoostError], HTTPStatus], ...] = (
    (CallerError, HTTPStatus.BAD_REQUEST),
    (Unreachable, HTTPStatus.GATEWAY_TIMEOUT),
    (SurroundingsError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PeerError, HTTPStatus.BAD_GATEWAY),
    (Refused, HTTPStatus.CONFLICT),
)
"""The first class that fits decides. Anything else is 500."""


class ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str = ""


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every refusal, as on the command line."""

    error: ErrorBody


def status_of(error: RoostError) -> HTTPStatus:
    return next((status for kind, status in STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def error_body(error: RoostError) -> bytes:
    return msgspec.json.encode(ErrorAnswer(ErrorBody(error.code, error.message, error.hint)))


def rebuilt(status: int, body: bytes) -> RoostError:
    """The error that a refusal carries, in the class that its status stands for."""
    try:
        said = msgspec.json.decode(body, type=ErrorAnswer).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return SurroundingsError("The agent answered in a way that was not understood.", code="agent_unclear")
    kind = next((kind for kind, known in STATUS if known == status), RoostError)
    return kind(said.message, code=said.code, hint=said.hint)
