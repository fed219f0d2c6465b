"""The errors that Roost raises: one root, then who should act.

Every error carries a stable `code` (snake_case, part of the command line's contract), a sentence for people and a
`hint` that says what to do. Texts never hold keys, contents, addresses or ids of people (docs/threat-model.md).
This module imports nothing, so every room may use it.
"""

from __future__ import annotations


class RoostError(Exception):
    """Root of every error that Roost raises on purpose."""

    code = "failed"
    hint = ""

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        return str(self)


class CallerError(RoostError):
    """Our caller's mistake: a malformed link, an unknown conversation. The caller should ask differently."""

    code = "bad_request"


class PeerError(RoostError):
    """Another party's fault: bytes that do not parse, a signature that does not verify. Nothing was changed."""

    code = "bad_peer"


class WireError(PeerError):
    """Bytes from outside are not a canonical encoding of what they should be."""

    code = "malformed"


class CryptoError(PeerError):
    """Authentication failed: forged, corrupted, replayed or meant for another key. State is unchanged."""

    code = "not_authentic"


class SurroundingsError(RoostError):
    """The environment's fault: no network, a full disk, a locked profile. Trying again later may help."""

    code = "unavailable"


class Unreachable(SurroundingsError):
    """A relay did not answer. What waits in the outbox stays there."""

    code = "unreachable"


class Refused(RoostError):
    """A relay answered and said no. `code` is one of wire.mailbox.RefusalCode's values."""

    code = "refused"

    def __init__(
        self, message: str, *, code: str, hint: str | None = None, retry_after_ms: int = 0, detail: bytes = b""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_ms = retry_after_ms
        self.detail = detail
