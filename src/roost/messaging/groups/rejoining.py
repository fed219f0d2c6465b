"""Coming back: a device that cannot follow its group replaces its own leaf from outside (RFC 9420, external commit)."""

from __future__ import annotations

from roost.crypto import mls
from roost.messaging.groups.rules import Change
from roost.messaging.logs import Landed
from roost.messaging.origin import Origin
from roost.messaging.records import GroupRow
from roost.messaging.work import Work
from roost.wire.groups import GroupFound, GroupLost, GroupMessage, Rejoin, SealedRecord


def lose(work: Work, row: GroupRow, why: str) -> None: ...


def copy_seen(work: Work, row: GroupRow, group: mls.Group, message: bytes) -> None: ...


def landed_while_lost(
    work: Work, row: GroupRow, landed: Landed, record: GroupMessage | SealedRecord | Rejoin
) -> None: ...


def answer_seen(work: Work, row: GroupRow, record: SealedRecord) -> None: ...


def asked(work: Work, row: GroupRow, record: Rejoin) -> None: ...


def commit_seen(work: Work, row: GroupRow, change: Change) -> None: ...


def log_asked(work: Work, origin: Origin, content: GroupLost) -> None: ...


def log_found(work: Work, origin: Origin, content: GroupFound) -> None: ...
