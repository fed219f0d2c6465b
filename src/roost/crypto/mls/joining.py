"""How an epoch begins for one who was not in it: creating a group, opening a Welcome, reading a GroupInfo.

RFC 9420 sections 11, 11.2, 11.3 and 12.4.3. Joining by external commit is in outside.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from roost.crypto.entropy import Entropy
from roost.crypto.mls import tree_math
from roost.crypto.mls.context import GroupContext, interim_transcript_hash
from roost.crypto.mls.epoch import Epoch
from roost.crypto.mls.errors import InvalidChange, NotForThisClient
from roost.crypto.mls.extensions import RATCHET_TREE, check_supported
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.key_package import KeyPackageSecrets
from roost.crypto.mls.key_schedule import EpochSecrets, JoinerSchedule
from roost.crypto.mls.leaf import Extensions, find_extension
from roost.crypto.mls.protection import check_confirmation
from roost.crypto.mls.psk import PskId, Psks, PskUsage, find_psk_secret
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.tree_rules import check_members, check_tree
from roost.crypto.mls.treekem import check_path_keys, derive_path
from roost.crypto.mls.welcome import GroupInfo, GroupSecrets, Welcome


def create(secrets: KeyPackageSecrets, group_id: bytes, extensions: Extensions, entropy: Entropy) -> Epoch:
    """Epoch 0 of a new group with one member (section 11). Raises InvalidChange when its leaf lacks an extension."""
    suite = secrets.suite
    secrets.package.check(suite)
    tree = RatchetTree.of_one(secrets.package.leaf)
    check_members(tree, extensions)
    context = GroupContext(suite.id, group_id, 0, tree.tree_hash(suite), b"", extensions)
    epoch_secrets = EpochSecrets.from_epoch_secret(suite, entropy.bytes(suite.hash_size))
    tag = epoch_secrets.confirmation_tag(b"")
    interim = interim_transcript_hash(suite, b"", tag)
    private = {0: secrets.encryption_key}
    return Epoch(suite, context, tree, 0, secrets.signature_key, private, epoch_secrets, tag, interim)


def check_group_info(suite: CipherSuite, info: GroupInfo, tree: RatchetTree | None) -> RatchetTree:
    """The tree of a GroupInfo, from its extension or from elsewhere, with everything about both verified.

    Raises:
        InvalidChange: there is no tree, or it breaks a rule.
        NotAuthentic: a signature does not verify.
        MlsError: something does not parse.
    """
    inside = find_extension(info.extensions, RATCHET_TREE)
    if inside is not None:
        tree = RatchetTree.decode(inside)
    if tree is None:
        raise InvalidChange("a group's tree is missing")
    context = info.context
    if context.suite_id != suite.id or tree.tree_hash(suite) != context.tree_hash:
        raise InvalidChange("a group's tree is another one")
    info.check(suite, tree.leaf(info.signer).signature_key)
    check_tree(suite, tree, context.group_id, context.extensions)
    return tree


def open_welcome(
    welcome: Welcome,
    secrets: KeyPackageSecrets,
    psks: Psks,
    tree: RatchetTree | None,
    predecessor: Epoch | None,
) -> Epoch:
    """The epoch that a Welcome leads into (section 12.4.3.1).

    `tree` is needed when the Welcome brings none. `predecessor` is the last epoch of the group that this one continues.

    Raises:
        NotForThisClient: it is for other key packages.
        MissingPsk: it needs a pre-shared key that is not here.
        MlsError: something in it does not open, verify or parse, or breaks a rule.
    """
    suite = secrets.suite
    group_secrets = welcome.open_secrets(suite, secrets.package, secrets.init_key)
    joiner = JoinerSchedule(suite, group_secrets.joiner_secret, find_psk_secret(suite, group_secrets.psks, psks))
    info = welcome.open_group_info(suite, joiner.welcome_secret)
    tree = check_group_info(suite, info, tree)
    check_supported(secrets.package.leaf, info.context.extensions)
    own = _own_place(tree, secrets)
    _check_continuation(group_secrets.psks, info, tree, predecessor)
    private = _private_keys(suite, tree, own, info.signer, secrets, group_secrets)
    epoch_secrets = joiner.epoch(info.context)
    confirmed = info.context.confirmed_transcript_hash
    check_confirmation(suite, epoch_secrets.confirmation_key, confirmed, info.confirmation_tag)
    interim = interim_transcript_hash(suite, confirmed, info.confirmation_tag)
    signer = secrets.signature_key
    return Epoch(suite, info.context, tree, own, signer, private, epoch_secrets, info.confirmation_tag, interim)


def _own_place(tree: RatchetTree, secrets: KeyPackageSecrets) -> int:
    own = next((index for index, leaf in tree.members() if leaf == secrets.package.leaf), None)
    if own is None:
        raise NotForThisClient("a welcome's tree has no leaf of this client")
    return own


def _private_keys(
    suite: CipherSuite,
    tree: RatchetTree,
    own: int,
    signer: int,
    secrets: KeyPackageSecrets,
    group_secrets: GroupSecrets,
) -> dict[int, KemPrivateKey]:
    """The own leaf's key, and those of the nodes above it and the committer that the path secret yields."""
    private = {2 * own: secrets.encryption_key}
    if group_secrets.path_secret is not None:
        shared = tree_math.common_ancestor(2 * own, 2 * signer)
        above = [node for node, _ in tree.filtered_path(signer) if tree_math.is_under(shared, node)]
        if not above or above[0] != shared or own == signer:
            raise InvalidChange("a welcome's path secret fits no node")
        derived = derive_path(suite, group_secrets.path_secret, above)
        check_path_keys(tree, derived)
        private.update(derived.keys)
    return private


def _check_continuation(psks: Iterable[PskId], info: GroupInfo, tree: RatchetTree, predecessor: Epoch | None) -> None:
    """The rules for a group that continues another one (sections 11.2, 11.3, 12.4.3.1). Raises InvalidChange."""
    links = [psk for psk in psks if psk.usage in (PskUsage.REINIT, PskUsage.BRANCH)]
    if not links:
        return
    link, context = links[0], info.context
    if len(links) != 1 or context.epoch != 1 or predecessor is None:
        raise InvalidChange("a group continues another one, and not as it should")
    if (link.id, link.epoch) != (predecessor.context.group_id, predecessor.context.epoch):
        raise InvalidChange("a group continues another one than the one it names")
    before = {leaf.credential for _, leaf in predecessor.tree.members()}
    now = {leaf.credential for _, leaf in tree.members()}
    if link.usage is PskUsage.BRANCH:
        fits = context.suite_id == predecessor.context.suite_id and now <= before
    else:
        reinit = predecessor.reinit
        announced = reinit and (reinit.group_id, reinit.suite_id, reinit.extensions)
        fits = announced == (context.group_id, context.suite_id, context.extensions) and before <= now
    if not fits:
        raise InvalidChange("a group does not continue the other one as announced")
