"""Where nodes stand in a full binary tree kept as an array (RFC 9420 appendix C).

Leaves are at even positions, leaf `i` at `2 * i`; a tree has a power of two of leaves. What nodes hold is tree.py's.
"""

from __future__ import annotations


def level(node: int) -> int:
    """A node's height above the leaves: the number of its trailing one bits."""
    return (~node & (node + 1)).bit_length() - 1


def node_width(leaves: int) -> int:
    """How many nodes a tree of `leaves` leaves has."""
    return 2 * leaves - 1 if leaves else 0


def full_width(leaves: int) -> int:
    """The least power of two that is at least `leaves` (and 1)."""
    return 1 << max(leaves - 1, 0).bit_length()


def root(leaves: int) -> int:
    """The root of a tree with `leaves` leaves, a power of two."""
    return leaves - 1


def left(node: int) -> int:
    """The left child of a parent node."""
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """The right child of a parent node."""
    return node ^ (3 << (level(node) - 1))


def parent(node: int) -> int:
    """The node above, in a tree that is large enough to have one."""
    height = level(node)
    return (node | (1 << height)) & ~(1 << (height + 1))


def sibling(node: int) -> int:
    """The other child of the same parent."""
    return node ^ (2 << level(node))


def direct_path(node: int, leaves: int) -> list[int]:
    """The nodes above `node`, up to and with the root."""
    top, path = root(leaves), []
    while node != top:
        node = parent(node)
        path.append(node)
    return path


def is_under(node: int, ancestor: int) -> bool:
    """Whether `node` is `ancestor` or below it."""
    height = level(ancestor)
    return ancestor - (1 << height) < node < ancestor + (1 << height)


def leaf_range(node: int) -> range:
    """The indices of the leaves at or under `node`."""
    height = level(node)
    first = (node - (1 << height) + 1) // 2
    return range(first, first + (1 << height))


def common_ancestor(one: int, other: int) -> int:
    """The lowest node that is above (or is) both leaf nodes."""
    shift = (one ^ other).bit_length()
    return (one >> shift << shift) + (1 << shift) // 2 - (1 if shift else 0) if shift else one
