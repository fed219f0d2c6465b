"""Is this the relay that the link names? The check that stands in for certificate authorities. Pure.

A relay's first frame is `Hello` with its `SignedInfo`. The client believes it if the identity key pinned in the relay's
address signed it and the signed TLS key is the one that TLS has just proven; or, where a proxy ends TLS, if the address
pins that proxy's certificate. docs/protocol/links.md, "Proving the relay".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm

from roost.crypto import Label, VerifyKey
from roost.errors import CryptoError, WireError
from roost.network.errors import NotARelay, RelayKeyChanged, RelayTooNew
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, decode_parts
from roost.wire.mailbox import PROTOCOL_VERSION, RelayInfo, SignedInfo


@dataclass(frozen=True)
class ShownCertificate:
    """The certificate (DER) whose private key the other end of TLS has proven to hold."""

    der: bytes

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the whole certificate."""
        return hashlib.sha256(self.der).digest()

    @cached_property
    def key_hash(self) -> bytes:
        """SHA-256 of its SubjectPublicKeyInfo.

        Raises:
            NotARelay: it is not a certificate that a relay would show.
        """
        from cryptography import x509  # large, and of use only to who dials over TLS
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        try:
            key = x509.load_der_x509_certificate(self.der).public_key()
            return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise NotARelay("The certificate shown at the relay's address cannot be read.") from error


def prove(signed: SignedInfo, address: RelayAddress, shown: ShownCertificate) -> RelayInfo:
    """What the relay at the other end of a link says of itself, once it has proven to be the one at `address`.

    Raises:
        RelayKeyChanged: another identity key, or a TLS key that the identity key did not sign.
        NotARelay: the statement is no relay's.
        RelayTooNew: it is the right relay, with a protocol that this Roost does not know.
    """
    info = read_info(signed, address.key)
    if hmac.compare_digest(info.tls_key_hash, shown.key_hash):
        return info
    if not address.tls_fingerprint:
        raise RelayKeyChanged(
            "Something between here and the relay ends the encryption in its place.",
            hint="On a network that inspects traffic, use another one; behind a proxy, the relay's link must name its "
            "certificate: ask the operator for a new link.",
        )
    if not hmac.compare_digest(address.tls_fingerprint, shown.fingerprint):
        raise RelayKeyChanged(
            "The certificate in front of the relay is not the one in its link.",
            hint="Ask the operator for the relay's new link.",
        )
    return info


def read_info(signed: SignedInfo, key: bytes) -> RelayInfo:
    """The statement inside `signed`, which the relay identity `key` (32 bytes) must have signed.

    Raises:
        RelayKeyChanged, NotARelay, RelayTooNew: as `prove`.
    """
    if not _signed_by(signed, key):
        raise _not_signed(signed)
    try:
        info = decode(RelayInfo, signed.info)
    except WireError as error:
        raise _unreadable(signed.info) from error
    if info.key != key:
        raise RelayKeyChanged("The relay signed a statement about another relay.")
    return info


def _signed_by(signed: SignedInfo, key: bytes) -> bool:
    try:
        VerifyKey(key).verify(Label.RELAY_INFO, signed.info, signed.signature)
    except CryptoError:
        return False
    return True


def _not_signed(signed: SignedInfo) -> NotARelay | RelayKeyChanged:
    """Tell a relay with another key from something that only pretends to be a relay."""
    try:
        other = decode(RelayInfo, signed.info).key
    except WireError:
        other = None
    if other is not None and _signed_by(signed, other):
        return RelayKeyChanged("The relay at this address has another key than the one in its link.")
    return NotARelay("What answers at the relay's address does not prove to be a relay.")


def _unreadable(encoded: bytes) -> NotARelay | RelayTooNew:
    """A newer relay whose statement we can read still speaks our version; one that does not shows it in this way."""
    try:
        version = msgspec.msgpack.decode(decode_parts(encoded)[0], type=int)
    except (WireError, IndexError, msgspec.MsgspecError, ValueError):
        version = 0
    if version > PROTOCOL_VERSION:
        return RelayTooNew("The relay speaks a newer version of the protocol than this Roost.")
    return NotARelay("What the relay says of itself cannot be read.")
