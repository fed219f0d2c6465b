"""A group's cryptographic state in rows: loading it, keeping what a message changed, putting a new epoch in force."""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto import mls
from roost.messaging.groups import rules, states
from roost.messaging.records import GroupEpoch, GroupFormer, GroupKeys, GroupMember, GroupRow, GroupTranscript
from roost.messaging.work import Work
from roost.wire.codec import encode

SETTINGS = mls.Settings(past_epochs=5, resumption_epochs=2)
TRANSCRIPTS = 256  # epochs whose history is compared with others'
EPOCH_KEYS = 48  # of the envelopes of past epochs: the log may hold more of them than MLS opens messages of


def load(work: Work, group: bytes) -> mls.Group:
    """The MLS state. Raises LookupError when there is none: a defect of ours."""
    keys = work.need(GroupKeys, group)
    held = work.sessions.group(group, keys.data)
    if held is not None:
        return held
    loaded = mls.load(work.need(GroupEpoch, group).data, keys.data, SETTINGS)
    work.sessions.keep_group(group, keys.data, loaded)
    return loaded


def keep_keys(work: Work, group: bytes, state: mls.Group) -> None:
    """A message was sent or received: its key is gone."""
    data = mls.save_keys(state)
    work.sessions.keep_group(group, data, state)
    work.put(GroupKeys(group, data))


def keep_epoch(work: Work, row: GroupRow, state: mls.Group) -> GroupRow:
    """A new epoch is in force: its state, its members, what the group is called."""
    work.put(GroupEpoch(row.id, mls.save_epoch(state)))
    keep_keys(work, row.id, state)
    if state.removed:
        return row
    held = states.state_of(state.extensions)
    _keep_members(work, row.id, state)
    _keep_transcript(work, row.id, state)
    return work.put(
        msgspec.structs.replace(
            row,
            title=held.title,
            state=encode(held),
            epoch=state.number,
            generation=held.place.generation,
            transcript=transcript(state),
            told=0 if state.number != row.epoch else row.told,
            ahead_at=work.now,
        )
    )


def transcript(state: mls.Group) -> bytes:
    """SHA-256 of the confirmed transcript hash: equal for all who took the same commits."""
    return hashlib.sha256(state.epoch.context.confirmed_transcript_hash).digest()


def _keep_transcript(work: Work, group: bytes, state: mls.Group) -> None:
    work.put(GroupTranscript(group, state.number, transcript(state)))
    old = work.get(GroupTranscript, group, state.number - TRANSCRIPTS)
    if old is not None:
        work.delete(old)


def _keep_members(work: Work, group: bytes, state: mls.Group) -> None:
    held, known = states.state_of(state.extensions), states.members(work, group)
    people = states.roster(state)
    for account, person in people.items():
        old = known.pop(account, None)
        fresh = GroupMember(
            group,
            account,
            person.name,
            tuple(sorted(person.devices)),
            int(rules.role_of(held, account)),
            old.since if old else work.now,
            old.leaving if old else False,
        )
        if fresh != old:
            work.put(fresh)
    for gone in known.values():
        work.put(GroupFormer(group, gone.account, gone.name))
        work.delete(gone)


def forget(work: Work, group: bytes) -> None:
    """The secrets go; what was said and who was there stays."""
    for kind in (GroupEpoch, GroupKeys, GroupTranscript):
        for row in work.find(kind, where={"group": group}):
            work.delete(row)


def envelope_key(state: mls.Group) -> bytes:
    """The log key of what is sent in this epoch."""
    return state.export(b"roost group envelopes", b"", 32)


def staged_envelope_key(staged: mls.StagedCommit) -> bytes:
    assert staged.epoch is not None
    return staged.epoch.secrets.export(b"roost group envelopes", b"", 32)


def log_secret(secrets: mls.EpochSecrets, generation: int) -> bytes:
    """What the capabilities of the log come from that begins with this epoch."""
    return secrets.export(b"roost group log", generation.to_bytes(4, "big"), 32)
