"""Who is handed what lands in a shared log: the group or channel that the log belongs to."""

from __future__ import annotations

from roost.messaging.groups import receiving as groups
from roost.messaging.logs import Deliver, Landed
from roost.messaging.records import LogKind
from roost.messaging.work import Work

_OWNERS: dict[LogKind, Deliver] = {LogKind.GROUP: groups.receive}


def owns(kind: LogKind, receive: Deliver) -> None:
    """What lands in logs of this kind goes to `receive`. Called once, where the owner's package is imported."""
    _OWNERS[kind] = receive


def deliver(work: Work, landed: Landed) -> None:
    """Hand a record to its owner. Raises PeerError where that refuses it."""
    _OWNERS[LogKind(landed.log.kind)](work, landed)
