"""Parent hashes: which keys of the tree were set together, and by whom (RFC 9420 section 7.9)."""

from __future__ import annotations

from roost.crypto.mls import tree_math
from roost.crypto.mls.codec import opaque
from roost.crypto.mls.errors import InvalidChange
from roost.crypto.mls.leaf import LeafNode, ParentNode
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree


def parent_hash(suite: CipherSuite, tree: RatchetTree, node: int, sibling: int) -> bytes:
    """The parent hash of the parent node `node` with its child `sibling` on the copath."""
    parent = tree.parent_node(node)
    if parent is None:
        raise InvalidChange("a blank node has no parent hash")
    original = tree.hash_without(suite, sibling, parent.unmerged)
    return suite.digest(opaque(parent.encryption_key) + opaque(parent.parent_hash) + opaque(original))


def check_parent_hashes(suite: CipherSuite, tree: RatchetTree) -> None:
    """Every parent node must have exactly one descendant that was set with it (section 7.9.2, top down).

    Raises InvalidChange.
    """
    for node, parent in tree.parents():
        below = tree_math.left(node), tree_math.right(node)
        witnesses = sum(
            _witnesses(suite, tree, node, parent, child, sibling) for child, sibling in (below, below[::-1])
        )
        if witnesses != 1:
            raise InvalidChange("a node of the tree was not set by a member")


def _witnesses(suite: CipherSuite, tree: RatchetTree, node: int, parent: ParentNode, child: int, sibling: int) -> int:
    """How many nodes in `child`'s resolution were set in the same update path as `node`."""
    under = tree_math.leaf_range(child)
    unmerged = {2 * leaf for leaf in parent.unmerged if leaf in under}
    resolution = set(tree.resolution(child))
    candidates = resolution - unmerged
    if len(candidates) != 1 or not unmerged <= resolution:
        return 0
    return int(_hash_field(tree, candidates.pop()) == parent_hash(suite, tree, node, sibling))


def _hash_field(tree: RatchetTree, node: int) -> bytes | None:
    found = tree.node(node)
    return found.parent_hash if isinstance(found, LeafNode | ParentNode) else None
