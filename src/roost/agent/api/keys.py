"""What opens the local API on 127.0.0.1: the token of agent.json for programs, and for the web app a code that works
once, a token that it is exchanged for, and a key in the addresses of files (an <img> cannot send headers).

Cookies are not used: browsers send them to every port of 127.0.0.1, so any other program's page would get them. Place:
agent/api. Everything is random, kept in memory only, and ends with the agent.
"""

from __future__ import annotations

import hmac
import secrets
import time

CODE_LIFE_S = 600.0
MAX_CODES = 64
MAX_SESSIONS = 256


class Keys:
    """Compared in constant time; nothing of it is ever shown."""

    def __init__(self) -> None:
        self.program = secrets.token_urlsafe(32)
        self.files = secrets.token_urlsafe(32)
        self._codes: dict[str, float] = {}
        self._sessions: list[str] = []

    def __repr__(self) -> str:
        return "<Keys>"

    def new_code(self) -> str:
        """A code for one browser, to be used within CODE_LIFE_S seconds."""
        now = time.monotonic()
        self._codes = {code: end for code, end in list(self._codes.items())[-MAX_CODES:] if end > now}
        code = secrets.token_urlsafe(24)
        self._codes[code] = now + CODE_LIFE_S
        return code

    def exchange(self, shown: str) -> str | None:
        """The token of a new session for a code that was not used yet."""
        for code, end in list(self._codes.items()):
            if _same(code, shown):
                del self._codes[code]
                return self._begin() if end > time.monotonic() else None
        return None

    def _begin(self) -> str:
        token = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions[1 - MAX_SESSIONS :], token]
        return token

    def open_api(self, shown: str) -> bool:
        """Whether this token is the programs' one or a session's."""
        fits = [_same(token, shown) for token in (self.program, *self._sessions)]
        return any(fits)

    def open_files(self, shown: str) -> bool:
        return _same(self.files, shown)


def _same(expected: str, shown: str) -> bool:
    return hmac.compare_digest(expected.encode(), shown.encode("utf-8", "replace"))
