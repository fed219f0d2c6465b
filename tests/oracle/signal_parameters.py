"""Roost's ratchet with Signal's parameters, for the one purpose of talking to libsignal.

The state machine is the production code, unchanged: `Session.seal` and `Session.open`, turns, chains, skipped keys,
late chains, replays. What is put in its place are the leaves that it calls: the two KDFs, message encryption and header
layout become Signal's (Double Ratchet revision 1 with plain headers, as in libsignal's message version 3), and the
ML-KEM step becomes nothing. So this shows that the machine is the Double Ratchet; that Roost's own leaves are right is
the business of the vectors. It is done by substitution rather than by parameters in src/, which would offer a choice of
algorithms to production code that must have none.

One difference is taken out on the way: where the specification counts the messages of the chain before (PN), libsignal
writes the last one's index, and 0 where there was none; it does not read it either.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

from roost.crypto import ratchet
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.ratchet import OwnStep, PeersTurn, RatchetOpening, SendingChain, Turn
from roost.crypto.session import Session
from roost.errors import CryptoError

VERSION = b"\x33"
DJB = b"\x05"  # Signal's type byte before a Curve25519 key
MAC_SIZE = 8
_HEADER = struct.Struct(">32sII")  # ratchet key, PN, N


def hkdf(secret: bytes, info: bytes, length: int, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


# --- protobuf, as much as two kinds of message need -------------------------------------------------------------------


def fields(values: dict[int, int | bytes]) -> bytes:
    written = b""
    for number, value in values.items():
        if isinstance(value, bytes):
            written += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            written += varint(number << 3) + varint(value)
    return written


def varint(value: int) -> bytes:
    written = b""
    while value >= 128:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def parsed(data: bytes) -> dict[int, int | bytes]:
    found: dict[int, int | bytes] = {}
    while data:
        tag, data = _varint(data)
        value, data = _varint(data)
        if tag & 7 == 2:
            found[tag >> 3], data = data[:value], data[value:]
        else:
            found[tag >> 3] = value
    return found


def _varint(data: bytes) -> tuple[int, bytes]:
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, data[place + 1 :]
    raise CryptoError("a number is cut off")


def number(value: int | bytes | None) -> int:
    assert isinstance(value, int)
    return value


def raw(value: int | bytes | None) -> bytes:
    assert isinstance(value, bytes)
    return value


def key_of(written: bytes) -> bytes:
    """The 32 bytes of a key as Signal writes it."""
    assert len(written) == 33
    assert written[:1] == DJB
    return written[1:]


# --- Signal's leaves --------------------------------------------------------------------------------------------------


def advance(key: bytes) -> tuple[bytes, bytes]:
    return mac(key, b"\x02"), mac(key, b"\x01")


def turn(root: bytes, secrets: bytes, publics: bytes) -> Turn:
    """Root and chain are Signal's; the third part only names the chain (HKDF's longer output begins as the shorter)."""
    keys = hkdf(secrets, b"WhisperRatchet", 96, root)
    return Turn(keys[:32], keys[32:64], keys[64:])


class NoKem:
    """The ML-KEM step left out: public key, ciphertext and secret are empty."""

    raw = b""

    def __init__(self, raw: bytes = b"") -> None:
        assert raw == b""

    @classmethod
    def generate(cls, _: object) -> NoKem:
        return cls()

    @property
    def public(self) -> NoKem:
        return self

    def parsed(self) -> None:
        """Nothing to be malformed."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        return b"", b""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        assert ciphertext == b""
        return b""


@dataclass(frozen=True)
class PlainKeys:
    """In place of RatchetKeys: no KEM parts."""

    agreement: bytes
    kem: bytes
    ciphertext: bytes
    previous: int

    def encode(self) -> bytes:
        return self.agreement + self.previous.to_bytes(4, "big")

    @classmethod
    def decode(cls, header: bytes) -> PlainKeys:
        agreement, previous, _ = _HEADER.unpack(header)
        return cls(agreement, b"", b"", previous)


