"""Answers requests: loads what the rules need, commits what they decide, delivers, and refuses what they refuse.

Every link and every packet's inner request comes through `Service.handle`. All of it runs on the event loop and nothing
in it waits: answers are given by calling `respond`, once for each request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Protocol

from roost.crypto import capability_hash
from roost.errors import SurroundingsError
from roost.relay.core.admission import REQUEST_COST, Client
from roost.relay.core.decision import Decision, Deliver, FetchBlob, FetchEntries
from roost.relay.core.desk import Desk, Named
from roost.relay.core.operations import Freed, Operation, RememberTags
from roost.relay.core.packets import OpenedPacket, PacketKeys, allowed
from roost.relay.core.refusal import RefusedRequest
from roost.relay.server.delivery import Deliveries, Subscriber
from roost.relay.server.loading import Loader
from roost.relay.storage import Storage, StorageFull
from roost.wire.mailbox import (
    AttachOnion,
    BlobData,
    ChangeGrants,
    Create,
    Done,
    Entries,
    Entry,
    Forward,
    GetBallots,
    GetBlob,
    GetDirectory,
    GetInfo,
    OnionPacket,
    Packet,
    Ping,
    ProveNode,
    Put,
    PutBlob,
    PutCard,
    PutDescriptor,
    Refusal,
    RefusalCode,
    Request,
    Response,
    SealedAnswer,
    SignedInfo,
    Subscribe,
    Subscribed,
    SwarmCall,
    Trim,
    Unsubscribe,
)

Respond = Callable[[Response], None]

_MAX_BACKLOG = 64 * 1024**2  # bytes that wait for the disk; beyond that senders are asked to wait
_BACKLOG_RETRY_MS = 500
_FULL_RETRY_MS = 60_000
_MAX_HASHES = 1_024  # of one connection: 250 KiB
_FULL_PAUSE_S = 5.0  # after the disk was full: how long nothing is tried that needs more of it


class Peer(Subscriber, Protocol):
    """What the service needs of a link."""

    client: Client
    hashes: dict[bytes, bytes]
    """Of capabilities that it showed lately."""

    @property
    def closed(self) -> bool:
        """The connection is over; nothing may be opened for it any more."""
        ...

    @property
    def source(self) -> str:
        """The IP address that it comes from, if it has one."""
        ...


class Outgoing(Protocol):
    """Requests that concern other relays (relay.server.forwarder)."""

    def forward(self, request: Forward, client: Client, respond: Respond) -> None: ...

    def info_of(self, request: GetInfo, client: Client, respond: Respond) -> None: ...


class Network(Protocol):
    """Requests that concern an onion network (relay.onion)."""

    def handle(self, link: Peer, request: Request, respond: Respond) -> None:
        """Raises RefusedRequest."""

    def dropped(self, link: Peer) -> None:
        """The link is over."""


class Service:
    """`info` gives the relay's signed statement, `clock` seconds since 1970, `new_desk` a desk for the storage as it is
    on disk."""

    def __init__(
        self,
        desk: Desk,
        storage: Storage,
        packets: PacketKeys,
        outgoing: Outgoing,
        info: Callable[[], SignedInfo],
        clock: Callable[[], float],
    ) -> None:
        self.desk = desk
        self.storage = storage
        self._packets = packets
        self._outgoing = outgoing
        self._info = info
        self.clock = clock
        self.loader = Loader(desk, storage)
        self.deliveries = Deliveries(desk, storage, self.loader)
        self.requests: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.restarts = 0
        self._patient = desk.only is not None
        self.network: Network | None = None
        self._full_until = 0.0

    # --- requests ---------------------------------------------------------------------------------------------------

    def handle(self, link: Peer, call: int, request: Request, respond: Respond) -> None:
        """A request that came over a link."""
        client = link.client
        try:
            client.pace(self.clock(), _COSTS.get(type(request), REQUEST_COST))
            match request:
                case Put() | Trim():  # nearly all that is asked
                    self._handle_common(link, request, respond)
                case Subscribe():
                    if len(link.subscriptions) >= self.desk.limits.subscriptions:
                        raise RefusedRequest(RefusalCode.FULL)
                    self.loader.for_request(request, partial(self._subscribe, link, call, request, respond))
                case Unsubscribe():
                    self.deliveries.unsubscribe(link, request.call)
                    respond(Done())
                case Ping():
                    respond(Done())
                case Forward():
                    self.desk.admission.admit(client, request.admission)
                    self._outgoing.forward(request, client, respond)
                case Packet():
                    self.packet(request, client, respond)
                case (
                    OnionPacket() | AttachOnion() | ProveNode() | SwarmCall() | GetDirectory() | PutDescriptor()
                    | GetBallots()
                ):  # fmt: skip
                    if self.network is None:
                        raise RefusedRequest(RefusalCode.UNSUPPORTED)
                    self.network.handle(link, request, respond)
                case _:
                    self._handle_plain(client, request, respond)
        except RefusedRequest as error:
            self._refuse(error, client, respond)
        else:
            self.requests[type(request).__name__] += 1

    def dropped(self, link: Peer) -> None:
        """The link is over."""
        self.deliveries.drop(link)
        if self.network is not None:
            self.network.dropped(link)

    def _handle_common(self, link: Peer, request: Put | Trim, respond: Respond) -> None:
        """As `_handle_plain`, with less ado where the mailbox is in memory."""
        capability = request.put if isinstance(request, Put) else request.admin
        hash_ = link.hashes.get(capability)
        if hash_ is None:
            if len(link.hashes) >= _MAX_HASHES:
                link.hashes.clear()
            hash_ = link.hashes[capability] = capability_hash(capability)
        if self.loader.at_hand(hash_) is None:
            self._handle_plain(link.client, request, respond)
            return
        if isinstance(request, Put):
            self._check_room()
        self._decide(link.client, request, respond, (hash_,))

    def _handle_plain(self, client: Client, request: Request, respond: Respond) -> None:
        """What may be asked directly as well as inside a packet."""
        if isinstance(request, GetInfo):
            if request.of is None:
                respond(self._info())
            else:
                self.desk.admission.admit(client, request.admission)
                self._outgoing.info_of(request, client, respond)
            return
        if isinstance(request, _GROWING):
            self._check_room()
        self.loader.for_request(request, partial(self._decide, client, request, respond))

    def packet(self, request: Packet, client: Client, respond: Respond) -> None:
        """A packet for this relay. Raises RefusedRequest: stale_packet, slow_down."""
        opened = self._packets.opened(request.packet, self.clock())
        self._write((RememberTags(opened.period, (opened.tag,)),), Decision(Done()), None)
        # Many clients share a relay's link: what one of them showed admits none of the others.
        stranger = client.stranger()
        sealed = partial(_sealed, opened, respond)
        try:
            if opened.request is None:
                raise RefusedRequest(RefusalCode.BAD_REQUEST)
            if not allowed(opened.request):
                raise RefusedRequest(RefusalCode.UNSUPPORTED)
            self._handle_plain(stranger, opened.request, sealed)
        except RefusedRequest as error:
            self._refuse(error, stranger, sealed)

    # --- decisions --------------------------------------------------------------------------------------------------

    def _decide(self, client: Client, request: Request, respond: Respond, named: Named) -> None:
        try:
            decision = self.desk.decide(request, named, client, self.clock())
        except RefusedRequest as error:
            self._refuse(error, client, respond)
            return
        self._perform(decision, respond)

    def _subscribe(self, link: Peer, call: int, request: Subscribe, respond: Respond, named: Named) -> None:
        def subscribed(response: Response) -> None:
            respond(response)
            if isinstance(response, Subscribed) and decision.mailbox is not None and not link.closed:
                self.deliveries.subscribe(link, call, decision.mailbox.id, shown, request.after)

        assert isinstance(named, tuple)
        shown = named[0]
        try:
            decision = self.desk.decide(request, named, link.client, self.clock())
        except RefusedRequest as error:
            self._refuse(error, link.client, respond)
            return
        self._perform(decision, subscribed)

    def _perform(self, decision: Decision, respond: Respond) -> None:
        if decision.deliver is not None and not (self._patient and decision.deliver.number):
            self._deliver(decision.deliver)
        if decision.end is not None:
            self.deliveries.end(decision.end)
        if decision.operations or decision.durable:
            self._write(decision.operations, decision, respond if decision.durable else None)
            if decision.durable:
                return
        if decision.fetch is None:
            respond(decision.response)
        else:
            self._fetch(decision, decision.fetch, respond)

    def _deliver(self, deliver: Deliver) -> None:
        self.deliveries.live(deliver.mailbox, deliver.number, deliver.envelope)

    def _refuse(self, error: RefusedRequest, client: Client, respond: Respond) -> None:
        code = error.refusal.code
        self.refusals[code.value] += 1
        if code in (RefusalCode.DENIED, RefusalCode.NOT_ADMITTED):
            client.punish(self.clock())
        respond(error.refusal)

    # --- writing ----------------------------------------------------------------------------------------------------

    def _write(self, operations: tuple[Operation, ...], decision: Decision, respond: Respond | None) -> None:
        if decision.mailbox is not None:
            decision.mailbox.pins += 1
        if decision.card is not None:
            decision.card.pins += 1
        self.storage.submit(operations, partial(self._written, decision, respond, self.restarts))

    def _written(
        self, decision: Decision, respond: Respond | None, restarts: int, error: SurroundingsError | None, _: Freed
    ) -> None:
        if decision.mailbox is not None:
            decision.mailbox.pins -= 1
        if decision.card is not None:
            decision.card.pins -= 1
        response = decision.response
        if error is None:
            self.desk.settled(decision)
            if self._patient and decision.deliver is not None:
                self._deliver(decision.deliver)
        else:
            response = self.failed(error, restarts)
        if respond is not None:
            respond(response)

    def failed(self, error: SurroundingsError, restarts: int) -> Refusal:
        """The answer to what was not stored; the rules start over, once: `restarts` is as it was when that was handed
        in."""
        if restarts == self.restarts:  # the first of those that failed together
            self.restarts += 1
            self._full_until = self.clock() + _FULL_PAUSE_S
            self.desk.start_over()
            self.storage.count(self.desk.recount)
        if isinstance(error, StorageFull):
            return Refusal(RefusalCode.FULL, _FULL_RETRY_MS)
        return Refusal(RefusalCode.INTERNAL)

    def submit(self, operations: tuple[Operation, ...], done: Callable[[Freed], None] | None = None) -> None:
        """Commit housekeeping. `done` is called only if it succeeded."""

        def written(error: SurroundingsError | None, freed: Freed) -> None:
            self._written(Decision(Done()), None, restarts, error, freed)
            if error is None and done is not None:
                done(freed)

        restarts = self.restarts
        self.storage.submit(operations, written)

    def sweep(self) -> None:
        """Delete what expired, step by step; mailboxes with subscribers stay in use."""
        now = self.clock()
        live = self.desk.touch_live(self.deliveries.subscriptions.mailboxes(), now)
        self.submit((live, self.desk.sweep(now)), self._swept)

    def _swept(self, freed: Freed) -> None:
        self.desk.swept(freed)
        if freed.more:
            self.submit((self.desk.sweep(self.clock()),), self._swept)

    def has_room(self, now: float) -> bool:
        """Whether what needs room on the disk may be tried."""
        return now >= self._full_until and self.storage.backlog <= _MAX_BACKLOG

    def _check_room(self) -> None:
        """Refuse what would be refused after waiting for the disk."""
        if self.clock() < self._full_until:
            raise RefusedRequest(RefusalCode.FULL, retry_after_ms=_FULL_RETRY_MS)
        if self.storage.backlog > _MAX_BACKLOG:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_BACKLOG_RETRY_MS)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _fetch(self, decision: Decision, fetch: FetchEntries | FetchBlob, respond: Respond) -> None:
        if decision.mailbox is not None:
            decision.mailbox.pins += 1
        if isinstance(fetch, FetchBlob):
            self.storage.read_blob(fetch.mailbox, fetch.blob, partial(self._blob_read, decision, respond))
        else:
            stored = [number for number in fetch.numbers if number not in fetch.ready]
            done = partial(self._entries_read, decision, fetch, respond)
            self.storage.read_envelopes(fetch.mailbox, stored, done)

    def _blob_read(self, decision: Decision, respond: Respond, data: bytes | None) -> None:
        if decision.mailbox is not None:
            decision.mailbox.pins -= 1
        respond(Refusal(RefusalCode.NOT_FOUND) if data is None else BlobData(data))

    def _entries_read(
        self, decision: Decision, fetch: FetchEntries, respond: Respond, found: list[tuple[int, bytes]]
    ) -> None:
        if decision.mailbox is not None:
            decision.mailbox.pins -= 1
        envelopes = {**fetch.ready, **dict(found)}
        entries = tuple(Entry(number, envelopes[number]) for number in sorted(envelopes))
        respond(Entries(entries, fetch.more))


_GROWING = Create | Put | PutBlob | PutCard | ChangeGrants


_COSTS: dict[type, float] = {
    PutBlob: 4.0,
    GetBlob: 4.0,
    Packet: 2.0,
    Forward: 2.0,
    GetDirectory: 4.0,
    GetBallots: 4.0,
    PutDescriptor: 8.0,
    ProveNode: 8.0,
}


def _sealed(opened: OpenedPacket, respond: Respond, response: Response) -> None:
    respond(SealedAnswer(opened.seal(response)))
