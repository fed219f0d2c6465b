"""From a staged commit to what it means for people, and whether its author may do that (`rules`)."""

from __future__ import annotations

from roost.crypto import mls
from roost.crypto.mls.proposals import ExternalInit
from roost.messaging.groups import rules, states
from roost.messaging.groups.rules import Change, NotPermitted
from roost.messaging.groups.states import BadMember, Certified, Person


def judge(group: mls.Group, staged: mls.StagedCommit) -> Change:
    """What the commit does. Raises PeerError when it is none that its author may make; everybody then ignores it."""
    change = _change(group, staged)
    rules.check(change)
    return change


def _change(group: mls.Group, staged: mls.StagedCommit) -> Change:
    changes, people = staged.changes, states.roster(group)
    account, device = states.sender(changes.committer)
    before = states.state_of(group.extensions)
    if changes.psks or any(not _is_usual(sent, changes.external) for sent in changes.proposals):
        raise NotPermitted("a commit with proposals that groups do not use", code="proposals")
    if any(sent.sender != changes.proposals[0].sender for sent in changes.proposals):
        raise NotPermitted("a commit of others' proposals", code="proposals")
    for old, new in changes.updated:
        if (old.credential, old.signature_key) != (new.credential, new.signature_key):
            raise BadMember("a member became another")
    return Change(
        committer=account,
        device=device,
        before=before,
        after=before if changes.extensions is None else states.state_of(changes.extensions),
        members={account: frozenset(person.devices) for account, person in people.items()},
        added=tuple((who.account, who.device) for who in _newcomers(staged, people)),
        removed=tuple(states.sender(member) for member in changes.removed),
        external=changes.external,
        reopens=changes.reinit is not None,
    )


def _is_usual(sent: mls.SentProposal, external: bool) -> bool:
    usual = (mls.Remove, ExternalInit) if external else (mls.Add, mls.Remove, mls.GroupContextExtensions, mls.ReInit)
    return isinstance(sent.proposal, usual)


def _newcomers(staged: mls.StagedCommit, people: dict[bytes, Person]) -> list[Certified]:
    """Everybody whose leaf is new, certified. The author's own new leaf is looked at as well."""
    changes = staged.changes
    packages = [sent.proposal.key_package for sent in changes.proposals if isinstance(sent.proposal, mls.Add)]
    come = [states.read_leaf(package.leaf) for package in packages]
    if staged.epoch is not None:
        author = states.read_leaf(staged.epoch.tree.leaf(changes.committer.index))
        _check_list(author, people)
        if changes.external:
            come.append(author)
    for who in come:
        _check_list(who, people)
    return come


def _check_list(who: Certified, people: dict[bytes, Person]) -> None:
    """A device that its person has removed does not come back with the list of before."""
    known = people.get(who.account)
    if known is not None and who.version < known.version:
        raise BadMember("a leaf carries an older device list")
