"""TreeKEM: how a committer gives new keys to everyone else along its path (RFC 9420 sections 7.4 to 7.6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from roost.crypto.entropy import Entropy
from roost.crypto.mls import tree_math
from roost.crypto.mls.errors import InvalidChange, NotForThisClient
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.leaf import LeafNode, LeafSource, ParentNode
from roost.crypto.mls.parent_hash import parent_hash
from roost.crypto.mls.proposals import UpdatePath, UpdatePathNode
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.secret import Secret

_LABEL = b"UpdatePathNode"


@dataclass(frozen=True, repr=False)
class PathKeys(Secret):
    """What a path yields to those who can open it: keys by node, path secrets by node, and the commit secret."""

    keys: dict[int, KemPrivateKey]
    path_secrets: dict[int, bytes]
    commit_secret: bytes


def derive_path(suite: CipherSuite, secret: bytes, nodes: list[int]) -> PathKeys:
    """The keys of `nodes`, from the path secret of the first of them upwards."""
    keys, secrets = {}, {}
    for node in nodes:
        secrets[node] = secret
        keys[node] = suite.kem.derive(suite.derive(secret, b"node"))
        secret = suite.derive(secret, b"path")
    return PathKeys(keys, secrets, secret)


# --- the committer's side ---


def make_path(
    suite: CipherSuite,
    tree: RatchetTree,
    index: int,
    leaf: LeafNode,
    group_id: bytes,
    signer: SignatureKey,
    entropy: Entropy,
) -> PathKeys:
    """Sets fresh keys for the leaf `index` (with `leaf`'s contents) and the nodes above it in `tree`."""
    own = suite.kem.generate(entropy)
    path = tree.filtered_path(index)
    derived = derive_path(suite, entropy.bytes(suite.hash_size), [node for node, _ in path])
    tree.blank_path(index)
    leaf_hash = _set_path(suite, tree, path, [derived.keys[node].public for node, _ in path])
    fresh = replace(
        leaf,
        encryption_key=own.public,
        signature_key=signer.public,
        source=LeafSource.COMMIT,
        lifetime=None,
        parent_hash=leaf_hash,
    ).signed(suite, signer, group_id, index)
    tree.set_node(2 * index, fresh)
    return replace(derived, keys={2 * index: own, **derived.keys})


def _set_path(suite: CipherSuite, tree: RatchetTree, path: list[tuple[int, int]], keys: list[bytes]) -> bytes:
    """Writes keys and parent hashes from the top down; what the leaf's parent hash must be."""
    above = b""
    for (node, copath), key in zip(reversed(path), reversed(keys), strict=True):
        tree.set_node(node, ParentNode(key, above))
        above = parent_hash(suite, tree, node, copath)
    return above


def seal_path(
    suite: CipherSuite,
    tree: RatchetTree,
    index: int,
    derived: PathKeys,
    newcomers: Collection[int],
    context: bytes,
    entropy: Entropy,
) -> UpdatePath:
    """The update path as it is sent: each path secret for all who are under the copath, except `newcomers`."""
    nodes, seal = [], suite.sealer(_LABEL, context, entropy)
    for node, copath in tree.filtered_path(index):
        sealed = tuple(
            seal(_key_of(tree, target), derived.path_secrets[node]) for target in _targets(tree, copath, newcomers)
        )
        nodes.append(UpdatePathNode(derived.keys[node].public, sealed))
    return UpdatePath(tree.leaf(index), tuple(nodes))


def _targets(tree: RatchetTree, copath: int, newcomers: Collection[int]) -> list[int]:
    reached = tree.resolution(copath)
    return [node for node in reached if node % 2 or node // 2 not in newcomers] if newcomers else reached


def _key_of(tree: RatchetTree, node: int) -> bytes:
    found = tree.node(node)
    if found is None:
        raise InvalidChange("a blank node has no key")
    return found.encryption_key


# --- everyone else's side ---


def merge_path(suite: CipherSuite, tree: RatchetTree, index: int, path: UpdatePath) -> None:
    """Writes a received path into `tree`. Raises InvalidChange when it does not fit, or breaks section 12.4.2."""
    filtered = tree.filtered_path(index)
    if len(filtered) != len(path.nodes):
        raise InvalidChange("an update path has the wrong length")
    keys = [node.encryption_key for node in path.nodes]
    if any(len(key) != suite.kem.public_size for key in keys):
        raise InvalidChange("an update path's key has the wrong length")
    fresh = {path.leaf.encryption_key, *keys}
    if len(fresh) != len(keys) + 1 or not fresh.isdisjoint(tree.encryption_keys()):
        raise InvalidChange("an update path uses a key that is there already")
    tree.blank_path(index)
    if _set_path(suite, tree, filtered, keys) != path.leaf.parent_hash:
        raise InvalidChange("an update path's parent hash is wrong")
    tree.set_node(2 * index, path.leaf)


def open_path(
    suite: CipherSuite,
    tree: RatchetTree,
    sender: int,
    path: UpdatePath,
    own: int,
    private: Mapping[int, KemPrivateKey],
    newcomers: Collection[int],
    context: bytes,
) -> PathKeys:
    """The new keys above both `sender` and `own`, after `merge_path`.

    Raises:
        NotForThisClient: none of the private keys opens it.
        InvalidChange: what it holds does not fit its public keys (section 16.12).
        MlsError: it does not open.
    """
    filtered = tree.filtered_path(sender)
    place = next((i for i, (_, copath) in enumerate(filtered) if tree_math.is_under(2 * own, copath)), None)
    if place is None:
        raise NotForThisClient("an update path does not reach this member")
    targets = _targets(tree, filtered[place][1], newcomers)
    sealed = path.nodes[place].encrypted_path_secrets
    if any(
        len(node.encrypted_path_secrets) != len(_targets(tree, copath, newcomers))
        for (_, copath), node in zip(filtered, path.nodes, strict=True)
    ):
        raise InvalidChange("an update path reaches too few or too many")
    mine = next((i for i, target in enumerate(targets) if target in private), None)
    if mine is None:
        raise NotForThisClient("no private key of this member opens an update path")
    secret = suite.decrypt(private[targets[mine]], _LABEL, context, sealed[mine])
    derived = derive_path(suite, secret, [node for node, _ in filtered[place:]])
    check_path_keys(tree, derived)
    return derived


def check_path_keys(tree: RatchetTree, derived: PathKeys) -> None:
    """Raises InvalidChange unless the derived keys are those of the tree."""
    for node, key in derived.keys.items():
        if _key_of(tree, node) != key.public:
            raise InvalidChange("an update path's secrets do not fit its public keys")


def still_valid(tree: RatchetTree, private: Mapping[int, KemPrivateKey]) -> dict[int, KemPrivateKey]:
    """The private keys whose node still has their public key; all others are to be forgotten (section 7.5)."""
    width = tree_math.node_width(tree.leaves)
    kept = {}
    for node, key in private.items():
        found = tree.node(node) if node < width else None
        if found is not None and found.encryption_key == key.public:
            kept[node] = key
    return kept
