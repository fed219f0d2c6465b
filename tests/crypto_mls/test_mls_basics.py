"""The lowest layer against the working group's vectors: lengths, tree positions, labelled cryptography."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from mls_helpers import SystemEntropy, suite_of

from roost.crypto.mls import tree_math
from roost.crypto.mls.codec import Reader, varint
from roost.crypto.mls.errors import Malformed, MlsError
from roost.crypto.mls.suites import SUITES, HpkeCiphertext

Vectors = Callable[[str], Any]


def test_lengths(vectors: Vectors) -> None:
    for case in vectors("mls/deserialization.json"):
        header = bytes.fromhex(case["vlbytes_header"])
        assert Reader(header).varint() == case["length"]
        assert varint(case["length"]) == header


@pytest.mark.parametrize("header", ["c000000000000000", "4000", "403f", "80003fff", "ff"])
def test_lengths_have_one_form(header: str) -> None:
    with pytest.raises(Malformed):
        Reader(bytes.fromhex(header)).varint()


def test_positions(vectors: Vectors) -> None:
    for case in vectors("mls/tree-math.json"):
        leaves = case["n_leaves"]
        nodes = tree_math.node_width(leaves)
        top = tree_math.root(leaves)
        assert (nodes, top) == (case["n_nodes"], case["root"])
        for node in range(nodes):
            is_leaf, is_root = node % 2 == 0, node == top
            assert case["left"][node] == (None if is_leaf else tree_math.left(node))
            assert case["right"][node] == (None if is_leaf else tree_math.right(node))
            assert case["parent"][node] == (None if is_root else tree_math.parent(node))
            assert case["sibling"][node] == (None if is_root else tree_math.sibling(node))


def test_common_ancestors_and_ranges() -> None:
    for one in range(0, 32, 2):
        for other in range(0, 32, 2):
            above = [one, *tree_math.direct_path(one, 16)]
            expected = next(node for node in above if tree_math.is_under(other, node))
            assert tree_math.common_ancestor(one, other) == expected
    for node in range(31):
        under = [leaf for leaf in range(16) if tree_math.is_under(2 * leaf, node)]
        assert list(tree_math.leaf_range(node)) == under


def test_labelled_operations(vectors: Vectors) -> None:
    for case in vectors("mls/crypto-basics.json"):
        suite = suite_of(case)
        h = {name: {k: _bytes(v) for k, v in part.items()} for name, part in case.items() if isinstance(part, dict)}
        part = h["ref_hash"]
        assert suite.reference(case["ref_hash"]["label"].encode(), part["value"]) == part["out"]
        raw, part = case["expand_with_label"], h["expand_with_label"]
        assert suite.expand(part["secret"], raw["label"].encode(), part["context"], raw["length"]) == part["out"]
        raw, part = case["derive_secret"], h["derive_secret"]
        assert suite.derive(part["secret"], raw["label"].encode()) == part["out"]
        raw, part = case["derive_tree_secret"], h["derive_tree_secret"]
        derived = suite.derive_tree(part["secret"], raw["label"].encode(), raw["generation"], raw["length"])
        assert derived == part["out"]
        raw, part = case["sign_with_label"], h["sign_with_label"]
        label = raw["label"].encode()
        key = suite.signature_key(part["priv"])
        assert key.public == part["pub"]
        suite.verify(part["pub"], label, part["content"], part["signature"])
        suite.verify(part["pub"], label, part["content"], suite.sign(key, label, part["content"]))
        with pytest.raises(MlsError):
            suite.verify(part["pub"], label, part["content"] + b"x", part["signature"])
        raw, part = case["encrypt_with_label"], h["encrypt_with_label"]
        label = raw["label"].encode()
        private = suite.kem.private(part["priv"])
        assert private.public == part["pub"]
        sealed = HpkeCiphertext(part["kem_output"], part["ciphertext"])
        assert suite.decrypt(private, label, part["context"], sealed) == part["plaintext"]
        ours = suite.encrypt(part["pub"], label, part["context"], part["plaintext"], SystemEntropy())
        assert suite.decrypt(private, label, part["context"], ours) == part["plaintext"]


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        return b""


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_keys_say_nothing_and_bad_keys_are_refused(suite: Any) -> None:
    entropy = SystemEntropy()
    private, signer = suite.kem.generate(entropy), suite.scheme.generate(entropy)
    for secret in (private, signer):
        assert "redacted" in repr(secret)
        assert secret.to_bytes().hex() not in repr(secret)
        assert secret == type(secret)(*_parts(suite, secret))
    for public in (b"", bytes(suite.kem.public_size), os.urandom(suite.kem.public_size + 1)):
        if suite.id != 0x53 or len(public) != suite.kem.public_size:
            with pytest.raises(Malformed):
                suite.encrypt(public, b"", b"", b"", entropy)
    sealed = suite.encrypt(private.public, b"label", b"context", b"plain", entropy)
    for label, context in ((b"other", b"context"), (b"label", b"other")):
        with pytest.raises(MlsError):
            suite.decrypt(private, label, context, sealed)
    for broken in (b"", sealed.kem_output[:-1], sealed.kem_output + b"\0"):
        with pytest.raises(MlsError):
            suite.decrypt(private, b"label", b"context", HpkeCiphertext(broken, sealed.ciphertext))


def _parts(suite: Any, secret: Any) -> tuple[Any, bytes]:
    return (suite.kem if hasattr(secret, "decapsulate") else suite.scheme), secret.to_bytes()
