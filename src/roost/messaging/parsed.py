"""Sessions and groups that are parsed already: taking one out of its stored form costs as much as sealing several
envelopes.

Keyed by session or group, valid only for exactly the stored bytes, so a step that was rolled back or restored cannot be
confused; a session's older state is dropped with the newer one's arrival (no old keys are kept).
"""

from __future__ import annotations

import msgspec

from roost.crypto import Session
from roost.crypto.mls import Group
from roost.messaging.records import SessionRow

LIMIT = 256
GROUPS = 16  # one of 1,000 members holds some megabytes


class ParsedSessions:
    """Shared by the steps of one profile."""

    def __init__(self) -> None:
        self._parsed: dict[bytes, tuple[bytes, Session]] = {}
        self._groups: dict[bytes, tuple[bytes, Group]] = {}

    def of(self, row: SessionRow) -> Session:
        """The session whose state the row holds."""
        held = self._parsed.get(row.id)
        if held is not None and held[0] == row.state:
            return held[1]
        session = Session.from_bytes(row.state)
        self._keep(row.id, row.state, session)
        return session

    def advanced(self, row: SessionRow, session: Session) -> SessionRow:
        """The row with the session's new state."""
        state = session.to_bytes()
        self._keep(row.id, state, session)
        return msgspec.structs.replace(row, state=state)

    def _keep(self, id: bytes, state: bytes, session: Session) -> None:
        if len(self._parsed) >= LIMIT:
            self._parsed.clear()
        self._parsed[id] = (state, session)

    def group(self, id: bytes, keys: bytes) -> Group | None:
        """The group whose message keys are stored as `keys`, which name its epoch; None when it must be loaded."""
        held = self._groups.get(id)
        return held[1] if held is not None and held[0] == keys else None

    def keep_group(self, id: bytes, keys: bytes, group: Group) -> None:
        if id not in self._groups and len(self._groups) >= GROUPS:
            self._groups.clear()
        self._groups[id] = (keys, group)
