"""Proof that a group's host showed its members different things: two commits of one epoch."""

from __future__ import annotations

from roost.messaging.origin import Origin
from roost.messaging.work import Work
from roost.wire.groups import GroupCheck


def told(work: Work, origin: Origin, content: GroupCheck) -> None: ...
