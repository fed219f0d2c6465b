"""A new group in the place of another one (ReInit, RFC 9420 section 11.2) or beside it (branching, section 11.3).

Both begin with a commit that mixes in the old group's resumption PSK, so only its members can be where it leads.
"""

from __future__ import annotations

from collections.abc import Sequence

from roost.crypto.entropy import Entropy
from roost.crypto.mls.changes import StagedCommit
from roost.crypto.mls.committing import CommitOptions
from roost.crypto.mls.errors import MlsMisuse
from roost.crypto.mls.group import Group
from roost.crypto.mls.key_package import KeyPackage, KeyPackageSecrets
from roost.crypto.mls.leaf import Extensions
from roost.crypto.mls.proposals import Add, PreSharedKey, Proposal
from roost.crypto.mls.psk import PskId, Psks, PskUsage


def reinitialise(
    old: Group, secrets: KeyPackageSecrets, others: Sequence[KeyPackage], entropy: Entropy, *, now: int
) -> tuple[Group, StagedCommit]:
    """The group that a committed ReInit announced: (its epoch 0, the commit that adds everyone else).

    `secrets` is a fresh key package of this member and `others` one of each other member, all for the new suite.

    Raises:
        MlsMisuse: no ReInit was committed, or the key packages are for another suite.
        InvalidChange: a key package is invalid.
    """
    reinit = old.epoch.reinit
    if reinit is None or reinit.suite_id != secrets.suite.id:
        raise MlsMisuse("no such reinitialisation was committed")
    return _begin(old, PskUsage.REINIT, secrets, others, reinit.group_id, reinit.extensions, entropy, now)


def branch(
    old: Group,
    secrets: KeyPackageSecrets,
    others: Sequence[KeyPackage],
    group_id: bytes,
    entropy: Entropy,
    *,
    now: int,
    extensions: Extensions = (),
) -> tuple[Group, StagedCommit]:
    """A group of some of the old one's members, in the same suite: (its epoch 0, the commit that adds the others).

    Raises:
        MlsMisuse: the suites differ.
        InvalidChange: a key package is invalid.
    """
    if old.epoch.suite is not secrets.suite:
        raise MlsMisuse("a branch keeps the group's suite")
    return _begin(old, PskUsage.BRANCH, secrets, others, group_id, extensions, entropy, now)


def _begin(
    old: Group,
    usage: PskUsage,
    secrets: KeyPackageSecrets,
    others: Sequence[KeyPackage],
    group_id: bytes,
    extensions: Extensions,
    entropy: Entropy,
    now: int,
) -> tuple[Group, StagedCommit]:
    group = Group.create(secrets, group_id, entropy, extensions=extensions, settings=old.settings)
    link = PskId.resumption(secrets.suite, usage, old.group_id, old.number, entropy)
    proposals: list[Proposal] = [*map(Add, others), PreSharedKey(link)]
    held = Psks().with_resumption(old.resumption)
    return group.commit(proposals, entropy, now=now, psks=held, options=CommitOptions(first_commit=True))
