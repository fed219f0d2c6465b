"""A 32-byte key in the operating system's keyring (Secret Service, macOS Keychain, Windows' credential store).

Place: store, beside protection.py. `keyring` is imported when first needed: looking for backends takes long.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from roost.errors import SurroundingsError
from roost.store.database import KEY_SIZE

_SERVICE: Final = "roost"


def save(entry: str, key: bytes) -> None:
    """Store `key` and read it back: some backends accept everything and keep nothing.

    Raises SurroundingsError `keyring_unavailable`.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(_SERVICE, entry, base64.b64encode(key).decode())
        kept = keyring.get_password(_SERVICE, entry)
    except KeyringError as error:
        raise _unavailable() from error
    if kept is None or _parse(kept) != key:
        raise _unavailable()


def load(entry: str) -> bytes:
    """The key. Raises SurroundingsError `keyring_unavailable`, `keyring_entry_missing`."""
    import keyring
    from keyring.errors import KeyringError

    try:
        kept = keyring.get_password(_SERVICE, entry)
    except KeyringError as error:
        raise _unavailable() from error
    key = None if kept is None else _parse(kept)
    if key is None:
        raise SurroundingsError(
            "The system's keyring does not hold this profile's key.",
            code="keyring_entry_missing",
            hint="Log in as the user who made the profile; on another machine, restore a backup that has a passphrase.",
        )
    return key


def remove(entry: str) -> None:
    """Forget the key. That it is gone already, or cannot be removed, is no failure: nothing is wrapped under it now."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.delete_password(_SERVICE, entry)
    except KeyringError:
        return


def _parse(kept: str) -> bytes | None:
    try:
        key = base64.b64decode(kept, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_SIZE else None


def _unavailable() -> SurroundingsError:
    return SurroundingsError(
        "The system's keyring is not available.",
        code="keyring_unavailable",
        hint="Unlock it, or protect the profile with a passphrase instead.",
    )