@dataclass
class SignalEnd:
    """Roost's end of the conversation: a production Session among Signal's leaves.

    A plain header tells its chain by the ratchet key, an encrypted one by the header key that opens it. `chains` says
    which ratchet key goes with which header key, noted when a chain's first message proved authentic.
    """

    own: bytes  # identity keys with their type byte: the MAC covers both
    other: bytes
    session: Session
    chains: dict[bytes, bytes] = field(default_factory=dict)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put Signal's leaves in place for as long as the test runs."""
        end = self

        @dataclass(frozen=True)
        class PlainHeader:
            key: bytes

            def seal(self, salt: bytes, fixed: bytes, index: int) -> bytes:
                return fixed + index.to_bytes(4, "big")

            def open(self, message: bytes) -> bytes | None:
                found = parsed(message[1:-MAC_SIZE])
                theirs = key_of(raw(found[1]))
                known = end.chains.get(self.key)
                if (known is None and theirs in end.chains.values()) or (known is not None and known != theirs):
                    return None
                return _HEADER.pack(theirs, number(found.get(3, 0)) + 1, number(found.get(2, 0)))

            @staticmethod
            def index(header: bytes) -> int:
                return int(_HEADER.unpack(header)[2])

        for name, leaf in {
            "chains.advance": advance,
            "ratchet.advance": advance,
            "ratchet._turn": turn,
            "ratchet.KemSecret": NoKem,
            "session.KemPublic": NoKem,
            "ratchet.RatchetHeader": PlainHeader,
            "session.RatchetHeader": PlainHeader,
            "ratchet.RatchetKeys": PlainKeys,
            "session.RatchetKeys": PlainKeys,
            "ratchet.seal_body": self._seal_body,
            "session.open_body": self._open_body,
            "session.check_size": lambda _: None,
        }.items():
            patch.setattr(f"roost.crypto.{name}", leaf)

    def _seal_body(self, message_key: bytes, _: bytes, header: bytes, body: bytes) -> bytes:
        ratchet_key, previous, index = _HEADER.unpack(header)
        key, mac_key, start = _message_keys(message_key)
        padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
        sealed = encryptor.update(padder.update(body) + padder.finalize()) + encryptor.finalize()
        message = VERSION + fields({1: DJB + ratchet_key, 2: index, 3: max(previous - 1, 0), 4: sealed})
        return message + mac(mac_key, self.own + self.other + message)[:MAC_SIZE]

    def _open_body(self, message_key: bytes, message: bytes) -> bytes:
        key, mac_key, start = _message_keys(message_key)
        if not hmac.compare_digest(
            mac(mac_key, self.other + self.own + message[:-MAC_SIZE])[:MAC_SIZE], message[-MAC_SIZE:]
        ):
            raise CryptoError("authentication failed")
        unpadder, decryptor = PKCS7(128).unpadder(), Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
        padded = decryptor.update(raw(parsed(message[1:-MAC_SIZE])[4])) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()

    def open(self, message: bytes) -> bytes:
        """Raises CryptoError; the session is then as before."""
        self.session, body = self.session.open(message)
        newest = self.session.receiving[-1].header.key
        self.chains.setdefault(newest, key_of(raw(parsed(message[1:-MAC_SIZE])[1])))
        return body


def _message_keys(message_key: bytes) -> tuple[bytes, bytes, bytes]:
    keys = hkdf(message_key, b"WhisperMessageKeys", 80)
    return keys[:32], keys[32:64], keys[64:]


# --- sessions as X3DH leaves them -------------------------------------------------------------------------------------


def x3dh(*secrets: bytes) -> tuple[bytes, bytes]:
    """(root key, the responder's first chain key)."""
    keys = hkdf(b"\xff" * 32 + b"".join(secrets), b"WhisperText", 64)
    return keys[:32], keys[32:]


def initiator(root: bytes, signed_prekey: bytes) -> Session:
    """Who begins answers the signed prekey with a turn of its own."""
    return _session(root, PeersTurn(AgreementPublic(signed_prekey), NoKem(), 0))  # type: ignore[arg-type]


def responder(root: bytes, chain: bytes, signed_prekey: AgreementSecret) -> Session:
    """The signed prekey is the responder's first ratchet key."""
    opening = RatchetOpening(ratchet.RatchetHeader(bytes(32)), b"", 0)
    step = OwnStep(opening, signed_prekey, NoKem())  # type: ignore[arg-type]
    return _session(root, SendingChain(step, chain, 0))


def _session(root: bytes, sending: SendingChain | PeersTurn) -> Session:
    return Session(
        id=bytes(16),
        confirmed=False,
        root=root,
        next_sending_header=b"ours".ljust(32),
        next_receiving_header=b"theirs".ljust(32),
        sending=sending,
        receiving=(),
    )
