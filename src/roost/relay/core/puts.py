"""May this envelope enter this mailbox, and this blob? The rules of put, put_blob and knocks (DESIGN section 6).

The order of the checks is part of the protocol (docs/protocol/mailbox.md, "Put"): a repeated put is recognised before
anything can refuse it, so that a sender who lost an answer always learns that the envelope is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roost.crypto import envelope_hash, work_strength
from roost.errors import CryptoError
from roost.relay.core.decision import Decision, Deliver
from roost.relay.core.limits import BLOB_COST, ENTRY_COST, Limits
from roost.relay.core.mailbox import Ledger, Mailbox
from roost.relay.core.operations import AppendEntry, EntryRow, GrantRow, Operation, TouchHold
from roost.relay.core.refusal import RefusedRequest
from roost.wire.codec import encode
from roost.wire.mailbox import Done, MailboxKind, Needs, Put, PutBlob, RefusalCode, Right, Stored, WorkChallenge
from roost.wire.sizes import BLOB_SIZE

_EXTRA_BITS = 8  # what the last free slot of a request mailbox asks beyond the first


@dataclass(frozen=True, slots=True)
class PutRules:
    """What puts are judged by. `nonces` are the knock nonces in force, the newest first."""

    limits: Limits
    ledger: Ledger
    nonces: tuple[bytes, ...]
    today: int

    def put(self, mailbox: Mailbox, shown: bytes, request: Put) -> Decision:
        """`shown` is the capability's hash. Raises RefusedRequest: sealed, unsupported, blobs_missing, work_needed,
        full, denied."""
        grant = self._writer(mailbox, shown)
        known, digest = mailbox.find(request.envelope)
        if known is not None:
            return Decision(Stored(known), durable=True, mailbox=mailbox)
        if mailbox.sealed:
            raise RefusedRequest(RefusalCode.SEALED)
        if request.ephemeral:
            return self._ephemeral(mailbox, request)
        self._check_needs(mailbox, request.needs)
        work = 0
        if mailbox.kind == MailboxKind.REQUEST:
            digest = digest or envelope_hash(request.envelope)
            work = self._check_knock(mailbox, grant, digest, request.work)
        removed = self._make_room(mailbox, grant)
        writer = _writer_number(grant) if grant.limit else 0
        holds = tuple(dict.fromkeys(need.hold for need in request.needs)) if request.needs else ()
        entry = EntryRow(mailbox.top + 1, digest, self.today, writer, work, holds)
        operation = mailbox.append(entry, request.envelope)
        return Decision(
            Stored(entry.number),
            (*removed, operation),
            durable=True,
            mailbox=mailbox,
            entries=(entry.number,),
            deliver=Deliver(mailbox.id, entry.number, request.envelope),
        )

    def plain(self, mailbox: Mailbox, shown: bytes, envelopes: Sequence[bytes]) -> list[AppendEntry]:
        """What `put` would do with requests without needs, proof or haste, as far as that is simply to append their
        envelopes: it ends before the first with which `put` might do anything else, and changes nothing for that."""
        grant = mailbox.grants[shown]
        if grant.right != Right.PUT or grant.limit or mailbox.sealed or mailbox.kind == MailboxKind.REQUEST:
            return []
        limits = self.limits
        bytes_left = limits.total_bytes - limits.reserved(limits.total_bytes) - self.ledger.used
        most = limits.envelopes(mailbox.kind)
        room = most - limits.reserved(most) - len(mailbox.numbers)
        return mailbox.append_new(envelopes, self.today, min(room, bytes_left // ENTRY_COST))

    def put_blob(self, mailbox: Mailbox, shown: bytes, request: PutBlob) -> Decision:
        """Raises RefusedRequest: sealed, unsupported, full, denied."""
        grant = self._writer(mailbox, shown)
        if mailbox.kind == MailboxKind.REQUEST:
            raise RefusedRequest(RefusalCode.UNSUPPORTED)
        hold = mailbox.holds.get(request.hold)
        if hold is not None and request.blob in hold.blobs:
            touch = () if hold.day == self.today else (TouchHold(mailbox.id, request.hold, self.today),)
            hold.day = self.today
            return Decision(Done(), touch, durable=True, mailbox=mailbox)
        if mailbox.sealed:
            raise RefusedRequest(RefusalCode.SEALED)
        self._within(mailbox.blob_bytes + BLOB_SIZE, self.limits.mailbox_blob_bytes, grant)
        self._within(self.ledger.used + BLOB_COST, self.limits.total_bytes, grant)
        operation = mailbox.add_blob(request.hold, request.blob, request.data, self.today)
        return Decision(Done(), (operation,), durable=True, mailbox=mailbox, blobs=(request.blob,))

    def bits_needed(self, mailbox: Mailbox) -> int:
        """What the next knock must bring: more as slots fill, and more than the weakest once they are full."""
        limits, filled = self.limits, len(mailbox.numbers)
        if filled < limits.request_slots:
            return limits.work_bits + filled * _EXTRA_BITS // limits.request_slots
        weakest = min(entry.work for entry in mailbox.entries.values())
        return max(limits.work_bits + _EXTRA_BITS, weakest + 1)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _writer(self, mailbox: Mailbox, shown: bytes) -> GrantRow:
        grant = mailbox.grants.get(shown)
        if grant is None or grant.right not in (Right.PUT, Right.ADMIN):
            raise RefusedRequest(RefusalCode.DENIED)
        return grant

    def _ephemeral(self, mailbox: Mailbox, request: Put) -> Decision:
        if mailbox.kind == MailboxKind.REQUEST or request.needs:
            raise RefusedRequest(RefusalCode.UNSUPPORTED)
        return Decision(Stored(0), mailbox=mailbox, deliver=Deliver(mailbox.id, 0, request.envelope))

    def _check_needs(self, mailbox: Mailbox, needs: tuple[Needs, ...]) -> None:
        for need in needs:
            hold = mailbox.holds.get(need.hold)
            if hold is None or len(hold.blobs) < need.count:
                raise RefusedRequest(RefusalCode.BLOBS_MISSING)

    def _check_knock(self, mailbox: Mailbox, grant: GrantRow, digest: bytes, proof: bytes) -> int:
        """The strength of the proof. One hash a nonce, before anything is stored."""
        bits = self.bits_needed(mailbox)
        if bits > self.limits.work_bits_max:
            raise RefusedRequest(RefusalCode.FULL)
        strength = max((_strength(nonce, grant.hash, digest, proof) for nonce in self.nonces), default=-1)
        if strength < bits:
            challenge = encode(WorkChallenge(self.nonces[0], bits))
            raise RefusedRequest(RefusalCode.WORK_NEEDED, detail=challenge)
        return strength

    def _make_room(self, mailbox: Mailbox, grant: GrantRow) -> tuple[Operation, ...]:
        """What must go for one more entry to fit. Raises FULL where nothing may."""
        if mailbox.kind == MailboxKind.REQUEST:
            if len(mailbox.numbers) < self.limits.request_slots:
                self._within(self.ledger.used + ENTRY_COST, self.limits.total_bytes, grant)
                return ()
            # Of equally weak ones the newest goes: who came early is not pushed out by the price of the day.
            weakest = min(mailbox.entries.values(), key=lambda entry: (entry.work, -entry.number))
            return (mailbox.remove(weakest.number),)
        self._within(self.ledger.used + ENTRY_COST, self.limits.total_bytes, grant)
        self._within(len(mailbox.numbers) + 1, self.limits.envelopes(mailbox.kind), grant)
        if grant.limit and mailbox.stored_by(_writer_number(grant)) >= grant.limit:
            raise RefusedRequest(RefusalCode.FULL)
        return ()

    def _within(self, wanted: int, quota: int, grant: GrantRow) -> None:
        """The last part of every quota is an administrator's: a group must be able to change when it is full."""
        room = quota if grant.right == Right.ADMIN else quota - self.limits.reserved(quota)
        if wanted > room:
            raise RefusedRequest(RefusalCode.FULL)


def _writer_number(grant: GrantRow) -> int:
    """The 63-bit number under which a limited put capability's entries are counted; never 0."""
    return (int.from_bytes(grant.hash[:8], "big") >> 1) | 1


def _strength(nonce: bytes, mailbox_hash: bytes, digest: bytes, proof: bytes) -> int:
    try:
        return work_strength(nonce, mailbox_hash, digest, proof)
    except CryptoError:  # not 8 bytes long: no proof at all
        return -1
