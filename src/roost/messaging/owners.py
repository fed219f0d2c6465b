"""Who is handed what lands in a shared log: the group or channel that the log belongs to."""

from __future__ import annotations

from roost.messaging.channels import receiving as channels
from roost.messaging.groups import receiving as groups
from roost.messaging.logs import Deliver, Landed
from roost.messaging.records import LogKind
from roost.messaging.work import Work

_OWNERS: dict[LogKind, Deliver] = {LogKind.GROUP: groups.receive, LogKind.CHANNEL: channels.receive}


def deliver(work: Work, landed: Landed) -> None:
    """Hand a record to its owner. Raises PeerError where that refuses it."""
    _OWNERS[LogKind(landed.log.kind)](work, landed)
