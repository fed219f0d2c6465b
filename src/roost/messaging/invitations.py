"""Invitations: making and ending mine, and following somebody else's (DESIGN section 4).

An invitation is a card of this device, encrypted under the link's secret at a relay, and a request mailbox that takes
knocks. This module does not speak to relays: it makes rows, and the agent puts the card and creates the mailbox.
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto import card_keys, open_card, seal_card
from roost.errors import CallerError, PeerError
from roost.messaging import contact_sync, identity, mailboxes, outbox, peers
from roost.messaging.records import (
    Contact,
    ContactState,
    Followed,
    InvitationRow,
    InvitationState,
    Outbox,
    OwnMailbox,
    PeerDevice,
    Prekey,
)
from roost.messaging.work import Work
from roost.wire.addresses import HostAddress
from roost.wire.codec import Extension, decode, encode
from roost.wire.content import ContactRequest, encode_content
from roost.wire.groups import GROUP_CARD, GroupCard
from roost.wire.identity import Card, SignedCard
from roost.wire.links import Invitation, InvitationKind, parse_invitation

PIN_SIZE = 16
REUSED = (InvitationKind.REUSABLE, InvitationKind.GROUP)
DAY_MS = 86_400_000
ONE_TIME_LIFE_MS = 14 * DAY_MS
MAX_FOLLOWED = 64
NEVER_MS = 3_650 * DAY_MS


class BadInvitation(PeerError):
    """What the link leads to is not what the link promises."""

    code = "bad_invitation"
    hint = "Ask for a new invitation."


class SpentInvitation(CallerError):
    code = "invitation_gone"
    hint = "It was used, withdrawn or has expired. Ask for a new one."


def make(
    work: Work,
    kind: InvitationKind,
    *,
    expires_at: int = 0,
    account: bytes = b"",
    introduction: bytes = b"",
    group: GroupCard | None = None,
    relay: bytes = b"",
) -> InvitationRow:
    """Make an invitation; it works once the agent has put its card. `expires_at` 0 takes the kind's default.

    `account` is set for a device link, whose answers come through an ordinary mailbox; `group` for a group's. `relay`
    keeps the card, by its key; empty: my primary one.
    """
    identity.check_listed(work.me)
    secret = work.entropy.bytes(16)
    reusable = kind in REUSED
    name = work.me.device_name if kind == InvitationKind.DEVICE else ""
    expires_at = expires_at or (work.now + (NEVER_MS if reusable else ONE_TIME_LIFE_MS))
    mailbox = mailboxes.new_mailbox(work, account=account, invitation=secret, relay=relay)
    life_s = peers.CARD_LIFE_S if reusable else max((expires_at - work.now) // 1000, 1)
    signed, version = peers.make_card(
        work,
        mailbox,
        invitation=secret,
        name=name,
        life_s=min(life_s, 366 * 86_400),
        more=_extensions(group),
    )
    pinned = work.me.account if reusable else encode(signed)
    link = Invitation(1, kind, mailboxes.host_of(work, mailbox), secret, hashlib.sha256(pinned).digest()[:PIN_SIZE])
    return work.put(
        InvitationRow(
            secret=secret,
            kind=int(kind),
            link=str(link),
            writer=work.entropy.bytes(32),
            relay=mailbox.relay,
            state=InvitationState.TO_PUT,
            created_at=work.now,
            expires_at=expires_at,
            sealed_card=seal_card(card_keys(secret).key, encode(signed), work.entropy),
            version=version,
            card_expires=decode(Card, signed.card).expires,
            introduction=introduction,
            group=group.group if group else b"",
            about=encode(group) if group else b"",
        )
    )


def _extensions(group: GroupCard | None) -> tuple[Extension, ...]:
    return () if group is None else (Extension(GROUP_CARD, encode(group)),)


def renew(work: Work, row: InvitationRow, group: GroupCard | None = None) -> None:
    """A reusable invitation gets a new card with new prekeys, under the same link and mailbox."""
    mailbox = next(iter(work.find(OwnMailbox, where={"invitation": row.secret})), None)
    if mailbox is None:
        return
    signed, version = peers.make_card(work, mailbox, invitation=row.secret, above=row.version, more=_extensions(group))
    work.put(
        msgspec.structs.replace(
            row,
            state=InvitationState.TO_PUT,
            sealed_card=seal_card(card_keys(row.secret).key, encode(signed), work.entropy),
            version=version,
            card_expires=decode(Card, signed.card).expires,
            about=encode(group) if group else b"",
        )
    )


def card_put(work: Work, secret: bytes, version: int) -> None:
    """The relay has the card."""
    row = work.get(InvitationRow, secret)
    if row is not None and row.state == InvitationState.TO_PUT and row.version == version:
        work.put(msgspec.structs.replace(row, state=InvitationState.OPEN))


def end(work: Work, row: InvitationRow, state: InvitationState = InvitationState.REVOKED) -> None:
    """Withdraw it: its prekeys and mailbox go, and the agent deletes the card."""
    for prekey in work.find(Prekey, where={"invitation": row.secret}):
        work.delete(prekey)
    mailboxes.drop_all(work, invitation=row.secret, account=b"")
    work.put(msgspec.structs.replace(row, state=int(state)))


def card_deleted(work: Work, secret: bytes) -> None:
    row = work.get(InvitationRow, secret)
    if row is not None and row.state in (InvitationState.REVOKED, InvitationState.USED):
        work.put(msgspec.structs.replace(row, state=InvitationState.CLOSED, sealed_card=b""))


def invitation_id(row: InvitationRow) -> str:
    """How an invitation is named on a screen: not its secret."""
    return hashlib.sha256(b"invitation id" + row.secret).hexdigest()[:16]


def find(work: Work, link_or_id: str) -> InvitationRow:
    """An invitation of mine by its link or id. Raises CallerError."""
    for row in work.find(InvitationRow):
        if link_or_id in (row.link, invitation_id(row)):
            return row
    raise CallerError("You made no such invitation.", code="unknown_invitation", hint="List them: roost invitations")


# --- following somebody else's ---------------------------------------------------------------------------------------


def follow_later(work: Work, link: Invitation, greeting: str) -> Followed:
    """Open somebody's invitation when their device is met. Raises CallerError `too_many`."""
    identity.check_listed(work.me)
    if work.get(Followed, link.secret) is None and len(work.find(Followed)) >= MAX_FOLLOWED:
        raise CallerError(
            "Too many links wait for their people to be near.", code="too_many", hint="Forget one: roost revoke LINK"
        )
    return work.put(Followed(link.secret, str(link), greeting, work.now))


