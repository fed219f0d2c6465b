"""Links between devices against the bare primitives, and against TLS 1.3 in memory (Python's `ssl`) in the same run.

TLS proves the server alone and, where the platform's OpenSSL is older than 3.5, without ML-KEM; a peer link proves both
ends and is hybrid.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.bench_crypto import ENTROPY
from benchmarks.measure import Clock, Result, cost, throughput
from roost.crypto import AgreementSecret, KemSecret
from roost.crypto.meetings import announce, recognised
from roost.crypto.peer_link import Established, PeerLinkInitiator, PeerLinkResponder
from roost.errors import CryptoError

NOW = 1_900_000_000
GUEST, HOST = AgreementSecret.generate(ENTROPY), AgreementSecret.generate(ENTROPY)
MEETINGS = [os.urandom(16) for _ in range(1_000)]
WRITE = os.urandom(65_536)
SMALL = WRITE[:4_200]  # an envelope's request


def run(clock: Clock) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        contexts = _contexts(Path(folder))
    return [*_handshakes(clock, *contexts), *_streams(clock, *contexts), *_strangers(clock)]


def _linked(meetings: list[bytes] = MEETINGS[:1]) -> tuple[Established, Established]:
    guest = PeerLinkInitiator(GUEST, HOST.public, meetings[-1], NOW, ENTROPY)
    host = PeerLinkResponder(HOST, meetings, NOW, ENTROPY, lambda _: False)
    host.receive(guest.receive(host.receive(guest.start())))
    assert guest.established
    assert host.established
    return guest.established, host.established


def _primitives() -> None:
    """What the pattern needs at least: two ephemeral keys, three exchanges at each end, one encapsulation."""
    one, other = AgreementSecret.generate(ENTROPY), AgreementSecret.generate(ENTROPY)
    for own, peer in ((one, HOST), (one, other), (GUEST, other)):
        own.exchange(peer.public)
        peer.exchange(own.public)
    kem = KemSecret.generate(ENTROPY)
    kem.decapsulate(kem.public.encapsulate()[1])


class _Tls:
    """Both ends of a TLS connection in memory."""

    def __init__(self, client: ssl.SSLContext, server: ssl.SSLContext) -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(down, up)
        self.server = server.wrap_bio(up, down, server_side=True)
        ends = [self.client, self.server]
        while ends:
            end = ends.pop(0)
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                ends.append(end)

    def carry(self, data: bytes) -> None:
        """From the client to the server, as whoever moves the bytes would: written, then read to the end."""
        self.client.write(data)
        left = len(data)
        while left:
            left -= len(self.server.read(left))


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key, now = Ed25519PrivateKey.generate(), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    day = datetime.timedelta(days=1)
    certificate = builder.serial_number(1).not_valid_before(now - day).not_valid_after(now + day).sign(key, None)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "both.pem"
    path.write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate.public_bytes(encoding)
    )
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(path)
    client.check_hostname = False
    client.load_verify_locations(path)
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    return client, server


def _handshakes(clock: Clock, client: ssl.SSLContext, server: ssl.SSLContext) -> list[Result]:
    works: list[Callable[[], object]] = [_primitives, lambda: _Tls(client, server), _linked]
    bare, tls, link = clock.side_by_side(works)
    floor, peer = cost("bare primitives of a handshake", bare), cost("TLS 1.3 handshake, both ends", tls)
    return [
        floor,
        peer,
        cost("handshake, both ends", link, floor),
        cost("handshake, both ends", link, peer),
        throughput("handshakes, both ends", 1e6 / link, "/s"),
    ]


def _streams(clock: Clock, client: ssl.SSLContext, server: ssl.SSLContext) -> list[Result]:
    results, tls, (guest, host) = [], _Tls(client, server), _linked()
    for name, data in (("64 KiB", WRITE), ("4.2 kB", SMALL)):
        works: list[Callable[[], object]] = [
            lambda data=data: AESGCM(os.urandom(32)).encrypt(bytes(12), data, None),
            lambda data=data: tls.carry(data),
            lambda data=data: host.records.open(guest.records.seal(data)),
        ]
        rates = [len(data) / spent for spent in clock.side_by_side(works)]
        floor = throughput(f"AES-256-GCM of {name}, sealed only", rates[0], "MB/s")
        peer = throughput(f"TLS 1.3, writes of {name}", rates[1], "MB/s")
        figure = f"records, writes of {name}, sealed and opened"
        results += [
            floor,
            peer,
            throughput(figure, rates[2], "MB/s", floor),
            throughput(figure, rates[2], "MB/s", peer),
        ]
    return results


def _strangers(clock: Clock) -> list[Result]:
    """What those cost the host who are nobody to it."""
    stranger = os.urandom(32)
    announcement = announce(MEETINGS[:50], NOW, ENTROPY)

    def refused() -> None:
        host = PeerLinkResponder(HOST, MEETINGS, NOW, ENTROPY, lambda _: False)
        with contextlib.suppress(CryptoError):
            host.receive(stranger)

    return [
        cost("refuse a stranger, with 1,000 meetings", clock.microseconds(refused)),
        cost(
            "look for 1,000 meetings in an announcement",
            clock.microseconds(lambda: recognised(announcement, MEETINGS, NOW)),
        ),
    ]
