"""The relay's TLS: 1.3 only, with a self-made certificate kept in the data directory, or the operator's files.

Nobody needs to trust the certificate: clients believe the relay's identity key, which signs the hash of the TLS key
(relay.server.identity, docs/protocol/links.md).
"""

from __future__ import annotations

import datetime
import hashlib
import ssl
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from roost.errors import SurroundingsError
from roost.relay.files import write_secret
from roost.relay.server.link import ALPN_HTTP, ALPN_RAW

_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)  # fixed: it must not tell when the relay was set up
_UNTIL = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)


class TlsIdentity:
    """A certificate and its key, and the context that shows them. `reload` reads the files again."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SurroundingsError: the files cannot be read or do not belong together."""
        self._certificate = certificate
        self._key = key
        self.context = _context()
        self.key_hash = b""
        self.reload()

    def reload(self) -> None:
        """New connections are shown what the files hold now. Raises SurroundingsError; then the old ones stay."""
        try:
            secret = load_pem_private_key(self._key.read_bytes(), None)  # the certificate is checked to be this key's
            _context().load_cert_chain(self._certificate, self._key)
            self.context.load_cert_chain(self._certificate, self._key)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm, ssl.SSLError) as error:  # TypeError: a passphrase
            raise SurroundingsError(
                "The relay's TLS certificate and key cannot be used.",
                code="bad_certificate",
                hint="Check the paths, the owner and that key and certificate belong together.",
            ) from error
        spki = secret.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_hash = hashlib.sha256(spki).digest()


def self_made(certificate: Path, key: Path) -> TlsIdentity:
    """The certificate in these files, made if they are not there."""
    if not (certificate.exists() and key.exists()):
        from cryptography import x509  # large, and of use only this once
        from cryptography.x509.oid import NameOID

        secret = ec.generate_private_key(ec.SECP256R1())  # browsers know no Ed25519 certificates
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(secret.public_key())
            .serial_number(1)
            .not_valid_before(_FROM)
            .not_valid_after(_UNTIL)
            .sign(secret, hashes.SHA256())
        )
        write_secret(key, secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        write_secret(certificate, made.public_bytes(Encoding.PEM))
    return TlsIdentity(certificate, key)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # resumed sessions could be linked to each other, and links live long
    context.set_alpn_protocols([ALPN_RAW, ALPN_HTTP])
    return context
