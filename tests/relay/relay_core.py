"""A relay's rules over an engine, without threads, sockets or clocks: the server's shell one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.crypto import capability_hash
from roost.relay.core.admission import Admission, Client
from roost.relay.core.decision import Decision, Deliver, FetchBlob, FetchEntries
from roost.relay.core.desk import Desk, Named
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import Limits
from roost.relay.core.operations import Freed, begin
from roost.relay.core.refusal import RefusedRequest
from roost.relay.storage import Engine, StorageFull
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    BlobData,
    Create,
    Entries,
    Entry,
    Grant,
    MailboxKind,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Right,
)
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

NOW = 1_800_000_000.0
DAY = 86_400.0


def capability(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def envelope(text: str) -> bytes:
    return text.encode().ljust(ENVELOPE_SIZE, b"\0")


def blob_data(text: str) -> bytes:
    return text.encode().ljust(BLOB_SIZE, b"\0")


def name32(text: str) -> bytes:
    return text.encode().ljust(32, b"-")


def hold(text: str) -> bytes:
    return text.encode().ljust(16, b"-")


def grant(name: str, right: Right, limit: int = 0) -> Grant:
    return Grant(capability_hash(capability(name)), right, limit)


def create(box: str, kind: MailboxKind = MailboxKind.ORDINARY, *, admission: bytes = b"", limit: int = 0) -> Create:
    """A mailbox with the capabilities `BOX admin`, `BOX get` and `BOX put`."""
    grants = (
        grant(f"{box} admin", Right.ADMIN),
        grant(f"{box} get", Right.GET),
        grant(f"{box} put", Right.PUT, limit),
    )
    return Create(kind, grants, admission)


@dataclass
class CoreRelay:
    """Asks the rules and commits at once. `crash()` forgets everything that is not in the engine."""

    engine: Engine
    limits: Limits = field(default_factory=Limits)
    access: bytes | None = None
    now: float = NOW
    delivered: list[Deliver] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crash()

    def crash(self) -> None:
        self.reader = self.engine.reader()
        totals = self.reader.totals()
        self.desk = Desk(self.engine.begin_run(), totals, self.limits, Admission(self.access), KnockNonces(b"k" * 32))
        self.client = Client(self.limits, self.now)

    def ask(self, request: Request, client: Client | None = None) -> Response:
        """The answer, refusals too; every request and answer also crosses the wire's encoding."""
        request = decode(Request, encode(request))  # type: ignore[arg-type]
        try:
            decision = self.desk.decide(request, self.load(request), client or self.client, self.now)
        except RefusedRequest as error:
            return error.refusal
        return decode(Response, encode(self.perform(decision)))  # type: ignore[arg-type]

    def load(self, request: Request) -> Named:
        named = self.desk.named(request)
        if isinstance(named, bytes):
            if self.desk.shelf.card(named) is None:
                self.desk.shelf.install_card(named, self.reader.card(named))
        else:
            missing = [hash_ for hash_ in named if self.desk.shelf.mailbox(hash_) is None]
            self.desk.install(self.reader.mailboxes(missing))
        return named

    def perform(self, decision: Decision) -> Response:
        if decision.deliver is not None:
            self.delivered.append(decision.deliver)
        try:
            self.engine.apply(begin(decision.operations))
        except StorageFull:
            self.desk.start_over()
            self.desk.recount(self.reader.totals())
            return Refusal(RefusalCode.FULL)
        self.desk.settled(decision)
        match decision.fetch:
            case FetchBlob(mailbox, blob):
                data = self.reader.blob(mailbox, blob)
                return Refusal(RefusalCode.NOT_FOUND) if data is None else BlobData(data)
            case FetchEntries(mailbox, numbers, ready, more):
                found = {**ready, **dict(self.reader.envelopes(mailbox, numbers))}
                return Entries(tuple(Entry(number, found[number]) for number in sorted(found)), more)
        return decision.response

    def sweep(self) -> Freed:
        freed = self.engine.apply((self.desk.sweep(self.now),))
        self.desk.swept(freed)
        return freed


def code(response: Response) -> str:
    """A refusal's code, or the name of a positive answer."""
    return response.code.value if isinstance(response, Refusal) else type(response).__name__
