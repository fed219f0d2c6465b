"""profile.json: what protects a profile's keys. docs/protocol/profile-format.md, "profile.json".

Two random 32-byte keys are wrapped together under one *wrapping key*: the database's, and the account's, under which
the account's signing key is sealed inside the database (DESIGN section 4: it opens only with the passphrase, never for
daily work). The wrapping key comes from a passphrase, from the operating system's keyring, or stands beside them. A
change of passphrase thus rewrites this one small file and nothing else. Place: store; what it does not decide: where
the file lies (profile.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from roost.crypto import Entropy, StretchParams, stretch, unwrap_secret, wrap_secret
from roost.errors import CallerError, CryptoError, RoostError, SurroundingsError
from roost.store import keyring_entry
from roost.store.database import KEY_SIZE
from roost.store.failures import profile_damaged, profile_too_new

VERSION: Final = 1
SALT_SIZE: Final = 16
_ENTRY_SIZE: Final = 16
_WRAPPED_SIZE: Final = 2 * KEY_SIZE + 32

Key32 = Annotated[bytes, Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
Wrapped = Annotated[bytes, Meta(min_length=_WRAPPED_SIZE, max_length=_WRAPPED_SIZE)]


# --- what a person may choose ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Only who knows the passphrase opens the profile. `cost` is Argon2id's."""

    text: str
    cost: StretchParams = field(default_factory=StretchParams)

    def __repr__(self) -> str:
        return "<Passphrase: redacted>"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The operating system's keyring opens the profile for whoever is logged in."""


@dataclass(frozen=True, slots=True)
class Unprotected:
    """Nothing but the permissions of the folder protects the profile."""


Protection = Passphrase | Keyring | Unprotected


# --- the file --------------------------------------------------------------------------------------------------------


class ByPassphrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="passphrase"):
    """Wrapping key = Argon2id, version 1.3, one lane."""

    salt: Annotated[bytes, Meta(min_length=SALT_SIZE, max_length=SALT_SIZE)]
    memory_kib: int
    passes: int


class ByKeyring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="keyring"):
    """Wrapping key = what the keyring holds for this random name."""

    entry: Annotated[str, Meta(min_length=2 * _ENTRY_SIZE, max_length=2 * _ENTRY_SIZE)]


class ByNothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="by", tag="none"):
    """Wrapping key = this."""

    key: Key32

    def __repr__(self) -> str:
        return "<ByNothing: redacted>"


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of profile.json."""

    version: int
    protection: ByPassphrase | ByKeyring | ByNothing
    keys: Wrapped  # the database's, then the account's

    @property
    def protected_by(self) -> str:
        """`passphrase`, `keyring` or `none`."""
        return str(self.protection.__struct_config__.tag)

    @property
    def needs_passphrase(self) -> bool:
        return isinstance(self.protection, ByPassphrase)


class _AnyVersion(msgspec.Struct):
    version: int


def encode(file: KeyFile) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def decode(data: bytes) -> KeyFile:
    """Parse profile.json. Raises SurroundingsError `profile_too_new` or `profile_damaged`."""
    try:
        version = msgspec.json.decode(data, type=_AnyVersion).version
        if version > VERSION:
            raise profile_too_new()
        file = msgspec.json.decode(data, type=KeyFile)
        if version != VERSION:
            raise profile_damaged("profile.json")
        if isinstance(file.protection, ByPassphrase):
            StretchParams(file.protection.memory_kib, file.protection.passes)  # bounds
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise profile_damaged("profile.json") from error
    return file


# --- keys in and out -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProfileKeys:
    """The two keys of a profile, unwrapped."""

    database: bytes
    account: bytes

    def __repr__(self) -> str:
        return "<ProfileKeys: redacted>"


def seal_keys(keys: ProfileKeys, protection: Protection, entropy: Entropy) -> KeyFile:
    """Wrap a profile's keys anew.

    Raises:
        CallerError: `empty_passphrase`.
        SurroundingsError: `keyring_unavailable`.
    """
    record: ByPassphrase | ByKeyring | ByNothing
    match protection:
        case Passphrase(text, cost):
            if not text:
                raise CallerError("A passphrase cannot be empty.", code="empty_passphrase")
            record = ByPassphrase(entropy.bytes(SALT_SIZE), cost.memory_kib, cost.passes)
            wrapping = stretch(text, record.salt, cost)
        case Keyring():
            record = ByKeyring(entropy.bytes(_ENTRY_SIZE).hex())
            wrapping = entropy.bytes(KEY_SIZE)
            keyring_entry.save(record.entry, wrapping)
        case Unprotected():
            record = ByNothing(entropy.bytes(KEY_SIZE))
            wrapping = record.key
    return KeyFile(VERSION, record, keys=wrap_secret(wrapping, keys.database + keys.account, entropy))


def open_keys(file: KeyFile, passphrase: str | None) -> ProfileKeys:
    """Unwrap a profile's keys. A passphrase that is not needed is ignored.

    Raises:
        CallerError: `passphrase_needed`, `wrong_passphrase`.
        SurroundingsError: `keyring_unavailable`, `keyring_entry_missing`, `profile_damaged`.
    """
    wrapping = _wrapping_key(file, passphrase)
    try:
        keys = unwrap_secret(wrapping, file.keys)
    except CryptoError as error:
        raise _does_not_open(file) from error
    return ProfileKeys(keys[:KEY_SIZE], keys[KEY_SIZE:])


def forget(file: KeyFile) -> None:
    """Take a protection out of use: its keyring entry, if any, is removed."""
    if isinstance(file.protection, ByKeyring):
        keyring_entry.remove(file.protection.entry)


def _wrapping_key(file: KeyFile, passphrase: str | None) -> bytes:
    match file.protection:
        case ByPassphrase(salt, memory_kib, passes):
            if passphrase is None:
                raise CallerError(
                    "This profile is protected by a passphrase.",
                    code="passphrase_needed",
                    hint="Set ROOST_PASSPHRASE or answer the prompt.",
                )
            try:
                return stretch(passphrase, salt, StretchParams(memory_kib, passes))
            except MemoryError as error:
                raise SurroundingsError(
                    "There is not enough memory to check the passphrase.",
                    code="out_of_memory",
                    hint=f"It takes {memory_kib // 1024} MiB for a moment. Close other programs and try again.",
                ) from error
        case ByKeyring(entry):
            return keyring_entry.load(entry)
        case ByNothing(key):
            return key


def _does_not_open(file: KeyFile) -> RoostError:
    if not file.needs_passphrase:
        return profile_damaged("profile.json")
    return CallerError(
        "The passphrase is wrong.",
        code="wrong_passphrase",
        hint="Try again; capital letters and the keyboard's language matter.",
    )
