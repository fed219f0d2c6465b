"""One epoch of a group as one of its members knows it: a value that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.extensions import RATCHET_TREE, external_pub_extension
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.key_schedule import EpochSecrets
from roost.crypto.mls.leaf import Credential, Extension, Extensions, LeafNode
from roost.crypto.mls.proposals import ReInit
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.welcome import GroupInfo
from roost.crypto.secret import Secret


@dataclass(frozen=True)
class Member:
    """A member as a message names it. `index` is theirs in one epoch only."""

    index: int
    signature_key: bytes
    credential: Credential

    @classmethod
    def of(cls, index: int, leaf: LeafNode) -> Member:
        return cls(index, leaf.signature_key, leaf.credential)


@dataclass(frozen=True, repr=False)
class Epoch(Secret):
    """What a member holds in one epoch beside the message keys. `own` is its leaf index."""

    suite: CipherSuite
    context: GroupContext
    tree: RatchetTree
    own: int
    signer: SignatureKey
    private: Mapping[int, KemPrivateKey]
    secrets: EpochSecrets
    confirmation_tag: bytes
    interim_transcript_hash: bytes
    reinit: ReInit | None = None

    @property
    def leaf(self) -> LeafNode:
        """This member's own leaf."""
        return self.tree.leaf(self.own)

    def begin_ratchets(self) -> tuple[Epoch, SecretTree]:
        """(this epoch without the encryption secret, the secret tree that was made of it)."""
        ratchets = SecretTree.begin(self.suite, self.secrets.encryption_secret, self.tree.leaves)
        return replace(self, secrets=self.secrets.without_encryption_secret()), ratchets

    def group_info(self, *, with_tree: bool, with_external_key: bool, extensions: Extensions = ()) -> GroupInfo:
        """This epoch described for newcomers, signed (section 12.4.3)."""
        added = list(extensions)
        if with_tree:
            added.append(Extension(RATCHET_TREE, self.tree.encode()))
        if with_external_key:
            added.append(external_pub_extension(self.secrets.external_key().public))
        info = GroupInfo(self.context, tuple(added), self.confirmation_tag, self.own)
        return info.signed(self.suite, self.signer)
