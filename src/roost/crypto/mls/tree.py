"""The ratchet tree: who is where, and what it takes to reach whom (RFC 9420 sections 4.1, 7.7, 7.8 and 12.4.3.3).

A tree is changed only while it is being staged: whoever changes one takes a `copy` first, which shares all nodes. Tree
hashes are kept per node and forgotten along the path of what changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from roost.crypto.mls import tree_math
from roost.crypto.mls.codec import MAX_ITEMS, Reader, Structure, opaque, optional, u8, u32, vector
from roost.crypto.mls.errors import InvalidChange, Malformed, TooLarge
from roost.crypto.mls.leaf import LeafNode, Node, ParentNode
from roost.crypto.mls.suites import CipherSuite

MAX_LEAVES: Final = MAX_ITEMS // 2  # what a ratchet_tree extension can hold
_LEAF: Final = 1
_PARENT: Final = 2


class RatchetTree(Structure):
    """The public tree. `leaves` is its width, a power of two; nodes are numbered as in tree_math."""

    __slots__ = ("_first_blank", "_hashes", "_nodes")

    def __init__(self, nodes: list[Node | None]) -> None:
        self._nodes = nodes
        self._hashes: list[bytes | None] = [None] * len(nodes)
        self._first_blank = 0  # no leaf before this one is blank

    @classmethod
    def of_one(cls, leaf: LeafNode) -> RatchetTree:
        """The tree of a group's creator."""
        return cls([leaf])

    def copy(self) -> RatchetTree:
        other = RatchetTree(self._nodes.copy())
        other._hashes = self._hashes.copy()
        other._first_blank = self._first_blank
        return other

    # --- what is there ---

    @property
    def leaves(self) -> int:
        return (len(self._nodes) + 1) // 2

    @property
    def root(self) -> int:
        return tree_math.root(self.leaves)

    def node(self, node: int) -> Node | None:
        return self._nodes[node]

    def parent_node(self, node: int) -> ParentNode | None:
        found = self._nodes[node]
        return found if isinstance(found, ParentNode) else None

    def find_leaf(self, index: int) -> LeafNode | None:
        """The leaf of a member, or None where the place is blank or outside."""
        found = self._nodes[2 * index] if 0 <= index < self.leaves else None
        return found if isinstance(found, LeafNode) else None

    def leaf(self, index: int) -> LeafNode:
        """Raises InvalidChange where no member is."""
        found = self.find_leaf(index)
        if found is None:
            raise InvalidChange("a leaf is blank or outside the tree")
        return found

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """Every member's leaf index and leaf."""
        for index, node in enumerate(self._nodes[::2]):
            if isinstance(node, LeafNode):
                yield index, node

    def parents(self) -> Iterator[tuple[int, ParentNode]]:
        """Every parent node that is not blank, with its number."""
        for index, node in enumerate(self._nodes[1::2]):
            if isinstance(node, ParentNode):
                yield 2 * index + 1, node

    def encryption_keys(self) -> list[bytes]:
        """The public keys of all nodes, however often each is there."""
        return [node.encryption_key for node in self._nodes if node is not None]

    # --- reaching members (sections 4.1.1 and 4.1.2) ---

    def resolution(self, node: int) -> list[int]:
        """The fewest nodes whose keys reach everyone under `node`."""
        found = self._nodes[node]
        if isinstance(found, LeafNode):
            return [node]
        if isinstance(found, ParentNode):
            return [node, *(2 * leaf for leaf in found.unmerged)]
        if node % 2 == 0:
            return []
        return self.resolution(tree_math.left(node)) + self.resolution(tree_math.right(node))

    def is_empty(self, node: int) -> bool:
        """Whether no member is under `node`: whether its resolution is empty."""
        if self._nodes[node] is not None:
            return False
        return node % 2 == 0 or (self.is_empty(tree_math.left(node)) and self.is_empty(tree_math.right(node)))

    def filtered_path(self, leaf: int) -> list[tuple[int, int]]:
        """(node, its child on the copath) for the leaf's filtered direct path, from below."""
        node, path = 2 * leaf, []
        for above in tree_math.direct_path(node, self.leaves):
            copath = tree_math.sibling(node)
            if not self.is_empty(copath):
                path.append((above, copath))
            node = above
        return path

    # --- changing it ---

    def set_node(self, node: int, value: Node | None) -> None:
        self._nodes[node] = value
        self._hashes[node] = None
        for above in tree_math.direct_path(node, self.leaves):
            self._hashes[above] = None

    def blank_path(self, leaf: int) -> None:
        """Blanks every node above a leaf."""
        for node in tree_math.direct_path(2 * leaf, self.leaves):
            self._nodes[node] = None
            self._hashes[node] = None

    def free_leaf(self) -> int:
        """The leftmost blank leaf; the tree grows when there is none. Raises TooLarge beyond MAX_LEAVES."""
        while self._first_blank < self.leaves and self._nodes[2 * self._first_blank] is not None:
            self._first_blank += 1
        if self._first_blank == self.leaves:
            if self.leaves * 2 > MAX_LEAVES:
                raise TooLarge("a group is too large")
            added = len(self._nodes) + 1
            self._nodes += [None] * added
            self._hashes += [None] * added
        return self._first_blank

    def add(self, leaf: LeafNode) -> int:
        """Section 12.1.1: the new member's leaf index."""
        index = self.free_leaf()
        self.set_node(2 * index, leaf)
        for node in tree_math.direct_path(2 * index, self.leaves):
            parent = self.parent_node(node)
            if parent is not None:
                unmerged = tuple(sorted({*parent.unmerged, index}))
                self._nodes[node] = ParentNode(parent.encryption_key, parent.parent_hash, unmerged)
        return index

    def update(self, index: int, leaf: LeafNode) -> None:
        """Section 12.1.2."""
        self.set_node(2 * index, leaf)
        self.blank_path(index)

    def remove(self, index: int) -> None:
        """Section 12.1.3 without the truncation, which follows once everyone is removed."""
        self.leaf(index)
        self.set_node(2 * index, None)
        self.blank_path(index)
        self._first_blank = min(self._first_blank, index)

    def truncate(self) -> None:
        """Takes off right halves without members (section 7.7)."""
        while self.leaves > 1 and not any(self._nodes[self.leaves :: 2]):
            del self._nodes[self.leaves - 1 :]
            del self._hashes[len(self._nodes) :]

    # --- hashes (section 7.8) ---

    def tree_hash(self, suite: CipherSuite) -> bytes:
        """The root's tree hash."""
        return self.hash_of(suite, self.root)

    def hash_of(self, suite: CipherSuite, node: int) -> bytes:
        """A node's tree hash."""
        known = self._hashes[node]
        if known is None:
            known = self._hash_node(suite, node, ())
            self._hashes[node] = known
        return known

    def hash_without(self, suite: CipherSuite, node: int, without: Collection[int]) -> bytes:
        """A node's tree hash as if the leaves `without` were blank and unmerged nowhere (section 7.9)."""
        under = tree_math.leaf_range(node)
        inside = frozenset(leaf for leaf in without if leaf in under)
        return self._hash_node(suite, node, inside) if inside else self.hash_of(suite, node)

    def _hash_node(self, suite: CipherSuite, node: int, without: Collection[int]) -> bytes:
        found = self._nodes[node]
        if node % 2 == 0:
            leaf = None if node // 2 in without or found is None else found.encode()
            return suite.digest(u8(_LEAF) + u32(node // 2) + optional(leaf))
        parent = None
        if isinstance(found, ParentNode):
            unmerged = tuple(leaf for leaf in found.unmerged if leaf not in without)
            parent = ParentNode(found.encryption_key, found.parent_hash, unmerged).encode()
        below = (tree_math.left(node), tree_math.right(node))
        hashes = b"".join(opaque(self.hash_without(suite, child, without)) for child in below)
        return suite.digest(u8(_PARENT) + optional(parent) + hashes)

    # --- the ratchet_tree extension (section 12.4.3.3) ---

    def encode(self) -> bytes:
        last = max((place for place, node in enumerate(self._nodes) if node is not None), default=-1)
        return vector(optional(None if node is None else _encode_node(node)) for node in self._nodes[: last + 1])

    @classmethod
    def read(cls, reader: Reader) -> RatchetTree:
        nodes = list(reader.vector(lambda inner: inner.optional(_read_node)))
        if not nodes or nodes[-1] is None or len(nodes) % 2 == 0:
            raise Malformed("a ratchet tree does not end with a leaf")
        leaves = tree_math.full_width((len(nodes) + 1) // 2)
        for place, node in enumerate(nodes):
            if node is not None and isinstance(node, LeafNode) != (place % 2 == 0):
                raise Malformed("a ratchet tree's node is of the wrong kind")
        nodes += [None] * (tree_math.node_width(leaves) - len(nodes))
        return cls(nodes)


def _encode_node(node: Node) -> bytes:
    return u8(_LEAF if isinstance(node, LeafNode) else _PARENT) + node.encode()


def _read_node(reader: Reader) -> Node:
    kind = reader.u8()
    if kind == _LEAF:
        return LeafNode.read(reader)
    if kind == _PARENT:
        return ParentNode.read(reader)
    raise Malformed("a ratchet tree's node is of an unknown kind")