def forget_followed(work: Work, secret: bytes) -> None:
    """It was opened, is worth nothing, or is not wanted any more."""
    row = work.get(Followed, secret)
    if row is not None:
        work.delete(row)


def place_of(row: Followed) -> HostAddress:
    """Where the invitation leads."""
    return parse_invitation(row.link).relay


def open_invitation(work: Work, invitation: Invitation, sealed: bytes) -> SignedCard:
    """The card behind an invitation, fully checked.

    Raises:
        BadInvitation: it is not what the link pins. SpentInvitation: it has expired.
    """
    try:
        signed = decode(SignedCard, open_card(card_keys(invitation.secret).key, sealed))
        card, _ = identity.read_card(signed)
    except PeerError as error:
        raise BadInvitation("This invitation's card is damaged or forged.") from error
    pinned = card.account if invitation.kind in REUSED else encode(signed)
    if hashlib.sha256(pinned).digest()[:PIN_SIZE] != invitation.pin:
        raise BadInvitation("This invitation's card was exchanged: its relay cannot be trusted.")
    if card.expires * 1000 < work.now:
        raise SpentInvitation("This invitation has expired.")
    return signed


def request_contact(work: Work, signed: SignedCard, greeting: str) -> Contact:
    """Ask the person behind a checked card to become a contact: the knock goes to the outbox.

    Raises:
        CallerError: it is my own invitation, or they are a contact already.
    """
    identity.check_listed(work.me)
    card, entry = identity.read_card(signed)
    known = work.get(Contact, card.account)
    if card.account == work.me.account:
        raise CallerError("This is your own invitation.", code="own_invitation", hint="Give it to somebody else.")
    if known is not None and known.state == ContactState.ACCEPTED:
        raise CallerError("They are your contact already.", code="already_contact")
    base = known or Contact(card.account, ContactState.REQUESTED, "", work.now)
    contact = contact_sync.made(work, msgspec.structs.replace(base, state=ContactState.REQUESTED))
    for row in [row for row in work.find(Outbox, where={"account": card.account}) if row.address is not None]:
        outbox.discard(work, row)  # an earlier knock that was not answered
    peers.start_over(work, card.account)
    work.put(PeerDevice(card.account, card.device, entry.identity, card=signed, card_version=0))
    peers.learn_anew(work, card.account, card.devices)
    mailbox = mailboxes.mailbox_for(work, card.account)
    me = work.me
    knock = ContactRequest(me.about.name, greeting, me.devices, me.device, mailboxes.address_of(work, mailbox))
    outbox.queue_first(work, card.account, card.device, encode_content(knock), address=card.address)
    contact_sync.sync_contact(work, card.account)
    work.tell("contact", card.account, card.account, "requested")
    return contact
