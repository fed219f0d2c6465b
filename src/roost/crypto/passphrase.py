"""From a passphrase to a key (Argon2id, RFC 9106), and wrapping a secret under it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

import nacl.bindings
import nacl.exceptions

from roost.crypto.aead import KEY_SIZE, open_salted, seal_salted
from roost.crypto.entropy import Entropy
from roost.crypto.keys import sized
from roost.crypto.labels import Label
from roost.errors import SurroundingsError

STRETCH_SALT_SIZE: Final = 16
_MIN_MEMORY_KIB: Final = 8
_MAX_MEMORY_KIB: Final = 4 * 1024 * 1024  # a forged profile must not be able to exhaust the machine
_MAX_PASSES: Final = 100


@dataclass(frozen=True, slots=True)
class StretchParams:
    """Argon2id's cost. The default takes about 0.1 s; it is stored beside the salt, so it can be raised later.

    One lane always: libsodium offers no other. Raises ValueError outside 8 KiB to 4 GiB and 1 to 100 passes.
    """

    memory_kib: int = 64 * 1024
    passes: int = 3

    def __post_init__(self) -> None:
        if not (_MIN_MEMORY_KIB <= self.memory_kib <= _MAX_MEMORY_KIB and 1 <= self.passes <= _MAX_PASSES):
            raise ValueError("Argon2id parameters out of bounds")


def stretch(passphrase: str, salt: bytes, params: StretchParams = StretchParams()) -> bytes:
    """32 bytes from a passphrase and a 16-byte salt.

    The passphrase is prepared as RFC 8265 section 4.2 (OpaqueString) says, so that any keyboard gives the same key:
    every kind of space becomes U+0020, then normalisation form C; UTF-8.

    Raises:
        CryptoError: another salt length.
        SurroundingsError: not enough memory ("out_of_memory").
    """
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in passphrase)
    prepared = unicodedata.normalize("NFC", spaced).encode("utf-8", "surrogatepass")
    try:
        return nacl.bindings.crypto_pwhash_alg(
            KEY_SIZE,
            prepared,
            sized(salt, STRETCH_SALT_SIZE),
            params.passes,
            params.memory_kib * 1024,
            nacl.bindings.crypto_pwhash_ALG_ARGON2ID13,
        )
    except nacl.exceptions.RuntimeError as error:
        raise SurroundingsError(
            "There is not enough memory to check the passphrase.",
            code="out_of_memory",
            hint="Close other programs and try again.",
        ) from error


def wrap_secret(key: bytes, secret: bytes, entropy: Entropy) -> bytes:
    """`secret` sealed under a 32-byte key: 32 bytes longer."""
    return seal_salted(Label.WRAP, key, secret, entropy)


def unwrap_secret(key: bytes, wrapped: bytes) -> bytes:
    """The inverse of `wrap_secret`. Raises CryptoError: another key (a wrong passphrase) or damaged bytes."""
    return open_salted(Label.WRAP, key, wrapped)
