"""Ratchet trees, tree operations, validation and TreeKEM against the working group's vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mls_helpers import SystemEntropy, private_key_of, signature_key_of, suite_of

from roost.crypto.mls import tree_math
from roost.crypto.mls.codec import Reader
from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.errors import InvalidChange, MlsError
from roost.crypto.mls.leaf import ParentNode
from roost.crypto.mls.parent_hash import check_parent_hashes
from roost.crypto.mls.proposals import Add, Remove, Update, UpdatePath, read_proposal
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.tree_rules import check_tree
from roost.crypto.mls.treekem import derive_path, make_path, merge_path, open_path, seal_path

Vectors = Callable[[str], Any]
unhex = bytes.fromhex


def test_operations(vectors: Vectors) -> None:
    for case in vectors("mls/tree-operations.json"):
        suite = suite_of(case)
        tree = RatchetTree.decode(unhex(case["tree_before"]))
        assert tree.tree_hash(suite) == unhex(case["tree_hash_before"])
        proposal = read_proposal(Reader(unhex(case["proposal"])))
        if isinstance(proposal, Add):
            tree.add(proposal.key_package.leaf)
        elif isinstance(proposal, Update):
            tree.update(case["proposal_sender"], proposal.leaf)
        else:
            assert isinstance(proposal, Remove)
            tree.remove(proposal.removed)
            tree.truncate()
        assert tree.encode() == unhex(case["tree_after"])
        assert tree.tree_hash(suite) == unhex(case["tree_hash_after"])


def test_validation(vectors: Vectors) -> None:
    for case in vectors("mls/tree-validation.json"):
        suite = suite_of(case)
        tree = RatchetTree.decode(unhex(case["tree"]))
        for node, resolution in enumerate(case["resolutions"]):
            assert tree.resolution(node) == resolution
            assert tree.is_empty(node) == (not resolution)
            assert tree.hash_of(suite, node) == unhex(case["tree_hashes"][node])
        check_tree(suite, tree, unhex(case["group_id"]), ())


def test_broken_trees_are_refused(vectors: Vectors) -> None:
    for case in vectors("mls/tree-validation.json")[3:14]:
        suite, tree = suite_of(case), RatchetTree.decode(unhex(case["tree"]))
        with pytest.raises(MlsError):
            check_tree(suite, tree, b"another group", ())
        for node, parent in list(tree.parents())[:3]:
            broken = tree.copy()
            broken.set_node(node, ParentNode(parent.encryption_key[::-1], parent.parent_hash, parent.unmerged))
            with pytest.raises(InvalidChange):
                check_parent_hashes(suite, broken)


def test_treekem(vectors: Vectors) -> None:
    for case in vectors("mls/treekem.json"):
        _TreeKem(case).check()


class _TreeKem:
    def __init__(self, case: dict[str, Any]) -> None:
        self.case, self.suite = case, suite_of(case)
        self.group_id = unhex(case["group_id"])
        self.tree = RatchetTree.decode(unhex(case["ratchet_tree"]))
        self.signers = {m["index"]: signature_key_of(self.suite, m["signature_priv"]) for m in case["leaves_private"]}
        self.private = {
            m["index"]: {2 * m["index"]: private_key_of(self.suite, m["encryption_priv"])}
            for m in case["leaves_private"]
        }
        for member in case["leaves_private"]:
            for entry in member["path_secrets"]:
                derived = derive_path(self.suite, unhex(entry["path_secret"]), [entry["node"]])
                self.private[member["index"]].update(derived.keys)
        for index, keys in self.private.items():
            assert self.signers[index].public == self.tree.leaf(index).signature_key
            for node, key in keys.items():
                found = self.tree.node(node)
                assert found is not None
                assert found.encryption_key == key.public

    def context(self, tree: RatchetTree) -> bytes:
        confirmed = unhex(self.case["confirmed_transcript_hash"])
        epoch, suite = self.case["epoch"], self.suite
        return GroupContext(suite.id, self.group_id, epoch, tree.tree_hash(suite), confirmed, ()).encode()

    def check(self) -> None:
        for entry in self.case["update_paths"]:
            self.check_theirs(entry)
        self.check_ours(self.case["update_paths"][-1]["sender"])

    def check_theirs(self, entry: dict[str, Any]) -> None:
        path, sender, tree = UpdatePath.decode(unhex(entry["update_path"])), entry["sender"], self.tree.copy()
        path.leaf.check(self.suite, self.group_id, sender)
        merge_path(self.suite, tree, sender, path)
        assert tree.tree_hash(self.suite) == unhex(entry["tree_hash_after"])
        check_parent_hashes(self.suite, tree)
        for index, private in self.private.items():
            expected = entry["path_secrets"][index]
            if index != sender:
                opened = open_path(self.suite, tree, sender, path, index, private, (), self.context(tree))
                node = tree_math.common_ancestor(2 * index, 2 * sender)
                assert opened.path_secrets[node] == unhex(expected)
                assert opened.commit_secret == unhex(entry["commit_secret"])

    def check_ours(self, sender: int) -> None:
        tree, entropy, suite = self.tree.copy(), SystemEntropy(), self.suite
        derived = make_path(suite, tree, sender, tree.leaf(sender), self.group_id, self.signers[sender], entropy)
        path = seal_path(suite, tree, sender, derived, (), self.context(tree), entropy)
        received = self.tree.copy()
        merge_path(suite, received, sender, path)
        assert received.encode() == tree.encode()
        for index, private in self.private.items():
            if index != sender:
                opened = open_path(suite, received, sender, path, index, private, (), self.context(received))
                assert opened.commit_secret == derived.commit_secret
