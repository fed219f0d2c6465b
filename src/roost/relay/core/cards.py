"""Stored cards: encrypted, padded bytes under a locator that only an invitation's readers know (DESIGN section 4).

A card is replaced or deleted with its writer secret only, and its version never falls, so that a thief of an old card
cannot bring it back. The relay sees random bytes and cannot tell whose card it is, nor that two are one account's.
"""

from __future__ import annotations

from hmac import compare_digest

from roost.crypto import capability_hash
from roost.relay.core.decision import Decision
from roost.relay.core.limits import DAY_S, ROW_COST, Limits
from roost.relay.core.mailbox import Card, Ledger
from roost.relay.core.operations import CardRow, RemoveCard, StoreCard
from roost.relay.core.refusal import RefusedRequest
from roost.wire.mailbox import CardData, DeleteCard, Done, PutCard, RefusalCode


def card_cost(row: CardRow) -> int:
    return len(row.card) + ROW_COST


def put_card(card: Card, request: PutCard, now: int, limits: Limits, ledger: Ledger) -> Decision:
    """`now` in seconds. Raises RefusedRequest: bad_request (expired), denied, old_version, full."""
    if request.expires <= now:
        raise RefusedRequest(RefusalCode.BAD_REQUEST)
    writer_hash = capability_hash(request.writer)
    old = card.row
    if old is not None:
        if not compare_digest(old.writer_hash, writer_hash):
            raise RefusedRequest(RefusalCode.DENIED)
        if request.version == old.version and request.card == old.card:
            return Decision(Done(), durable=True, card=card)
        if request.version <= old.version:
            raise RefusedRequest(RefusalCode.OLD_VERSION)
    expires_day = min(request.expires // DAY_S + 1, now // DAY_S + limits.card_days)
    row = CardRow(request.locator, writer_hash, request.version, expires_day, request.card)
    growth = card_cost(row) - (card_cost(old) if old is not None else 0)
    if growth > 0 and ledger.used + growth > limits.total_bytes - limits.reserved(limits.total_bytes):
        raise RefusedRequest(RefusalCode.FULL)
    ledger.used += growth
    card.row = row
    return Decision(Done(), (StoreCard(row),), durable=True, card=card)


def get_card(card: Card, now: int) -> Decision:
    """Raises RefusedRequest: not_found."""
    if card.row is None or card.row.expires_day <= now // DAY_S:
        raise RefusedRequest(RefusalCode.NOT_FOUND)
    return Decision(CardData(card.row.card))


def delete_card(card: Card, request: DeleteCard, ledger: Ledger) -> Decision:
    """Idempotent: deleting what is not there is done already. Raises RefusedRequest: denied."""
    if card.row is None:
        return Decision(Done(), durable=True, card=card)
    if not compare_digest(card.row.writer_hash, capability_hash(request.writer)):
        raise RefusedRequest(RefusalCode.DENIED)
    ledger.used -= card_cost(card.row)
    card.row = None
    return Decision(Done(), (RemoveCard(request.locator),), durable=True, card=card)
