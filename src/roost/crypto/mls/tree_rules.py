"""When a ratchet tree is valid: leaf by leaf as it changes, and as a whole when joining (RFC 9420 7.3, 12.4.3.1)."""

from __future__ import annotations

from collections.abc import Iterable

from roost.crypto.mls import tree_math
from roost.crypto.mls.errors import InvalidChange
from roost.crypto.mls.extensions import check_supported
from roost.crypto.mls.leaf import Extensions
from roost.crypto.mls.parent_hash import check_parent_hashes
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree


def check_tree(suite: CipherSuite, tree: RatchetTree, group_id: bytes, extensions: Extensions) -> None:
    """Everything that a newcomer must verify about a tree whose hash is the group context's.

    Raises:
        InvalidChange: a rule is broken.
        NotAuthentic: a leaf's signature does not verify.
    """
    for index, leaf in tree.members():
        leaf.check(suite, group_id, index)
    check_members(tree, extensions)
    check_unmerged(tree)
    check_parent_hashes(suite, tree)


def check_members(tree: RatchetTree, extensions: Extensions, changed: Iterable[int] | None = None) -> None:
    """What members owe each other: unlike keys, and support for the group's extensions and all credentials in use.

    `changed` names the leaves that are new, when all others are known to support the extensions. Raises InvalidChange.
    """
    members = dict(tree.members())
    for index in members if changed is None else changed:
        if index in members:
            check_supported(members[index], extensions)
    keys = tree.encryption_keys()
    if len(set(keys)) != len(keys) or len({leaf.signature_key for leaf in members.values()}) != len(members):
        raise InvalidChange("two nodes of the tree have the same key")
    used = {leaf.credential.type for leaf in members.values()}
    supported = {leaf.capabilities.credentials for leaf in members.values()}
    if any(not used <= set(credentials) for credentials in supported):
        raise InvalidChange("a credential type is not supported by all members")


def check_unmerged(tree: RatchetTree) -> None:
    """Every unmerged leaf is a member below, and unmerged at each node between. Raises InvalidChange."""
    for node, parent in tree.parents():
        for leaf in parent.unmerged:
            if tree.find_leaf(leaf) is None or not tree_math.is_under(2 * leaf, node):
                raise InvalidChange("an unmerged leaf is not below its node")
            for between in tree_math.direct_path(2 * leaf, tree.leaves):
                if between == node:
                    break
                lower = tree.parent_node(between)
                if lower is not None and leaf not in lower.unmerged:
                    raise InvalidChange("an unmerged leaf is merged below")
