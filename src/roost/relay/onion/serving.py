"""A place that this node leads, as its clients see it: the relay's service, whose commits are the swarm's."""

from __future__ import annotations

from roost.relay.core.admission import Admission, Client
from roost.relay.core.desk import Desk
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import Limits
from roost.relay.core.operations import Totals
from roost.relay.core.packets import PacketKeys
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.subscriptions import Subscription
from roost.relay.onion.leading import Lead
from roost.relay.onion.replica import Replica
from roost.relay.onion.replicated import ReplicatedStorage
from roost.relay.server.delivery import Subscriber
from roost.relay.server.service import Peer, Respond, Service
from roost.wire.codec import encode
from roost.wire.mailbox import Forward, GetInfo, Refusal, RefusalCode, Reply, Request, Response, SignedInfo

LOST_RETRY_MS = 500
_ELSEWHERE = Refusal(RefusalCode.SLOW_DOWN, LOST_RETRY_MS)  # another node will answer that
_DEFINITE = (
    RefusalCode.DENIED,
    RefusalCode.NOT_FOUND,
    RefusalCode.BLOBS_MISSING,
    RefusalCode.SEALED,
    RefusalCode.OLD_VERSION,
)
"""What only a leader may say: somebody may give up on it."""


class Serving:
    """`used_at` is when somebody last asked for something."""

    def __init__(self, lead: Lead, service: Service, mailbox: int, now: float) -> None:
        self.lead = lead
        self.service = service
        self.used_at = now
        self.mailbox = mailbox

    @classmethod
    async def open(
        cls,
        lead: Lead,
        replica: Replica,
        limits: Limits,
        nonces: KnockNonces,
        totals: Totals,
        now: float,
    ) -> Serving:
        """After `lead.install`: what lies here then is what was acknowledged, and perhaps a little more."""
        mailbox = lead.record.mailbox
        row = await replica.ask(lambda reader: reader.mailbox(mailbox))
        # Numbers of entries begin with the view's, so none was ever another envelope's.
        desk = Desk(lead.view, totals, limits, Admission(None), nonces, only=mailbox)
        desk.sweep(replica.clock())
        if row is not None:
            desk.install([row])
        storage = ReplicatedStorage(lead, replica.storage, mailbox)
        service = Service(desk, storage, PacketKeys([]), _Nowhere(), _no_info, replica.clock)
        return cls(lead, service, mailbox, now)

    def handle(self, session: Peer, call: int, request: Request, respond: Respond, now: float) -> None:
        self.used_at = now

        def answer(response: Response) -> None:
            if not self.lead.active and not _of_the_disk(response):
                response = _ELSEWHERE  # what was read may be of another state than this view's
            if isinstance(response, Refusal) and response.code in _DEFINITE:
                self.lead.confirm(lambda leads: respond(response if leads else _ELSEWHERE))
            else:
                respond(response)

        self.service.handle(session, call, request, answer)

    @property
    def unused(self) -> bool:
        """Nobody waits for anything."""
        return not len(self.service.deliveries.subscriptions) and self.lead.idle

    def unsubscribe(self, session: Subscriber, call: int) -> None:
        self.service.deliveries.unsubscribe(session, call)

    def resume(self, subscription: Subscription[Subscriber]) -> None:
        self.service.deliveries.serve(subscription)

    def end_subscriptions(self, refusal: Refusal) -> None:
        """A second reply to the call of each says why."""
        for subscription in self.service.deliveries.subscriptions.of(self.mailbox):
            self.unsubscribe(subscription.link, subscription.call)
            subscription.link.send(encode(Reply(subscription.call, refusal)))

    def sweep(self) -> None:
        """Forget what expired; the storage's own sweep deletes it a little later."""
        desk = self.service.desk
        mailbox = desk.shelf.mailbox_by_id(self.mailbox)
        now = self.service.clock()
        if self.service.deliveries.subscriptions.of(self.mailbox) and mailbox is not None:
            before = mailbox.used_day
            touch = desk.touch_live((self.mailbox,), now)
            if touch.day > before:
                self.service.submit((touch,))
        desk.sweep(now)


def _of_the_disk(response: Response) -> bool:
    return isinstance(response, Refusal) and response.code == RefusalCode.FULL


class _Nowhere:
    """A place forwards nothing."""

    def forward(self, _request: Forward, _client: Client, _respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNSUPPORTED)

    def info_of(self, _request: GetInfo, _client: Client, _respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNSUPPORTED)


def _no_info() -> SignedInfo:
    raise RefusedRequest(RefusalCode.UNSUPPORTED)
