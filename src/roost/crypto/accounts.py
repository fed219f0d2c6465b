"""Account ids: how an account's 32-byte key is written for people and programs (base32, RFC 4648 section 6)."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Final

from roost.crypto.errors import MalformedAccountId

ACCOUNT_KEY_SIZE: Final = 32
ACCOUNT_ID_LENGTH: Final = 52


@lru_cache(maxsize=4_096)
def account_id(account: bytes) -> str:
    """52 characters: unpadded base32 in lower case of a 32-byte account key."""
    if len(account) != ACCOUNT_KEY_SIZE:
        raise MalformedAccountId("an account key is 32 bytes")
    return base64.b32encode(account).rstrip(b"=").decode().lower()


def parse_account_id(text: str) -> bytes:
    """The 32-byte key. Only what `account_id` writes is accepted. Raises MalformedAccountId."""
    try:
        raw = base64.b32decode(text.upper() + "====", casefold=False)
    except (binascii.Error, ValueError) as error:
        raise MalformedAccountId("This is not an account id.") from error
    if len(raw) != ACCOUNT_KEY_SIZE or account_id(raw) != text:
        raise MalformedAccountId("This is not an account id.")
    return raw
