"""Key schedule, pre-shared keys, secret tree and transcript hashes against the working group's vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mls_helpers import suite_of

from roost.crypto.mls.codec import u32
from roost.crypto.mls.context import GroupContext, confirmed_transcript_hash, interim_transcript_hash
from roost.crypto.mls.errors import MlsError, NotForThisClient, Replayed, TooFarAhead
from roost.crypto.mls.framing import AuthenticatedContent
from roost.crypto.mls.key_schedule import JoinerSchedule
from roost.crypto.mls.protection import sender_data_key
from roost.crypto.mls.psk import PskId, PskUsage, psk_secret
from roost.crypto.mls.secret_tree import MAX_KEPT, MAX_STEPS, RatchetKind, SecretTree
from roost.crypto.mls.suites import MLS_128_X25519

Vectors = Callable[[str], Any]
unhex = bytes.fromhex


def test_key_schedule(vectors: Vectors) -> None:
    for case in vectors("mls/key-schedule.json"):
        suite = suite_of(case)
        init_secret, group_id = unhex(case["initial_init_secret"]), unhex(case["group_id"])
        for number, epoch in enumerate(case["epochs"]):
            hashes = unhex(epoch["tree_hash"]), unhex(epoch["confirmed_transcript_hash"])
            context = GroupContext(suite.id, group_id, number, *hashes, ())
            assert context.encode() == unhex(epoch["group_context"])
            joiner = JoinerSchedule.after_commit(
                suite, init_secret, unhex(epoch["commit_secret"]), unhex(epoch["psk_secret"]), context
            )
            secrets = joiner.epoch(context)
            assert joiner.joiner_secret == unhex(epoch["joiner_secret"])
            assert joiner.welcome_secret == unhex(epoch["welcome_secret"])
            for name, value in secrets.to_dict().items():
                assert value == unhex(epoch[name]), name
            assert secrets.external_key().public == unhex(epoch["external_pub"])
            export = epoch["exporter"]
            label = export["label"].encode()
            assert secrets.export(label, unhex(export["context"]), export["length"]) == unhex(export["secret"])
            assert "redacted" in repr(secrets)
            assert "redacted" in repr(joiner)
            init_secret = secrets.init_secret


def test_psk_secret(vectors: Vectors) -> None:
    for case in vectors("mls/psk_secret.json"):
        named = [
            (PskId(PskUsage.EXTERNAL, unhex(psk["psk_id"]), 0, unhex(psk["psk_nonce"])), unhex(psk["psk"]))
            for psk in case["psks"]
        ]
        assert psk_secret(suite_of(case), named) == unhex(case["psk_secret"])


def test_secret_tree(vectors: Vectors) -> None:
    for case in vectors("mls/secret-tree.json"):
        suite, data = suite_of(case), case["sender_data"]
        key, nonce = sender_data_key(suite, unhex(data["sender_data_secret"]), unhex(data["ciphertext"]))
        assert (key, nonce) == (unhex(data["key"]), unhex(data["nonce"]))
        tree = SecretTree.begin(suite, unhex(case["encryption_secret"]), len(case["leaves"]))
        for leaf, generations in enumerate(case["leaves"]):
            for entry in generations:
                for kind in RatchetKind:
                    name = kind.value.decode()
                    tree, taken = tree.take(leaf, kind, entry["generation"])
                    assert taken == (unhex(entry[f"{name}_key"]), unhex(entry[f"{name}_nonce"]))


def test_transcript_hashes(vectors: Vectors) -> None:
    for case in vectors("mls/transcript-hashes.json"):
        suite = suite_of(case)
        message = AuthenticatedContent.decode(unhex(case["authenticated_content"]))
        before = unhex(case["interim_transcript_hash_before"])
        confirmed = confirmed_transcript_hash(suite, before, message.confirmed_input())
        assert confirmed == unhex(case["confirmed_transcript_hash_after"])
        tag = message.auth.confirmation_tag
        assert tag is not None
        suite.check_mac(unhex(case["confirmation_key"]), confirmed, tag)
        assert interim_transcript_hash(suite, confirmed, tag) == unhex(case["interim_transcript_hash_after"])


APPLICATION = RatchetKind.APPLICATION


def a_tree(leaves: int = 4) -> SecretTree:
    return SecretTree.begin(MLS_128_X25519, bytes(32), leaves)


def test_a_key_is_given_once_and_in_any_order() -> None:
    tree, expected = a_tree(), {}
    for generation in range(6):
        tree, number, expected[generation] = tree.next(1, APPLICATION)
        assert number == generation
    other = a_tree()
    for generation in (3, 0, 5, 1, 4, 2):
        other, key = other.take(1, APPLICATION, generation)
        assert key == expected[generation]
        with pytest.raises(Replayed):
            other.take(1, APPLICATION, generation)
    assert not other.ratchets[1, APPLICATION].kept


def test_opening_a_leaf_forgets_the_secrets_on_the_way() -> None:
    tree, _ = a_tree(8).take(2, APPLICATION, 0)
    assert set(tree.secrets) == {6, 1, 11}  # the siblings along the path of leaf 2, and nothing above
    tree, _ = tree.take(3, APPLICATION, 0)
    assert set(tree.secrets) == {1, 11}
    assert "redacted" in repr(tree)


def test_gaps_are_bounded() -> None:
    with pytest.raises(TooFarAhead):
        a_tree().take(0, APPLICATION, MAX_STEPS + 1)
    with pytest.raises(TooFarAhead):
        a_tree().take(0, APPLICATION, 0xFFFF_FFFF)
    tree = a_tree()
    for generation in (MAX_STEPS, MAX_STEPS + 10):
        tree, _ = tree.take(0, APPLICATION, generation)
    kept = tree.ratchets[0, APPLICATION].kept
    assert len(kept) == MAX_KEPT
    assert min(kept) > 0  # the oldest went
    with pytest.raises(Replayed):
        tree.take(0, APPLICATION, 0)
    with pytest.raises(NotForThisClient):
        tree.take(4, APPLICATION, 0)
    with pytest.raises(MlsError):
        tree.take(int.from_bytes(u32(0xFFFF_FFFF)), APPLICATION, 0)
