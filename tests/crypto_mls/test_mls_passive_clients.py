"""Whole group histories against the working group's vectors: join by Welcome, follow every commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mls_helpers import private_key_of, signature_key_of, suite_of

from roost.crypto.mls.framing import MlsMessage
from roost.crypto.mls.group import Group
from roost.crypto.mls.key_package import KeyPackage, KeyPackageSecrets
from roost.crypto.mls.psk import Psks
from roost.crypto.mls.results import CommitReceived, ProposalReceived, Settings

Vectors = Callable[[str], Any]
unhex = bytes.fromhex
# The vectors' key packages live as long as numbers go, and some name resumption keys of long ago.
SETTINGS = Settings(max_lifetime_s=None, resumption_epochs=1_000)


@pytest.mark.parametrize("kind", ["welcome", "handling-commit", "random"])
def test_passive_clients(vectors: Vectors, kind: str) -> None:
    for case in vectors(f"mls/passive-client-{kind}.json"):
        follow(case)


def follow(case: dict[str, Any]) -> None:
    suite = suite_of(case)
    package = MlsMessage.decode(unhex(case["key_package"])).body
    assert isinstance(package, KeyPackage)
    secrets = KeyPackageSecrets(
        package,
        private_key_of(suite, case["init_priv"]),
        private_key_of(suite, case["encryption_priv"]),
        signature_key_of(suite, case["signature_priv"]),
    )
    psks = Psks({unhex(psk["psk_id"]): unhex(psk["psk"]) for psk in case["external_psks"]})
    tree = unhex(case["ratchet_tree"]) if case["ratchet_tree"] else None
    group = Group.join(unhex(case["welcome"]), secrets, psks=psks, tree=tree, settings=SETTINGS)
    assert group.authenticator == unhex(case["initial_epoch_authenticator"])
    for epoch in case["epochs"]:
        for proposal in epoch["proposals"]:
            received = group.receive(unhex(proposal))
            assert isinstance(received, ProposalReceived)
            group = received.group
        received = group.receive(unhex(epoch["commit"]), psks=psks)
        assert isinstance(received, CommitReceived)
        group = received.group.accept(received.staged)
        assert group.authenticator == unhex(epoch["epoch_authenticator"])
