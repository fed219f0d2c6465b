"""Becoming contacts: the knock that came, accepting it, and being accepted."""

from __future__ import annotations

import msgspec

from roost.errors import CallerError, CryptoError
from roost.messaging import (
    binding,
    contact_sync,
    conversations,
    identity,
    invitations,
    mailboxes,
    outbox,
    peers,
    sealing,
    travel,
)
from roost.messaging.origin import Origin
from roost.messaging.records import (
    Contact,
    ContactState,
    InvitationRow,
    InvitationState,
    Outbox,
    PeerDevice,
    Request,
    RequestState,
    SessionRow,
)
from roost.messaging.work import Work
from roost.wire.content import (
    ContactAcceptance,
    ContactRemoved,
    ContactRequest,
    encode_content,
)
from roost.wire.identity import SignedCard
from roost.wire.links import InvitationKind

# --- being asked -----------------------------------------------------------------------------------------------------


def knocked(work: Work, origin: Origin, knock: ContactRequest) -> None:
    """Keep a contact request for the person to decide. Raises CryptoError when it is not its sender's."""
    devices = identity.read_list(knock.devices, origin.account)
    entry = next((entry for entry in devices.devices if entry.signing == knock.device), None)
    if entry is None or entry.identity != origin.identity:
        raise CryptoError("the knock was not made by the device that it names")
    session = work.need(SessionRow, origin.session)
    contact = work.get(Contact, origin.account)
    if origin.account == work.me.account or (contact is not None and contact.state == ContactState.BLOCKED):
        raise CryptoError("a knock of nobody to be asked about")
    earlier = work.find(Request, where={"account": origin.account, "state": int(RequestState.PENDING)})
    for row in earlier:
        work.delete(row)
    invitation = work.get(InvitationRow, session.invitation)
    one_time = invitation is not None and invitation.kind == InvitationKind.ONE_TIME
    others = [row for row in work.find(Request) if row.invitation == session.invitation and row not in earlier]
    request = work.put(
        Request(
            id=origin.session,
            account=origin.account,
            name=knock.name,
            greeting=knock.greeting,
            device=knock.device,
            identity=origin.identity,
            devices=knock.devices,
            address=knock.address,
            session=origin.session,
            invitation=session.invitation,
            received_at=work.now,
            state=RequestState.PENDING,
            second=one_time and bool(others),
        )
    )
    if contact is not None and contact.state == ContactState.REQUESTED and not work.me.removed_at:
        accept(work, request, crossed=True)  # I asked them too: both have decided
    else:
        work.tell("request", request.id, origin.account)


def ask(work: Work, signed: SignedCard, greeting: str) -> Contact:
    """Ask the person behind a checked card to become a contact; who has asked already is accepted. Raises as
    `invitations.request_contact`."""
    card, _ = identity.read_card(signed)
    waiting = work.find(Request, where={"account": card.account, "state": int(RequestState.PENDING)})
    return accept(work, waiting[0]) if waiting else invitations.request_contact(work, signed, greeting)


def pending(work: Work, id_or_name: str) -> Request:
    """A pending request by id, or by name where that is unambiguous. Raises CallerError."""
    rows = work.find(Request, where={"state": int(RequestState.PENDING)})
    found = [row for row in rows if row.id.hex() == id_or_name] or [row for row in rows if row.name == id_or_name]
    if not found:
        raise CallerError("There is no such request.", code="unknown_request", hint="List them: roost requests")
    if len(found) > 1:
        raise CallerError("Several requests have this name.", code="ambiguous", hint="Use the request's id.")
    return found[0]


def accept(work: Work, request: Request, alias: str = "", *, crossed: bool = False) -> Contact:
    """Make the asking person a contact, and tell them with a card of mine.

    `crossed`: I asked them at the same time. They may be accepting mine in its session just now, so that stays.
    """
    identity.check_listed(work.me)
    known = work.get(Contact, request.account)
    base = known or Contact(request.account, ContactState.ACCEPTED, request.name, work.now)
    contact = contact_sync.made(
        work,
        msgspec.structs.replace(
            base, state=ContactState.ACCEPTED, name=request.name or base.name, alias=alias or base.alias
        ),
    )
    _drop_knocks(work, request.account)
    # Who asks again had forgotten me.
    peers.start_over(work, request.account, but_session=request.session, keep_sessions=crossed)
    peers.learn_anew(work, request.account, request.devices)
    peer = work.get(PeerDevice, request.account, request.device) or PeerDevice(
        request.account, request.device, request.identity
    )
    peer = work.put(msgspec.structs.replace(peer, address=request.address, session=request.session))
    session = work.need(SessionRow, request.session)
    work.put(msgspec.structs.replace(session, device=request.device))
    mine = peers.my_card(work, request.account)
    work.put(msgspec.structs.replace(peer, announced=mine.version))
    answer = ContactAcceptance(work.me.about, mine.card)
    outbox.queue_first(work, request.account, request.device, encode_content(answer))
    work.put(msgspec.structs.replace(request, state=RequestState.ACCEPTED))
    invitation = work.get(InvitationRow, request.invitation)
    if invitation is not None and invitation.kind == InvitationKind.ONE_TIME:
        invitations.end(work, invitation, InvitationState.USED)
    contact_sync.sync_contact(work, request.account)
    work.tell("contact", request.account, request.account, "accepted")
    return contact


