"""What the tests of the MLS core share."""

from __future__ import annotations

import os
from typing import Any

from roost.crypto.mls.group import Group
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.psk import Psks
from roost.crypto.mls.results import ApplicationReceived, CommitReceived
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite, suite_by_id


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def suite_of(case: dict[str, Any]) -> CipherSuite:
    return suite_by_id(case["cipher_suite"])


def signature_key_of(suite: CipherSuite, text: str) -> SignatureKey:
    """A signature key of the vectors. They drop a P-521 scalar's leading zeros, which RFC 9420 keeps."""
    return suite.signature_key(bytes.fromhex(text).rjust(suite.scheme.secret_size, b"\0"))


def private_key_of(suite: CipherSuite, text: str) -> KemPrivateKey:
    """An HPKE private key of the vectors, likewise."""
    return suite.kem.private(bytes.fromhex(text).rjust(suite.kem.secret_size, b"\0"))


def commit_received(group: Group, message: bytes, psks: Psks | None = None) -> Group:
    """The group after a commit of another."""
    received = group.receive(message, psks=psks)
    assert isinstance(received, CommitReceived)
    return received.group.accept(received.staged)


def data_received(group: Group, message: bytes) -> tuple[Group, bytes]:
    """(group, what another said)."""
    received = group.receive(message)
    assert isinstance(received, ApplicationReceived)
    return received.group, received.data
