"""A node's sessions by themselves, on a clock that jumps, with a host that answers nothing by itself."""

from __future__ import annotations

from collections import Counter

from roost.relay.core.admission import Client, NetworkNonces, WorkAdmission
from roost.relay.core.limits import Limits
from roost.relay.onion.sessions import Session, Sessions
from roost.relay.server.service import Peer, Respond
from roost.wire.codec import decode, encode
from roost.wire.mailbox import Call, Forward, GetInfo, Request, ServerFrame
from roost.wire.onion import SessionDown, SessionUp

PERIOD_S = 1_000
ID = b"a session of six"


class Host:
    """Answers nothing by itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[Peer, int, Request, Respond]] = []
        self.outgoing: list[Respond] = []
        self.over: list[Peer] = []
        self.resumed: list[Peer] = []

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None:
        self.asked.append((session, call, request, respond))

    def resume(self, session: Peer) -> None:
        session.stalled = False
        self.resumed.append(session)

    def dropped(self, session: Peer) -> None:
        self.over.append(session)

    def forward(self, _request: Forward, _client: Client, respond: Respond) -> None:
        self.outgoing.append(respond)

    def info_of(self, _request: GetInfo, _client: Client, respond: Respond) -> None:
        self.outgoing.append(respond)


class SessionWorld:
    """One node's sessions, and what they send over reply blocks."""

    def __init__(self) -> None:
        self.now = 10_000.0
        self.host = Host()
        self.sent: list[tuple[bytes, SessionDown]] = []
        self.dropped: Counter[str] = Counter()
        self.sessions = Sessions(
            self.host,
            self.host,
            WorkAdmission(NetworkNonces(), 0),
            Limits(),
            PERIOD_S,
            lambda block, payload: self.sent.append((block, decode(SessionDown, payload))),
            lambda reason: self.dropped.update([reason]),
            lambda: self.now,
        )

    def up(
        self, data: bytes, *blocks: bytes, session: bytes = ID, message: int = 1, part: int = 0, of: int = 1
    ) -> None:
        self.sessions.arrived(encode(SessionUp(session, message, part, of, data, blocks)))

    def ask(self, call: int, request: Request, *blocks: bytes, session: bytes = ID) -> None:
        self.up(encode(Call(call, request)), *blocks, session=session)

    def frames(self) -> list[ServerFrame]:
        """What was sent, made whole, in the order of its numbers."""
        parts: dict[int, dict[int, bytes]] = {}
        for _, down in self.sent:
            parts.setdefault(down.message, {})[down.part] = down.data
        return [
            decode(ServerFrame, b"".join(found[part] for part in sorted(found)))  # type: ignore[arg-type]
            for _, found in sorted(parts.items())
        ]

    def session(self) -> Session:
        found = self.host.asked[0][0]
        assert isinstance(found, Session)
        return found