def decline(work: Work, request: Request) -> None:
    """Refuse silently: the asking person is not told."""
    work.put(msgspec.structs.replace(request, state=RequestState.DECLINED))
    session = work.get(SessionRow, request.session)
    if session is not None:
        peers.forget_session(work, session)


# --- being accepted --------------------------------------------------------------------------------------------------


def was_accepted(work: Work, origin: Origin, contact: Contact, answer: ContactAcceptance) -> None:
    """The person I asked said yes. Raises CryptoError when the card is not theirs."""
    card, entry = identity.read_card(answer.card)
    if card.account != origin.account or entry.identity != origin.identity:
        raise CryptoError("the acceptance was not made by the device that it names")
    _drop_knocks(work, origin.account)
    work.put(
        msgspec.structs.replace(
            contact, state=ContactState.ACCEPTED, name=answer.about.name or contact.name, about=answer.about
        )
    )
    binding.learn_and_bind(work, origin, answer.card)
    peer = work.get(PeerDevice, origin.account, card.device)
    if peer is not None and peer.session != origin.session:  # whoever accepts keeps this one alone, and no card of mine
        session = work.need(SessionRow, origin.session)
        sealing.use_session(work, work.put(msgspec.structs.replace(peer, announced=0)), session)
    outbox.hurry(work, origin.account, card.device)
    peers.announce(work, origin.account)
    contact_sync.changed(work, work.need(Contact, origin.account))
    if contact.state != ContactState.ACCEPTED:
        work.tell("contact", origin.account, origin.account, "accepted")


def _drop_knocks(work: Work, account: bytes) -> None:
    """Knocks that crossed or were answered need not be delivered any more, nor decided about."""
    for row in work.find(Outbox, where={"account": account}):
        if row.address is not None:
            outbox.discard(work, row)
    for request in work.find(Request, where={"account": account, "state": int(RequestState.PENDING)}):
        work.delete(request)


# --- keeping my other devices in step, and parting -------------------------------------------------------------------


def block(work: Work, account: bytes) -> None:
    """Blocking is deleting the mailbox that they write to."""
    contact = _other(work, account)
    mailboxes.close(work, account)
    contact_sync.changed(work, msgspec.structs.replace(contact, state=ContactState.BLOCKED))
    work.tell("contact", account, account, "blocked")


def unblock(work: Work, account: bytes) -> None:
    """They get the address of a new mailbox, and may write to the former one until they have; who had not accepted yet
    must be asked anew."""
    contact = _other(work, account)
    if contact.state != ContactState.BLOCKED:
        return
    devices = work.find(PeerDevice, where={"account": account})
    accepted = any(device.address is not None for device in devices)
    state = ContactState.ACCEPTED if accepted else ContactState.REQUESTED
    contact_sync.changed(work, msgspec.structs.replace(contact, state=state))
    mailboxes.reopen(work, account)
    peers.announce(work, account)
    work.tell("contact", account, account, state.name.lower())


def remove(work: Work, account: bytes) -> None:
    """End the contact, here and on my other devices."""
    _other(work, account)
    forget_contact(work, account)
    outbox.to_mine(work, encode_content(ContactRemoved(account)))


def forget_contact(work: Work, account: bytes) -> None:
    """Forget a contact with keys, mailboxes and conversation. Nothing is told to them."""
    contact = work.get(Contact, account)
    if contact is None or contact.state == ContactState.SELF:
        return
    contact_sync.ended(work, contact)
    conversations.clear(work, account)
    peers.forget_account(work, account)
    for request in work.find(Request, where={"account": account}):
        work.delete(request)
    work.delete(contact)
    travel.forget(work, account)
    work.tell("contact", account, account, "removed")


def _other(work: Work, account: bytes) -> Contact:
    contact = work.get(Contact, account)
    if contact is None or contact.state == ContactState.SELF:
        raise CallerError("There is no such contact.", code="unknown_contact", hint="List them: roost contacts")
    return contact
