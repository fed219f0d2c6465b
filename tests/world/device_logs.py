"""One simulated device's shared logs: the decisions of roost.agent.logs and log_reader, with calls instead of tasks.

A log at an own relay is followed as by a subscription; one elsewhere is asked for now and then. That nothing new is
there needs no asking here: a device looks only where something was put since it looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from roost.crypto import AttachmentKey, blob_count, capability_hash
from roost.errors import CryptoError
from roost.messaging import logs, owners
from roost.messaging import records as r
from roost.messaging.groups import upkeep as groups
from roost.messaging.work import Work
from roost.wire.addresses import OnionHost
from roost.wire.mailbox import (
    BlobData,
    ChangeGrants,
    Create,
    Delete,
    Entries,
    Entry,
    Get,
    GetBlob,
    Grant,
    MailboxKind,
    Put,
    PutBlob,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Right,
    Seal,
    Subscribe,
    Subscribed,
)

from .device_files import sealed_blob

if TYPE_CHECKING:
    from .driver import Device

READ = (r.LogState.OPEN, r.LogState.LOST, r.LogState.TO_SEAL, r.LogState.SEALED)
ASK_WITHIN_MS = 60_000  # a log elsewhere is asked for so often, while nothing comes
FORGED = 2**51  # no honest number is higher: what a lying relay pushed is not where its next push goes on
LOST_AGAIN_MS = 300_000
PASSING = (RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL, RefusalCode.UNREACHABLE)


class DeviceLogs:
    """Dies with the process: how far each log was read on this connection, and what is under way."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._position: dict[object, int] = {}
        self._clean: dict[bytes, object] = {}
        self._ask_at: dict[bytes, int] = {}

    def start_due(self) -> None:
        device = self._device
        work = device.look()
        for put in logs.uploading(work):
            self._once(put.log, "spill", self._spill, put)
        for log in work.find(r.SharedLog):
            self._start_job(work, log)
            if log.state in READ and not log.waits:
                if any(True for _ in logs.due(work, log)):
                    self._once(log.id, "put", self._put, log)
                self._once(log.id, "get", self._get, log)

    def deadlines(self, work: Work) -> list[int]:
        due = [row.next_at for row in work.find(r.LogPut) if row.next_at > work.now]
        offset = self._device.clock_offset
        waiting = [at + offset for at in self._ask_at.values() if at > self._device.world.time.now]
        return [*due, *waiting, self._device.groups_at()]

    def _start_job(self, work: Work, log: r.SharedLog) -> None:
        match r.LogState(log.state):
            case r.LogState.TO_CREATE:
                self._once(log.id, "create", self._create, log)
            case r.LogState.TO_SEAL:
                self._once(log.id, "seal", self._end, log, Seal(log.admin), logs.sealed)
            case r.LogState.TO_DELETE:
                self._once(log.id, "delete", self._end, log, Delete(log.admin), logs.deleted)
            case r.LogState.OPEN if log.admin and logs.grants_due(work, log):
                self._once(log.id, "grant", self._grant, log)

    def _once(self, log: bytes, job: str, function: object, *args: object) -> None:
        self._device._once(("log", log, job), function, *args)  # type: ignore[arg-type]

    # --- the log itself -----------------------------------------------------------------------------------------------

    def _create(self, name: object, log: r.SharedLog) -> None:
        device = self._device
        first = [grant for grant in logs.grants_due(device.look(), log) if grant.add]
        own = {
            capability_hash(log.admin): Right.ADMIN,
            capability_hash(log.get): Right.GET,
            capability_hash(log.put): Right.PUT,
        }
        grants = [Grant(hash_, right) for hash_, right in own.items()]
        others = [row for row in first if row.capability_hash not in own]
        grants += [Grant(row.capability_hash, Right.PUT, row.limit) for row in others]

        def done(answer: Response | None) -> None:
            if answer is not None and not isinstance(answer, Refusal):
                device.step(_created, log.id, first)

        device.call(name, log.relay, Create(MailboxKind.SHARED, tuple(grants)), done)

    def _grant(self, name: object, log: r.SharedLog) -> None:
        device = self._device
        due = logs.grants_due(device.look(), log)
        add = tuple(Grant(grant.capability_hash, Right.PUT, grant.limit) for grant in due if grant.add)
        revoke = tuple(grant.capability_hash for grant in due if not grant.add)

        def done(answer: Response | None) -> None:
            if isinstance(answer, Refusal) and answer.code not in PASSING:
                device.step(logs.grant_refused, due, answer.code)
            elif answer is not None:
                device.step(logs.granted, due)

        device.call(name, log.relay, ChangeGrants(log.admin, add, revoke), done)

    def _end(self, name: object, log: r.SharedLog, request: Request, ended: object) -> None:
        device = self._device

        def done(answer: Response | None) -> None:
            gone = isinstance(answer, Refusal) and answer.code == RefusalCode.DENIED
            if gone or (answer is not None and not isinstance(answer, Refusal)):
                device.step(ended, log.id)  # type: ignore[arg-type]

        device.call(name, log.relay, request, done)

    # --- putting ------------------------------------------------------------------------------------------------------

    def _put(self, name: object, log: r.SharedLog) -> None:
        """The first row that is due; the next one when it is answered."""
        device = self._device
        work = device.look()
        row = logs.due(work, log)[0]
        needs = logs.needs_of(work, row)
        capability = log.admin if log.admin and row.problem == RefusalCode.FULL else log.put
        codes: list[str] = []
        device._running.add(name)

        def done(answer: Response | None) -> None:
            codes.append("unreachable" if answer is None else answer.code if isinstance(answer, Refusal) else "")
            if len(codes) == len(row.envelopes):
                device.free(name)
                if any(codes):
                    device.step(logs.refused, row.number, max(codes))
                else:
                    device.step(logs.stored, row.number)

        for index, envelope in enumerate(row.envelopes):
            device.world.leaves(device, envelope)
            device.call((name, index), log.relay, Put(capability, envelope, row.ephemeral, needs), done)

    def _spill(self, name: object, put: r.LogPut) -> None:
        """Store the next blob of a large record."""
        device = self._device
        work = device.look()
        content, log = work.get(r.LogSpill, put.number), work.get(r.SharedLog, put.log)
        if put.spilled is None or content is None or log is None or log.state != r.LogState.OPEN:
            return
        if put.spilled_done >= put.spilled.blobs:
            device.step(logs.uploaded, put.number)
            return
        key, index = AttachmentKey(put.spilled.key), put.spilled_done
        blob = sealed_blob(content.data, key, index, device.entropy)

        def done(answer: Response | None) -> None:
            if isinstance(answer, Refusal):
                device.step(logs.refused, put.number, answer.code)
            elif answer is not None:
                device.step(logs.spill_progress, put.number, index + 1)

        request = PutBlob(log.put, put.spilled.hold, key.blob_id(index), blob)
        device.call(name, log.relay, request, done)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _get(self, name: object, log: r.SharedLog) -> None:
        device, world = self._device, self._device.world
        relay = world.relays[log.relay.key]
        connection = world.connection(device, log.relay.key)
        state = connection, world.network.changes(relay, log.get)
        if self._clean.get(log.id) == state and log.state != r.LogState.LOST:
            return
        own = relay in world.owns(device) or isinstance(relay.address, OnionHost)
        if not self._may_ask(log, own):
            return
        key = log.id, connection
        if not own:
            position = log.cursor
        elif key in self._position:
            position = self._position[key]
        else:
            self._subscribe(name, log, key)
            return

        def done(answer: Response | None) -> None:
            if isinstance(answer, Entries):
                end = max([position, *(entry.number for entry in answer.entries if entry.number < FORGED)])
                finished = partial(self._finished, log, key, end, None if answer.more else state)
                self._take(name, log.id, answer.entries, finished)
            else:
                self._gone(log, answer)

        device.call(name, log.relay, Get(log.get, position), done)

    def _may_ask(self, log: r.SharedLog, own: bool) -> bool:
        """A log elsewhere is asked for after a while; one that its host denied now and then."""
        now = self._device.world.time.now
        if log.id not in self._ask_at:
            if own and log.state != r.LogState.LOST:
                return True
            self._ask_at[log.id] = now + self._device.world.rng.randrange(ASK_WITHIN_MS)
        return self._ask_at[log.id] <= now

    def _finished(self, log: r.SharedLog, key: object, position: int, clean: object) -> None:
        self._position[key] = position
        self._ask_at.pop(log.id, None)
        if log.state == r.LogState.LOST:
            self._device.step(logs.found, log.id)
        if clean:
            self._clean[log.id] = clean

    def _subscribe(self, name: object, log: r.SharedLog, key: object) -> None:
        def done(answer: Response | None) -> None:
            if isinstance(answer, Subscribed):
                self._position[key] = log.cursor if log.cursor <= answer.end else 0
            else:
                self._gone(log, answer)

        self._device.call(name, log.relay, Subscribe(log.get, log.cursor), done)

    def _gone(self, log: r.SharedLog, answer: Response | None) -> None:
        if isinstance(answer, Refusal) and answer.code == RefusalCode.DENIED:
            self._ask_at[log.id] = self._device.world.time.now + LOST_AGAIN_MS
            self._device.step(logs.lost, log.id)

    def _take(
        self, name: object, log: bytes, entries: Sequence[Entry], finished: partial[None], content: bytes | None = None
    ) -> None:
        """Take in what came; a record in blobs holds back what follows until they are here."""
        pairs = [(entry.number, entry.envelope) for entry in entries]
        taken, spilled = self._device.step(logs.receive_all, log, pairs, owners.deliver, content)
        if spilled is None:
            finished()
            return
        rest = entries[taken:]
        self._fetch(name, spilled, [], lambda content: self._take(name, log, rest, finished, content))

    def _fetch(self, name: object, spilled: logs.Spilled, parts: list[bytes], then: object) -> None:
        """The blobs one by one; empty when they cannot be had."""
        device, key, total = self._device, AttachmentKey(spilled.place.pointer.key), blob_count(spilled.place.size)
        index = len(parts)

        def done(answer: Response | None) -> None:
            if isinstance(answer, Refusal) and answer.code == RefusalCode.NOT_FOUND:
                then(b"")  # type: ignore[operator]
            elif isinstance(answer, BlobData):
                try:
                    parts.append(key.open_blob(index, answer.data, last=index == total - 1))
                except CryptoError:
                    then(b"")  # type: ignore[operator]
                    return
                if len(parts) == total:
                    then(b"".join(parts))  # type: ignore[operator]
                else:
                    self._fetch(name, spilled, parts, then)

        device.call(name, spilled.log.relay, GetBlob(spilled.log.get, key.blob_id(index)), done)


def _created(work: Work, id: bytes, first: list[r.LogGrant]) -> None:
    logs.granted(work, first)
    logs.created(work, id)
    row = work.get(r.SharedLog, id)
    if row is not None and row.kind == r.LogKind.GROUP:
        groups.step(work, row.owner)
