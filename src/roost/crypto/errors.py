"""What this room raises beside `roost.errors.CryptoError`."""

from __future__ import annotations

from roost.errors import CallerError, CryptoError


class NotForThisSession(CryptoError):
    """The envelope's header does not open with these keys. Try the next session; nothing is wrong yet."""

    code = "not_for_this_session"


class MalformedAccountId(CallerError):
    """The text is not an account id: 52 characters of base32 in lower case."""

    code = "malformed_account"
    hint = "Copy the whole account id again; a character is missing or wrong."
