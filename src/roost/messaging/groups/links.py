"""Groups by link or introduction: making a link, following one, being asked and deciding.

A group's link is a reusable invitation of one member's device whose card names the group. Who follows it knocks at that
device's request mailbox; once let in, the two devices have a session, over which a key package goes one way and the
Welcome the other. They need not become contacts. With approval, whoever may invite decides, on any device: the one
whose link it was carries it out. Who was introduced (`introducing`) knocks in the conversation with that contact.
"""

from __future__ import annotations

import msgspec

from roost.errors import CallerError, CryptoError, PeerError
from roost.messaging import binding, identity, invitations, mailboxes, outbox, peers
from roost.messaging.groups import committing, intents, introducing, permits, rules, sending, states
from roost.messaging.origin import Origin
from roost.messaging.records import (
    Contact,
    ContactState,
    GroupIntent,
    GroupMember,
    GroupRequest,
    GroupRow,
    GroupStatus,
    IntentKind,
    InvitationRow,
    InvitationState,
    Outbox,
    PeerDevice,
    SessionRow,
)
from roost.messaging.work import Work
from roost.wire.addresses import Address
from roost.wire.codec import decode, encode
from roost.wire.content import encode_content
from roost.wire.groups import (
    GROUP_CARD,
    MAX_KNOCK_GREETING,
    GroupCard,
    GroupKnock,
    GroupState,
    JoinAnswer,
    JoinRequest,
    KnockAccepted,
    Role,
)
from roost.wire.identity import SignedCard
from roost.wire.links import InvitationKind

MAX_REQUESTS = 100  # of one group that wait; the oldest make way
STRANGER_MS = 30 * 86_400_000
_LIVE = (InvitationState.TO_PUT, InvitationState.OPEN)


# --- my links --------------------------------------------------------------------------------------------------------


def make(work: Work, group: bytes) -> InvitationRow:
    """A link into a group; it works once the agent has put its card. Raises CallerError: my role may not invite."""
    row = work.get(GroupRow, group)
    if row is None or row.status != GroupStatus.ACTIVE:
        raise CallerError("You are not in this group.", code="not_a_member")
    state = states.held_state(row)
    _check_may_invite(work, state)
    held = of_group(work, group)
    return held[0] if held else invitations.make(work, InvitationKind.GROUP, group=_card(row, state))


def of_group(work: Work, group: bytes) -> list[InvitationRow]:
    """This device's links into a group that work, the newest first."""
    found = [row for row in work.find(InvitationRow) if row.group == group and row.state in _LIVE]
    return sorted(found, key=lambda row: row.created_at, reverse=True)


def revoke(work: Work, group: bytes) -> None:
    """End this device's links into a group."""
    for row in of_group(work, group):
        invitations.end(work, row)


def _card(row: GroupRow, state: GroupState) -> GroupCard:
    return GroupCard(row.id, state.title, state.approval)


def _check_may_invite(work: Work, state: GroupState) -> None:
    role = rules.role_of(state, work.me.account)
    if role < state.permissions.invite or role is Role.READ_ONLY:
        raise CallerError("Your role in this group does not allow that.", code="not_permitted", hint="Ask an admin.")


def renew(work: Work) -> None:
    """Links into groups that this device left, or where it may not invite any more, end; others get fresh cards."""
    for link in work.find(InvitationRow):
        if not link.group or link.state not in _LIVE:
            continue
        row = work.get(GroupRow, link.group)
        active = row is not None and row.status in (GroupStatus.ACTIVE, GroupStatus.LOST)
        state = states.held_state(row) if row is not None and active else None
        if row is None or state is None or not permits.may_invite(state, work.me.account):
            invitations.end(work, link)
        elif link.card_expires * 1000 - work.now < peers.RENEW_AFTER_MS or link.about != encode(_card(row, state)):
            invitations.renew(work, link, _card(row, state))


# --- following one ---------------------------------------------------------------------------------------------------


def group_of(signed: SignedCard) -> GroupCard:
    """What the card behind a group's link says of the group. Raises PeerError."""
    card, _ = identity.read_card(signed)
    for extension in card.extensions:
        if extension.kind == GROUP_CARD:
            return decode(GroupCard, extension.data)
    raise PeerError("a group's link without a group", code="bad_invitation")


def join(work: Work, signed: SignedCard, greeting: str = "") -> GroupRow:
    """Ask to be let into the group behind a checked card (`invitations.open_invitation`).

    Raises CallerError: I am in it already, it is my own link, or the greeting is too long.
    """
    card, entry = identity.read_card(signed)
    about = group_of(signed)
    if card.account == work.me.account:
        raise CallerError("This is your own link.", code="own_invitation", hint="Give it to somebody else.")
    _check_outside(work, about.group)
    contact = work.get(Contact, card.account)
    if contact is None:
        work.put(Contact(card.account, ContactState.MEMBER, "", work.now, devices=card.devices))
    elif contact.state == ContactState.BLOCKED:
        raise CallerError("You blocked this person.", code="blocked", hint="Unblock them first: roost unblock CONTACT")
    for knock in [knock for knock in work.find(Outbox, where={"account": card.account}) if knock.address is not None]:
        outbox.discard(work, knock)
    peer = work.get(PeerDevice, card.account, card.device)
    if peer is None or peer.address is None:
        work.put(PeerDevice(card.account, card.device, entry.identity, card=signed, card_version=0))
    known = peer is not None and peer.address is not None
    to = None if known else card.address  # who is my contact already is asked in our conversation
    return _ask(work, about.group, about.title, card.account, card.device, greeting, to)


def follow(work: Work, message: bytes, greeting: str = "") -> GroupRow:
    """Say yes to the introduction that a message holds. Raises CallerError: there is none, I am in the group already,
    or the device that introduced me is gone.
    """
    row, content = introducing.received_in(work, message)
    _check_outside(work, content.group)
    contact = work.get(Contact, row.author)
    peer = work.get(PeerDevice, row.author, row.device)
    if contact is None or contact.state != ContactState.ACCEPTED or peer is None or peer.address is None:
        raise CallerError(
            "This introduction leads nowhere any more.", code="invitation_gone", hint="Ask to be introduced again."
        )
    introducing.answered(work, message)
    return _ask(work, content.group, content.title, row.author, row.device, greeting)


def _check_outside(work: Work, group: bytes) -> None:
    row = work.get(GroupRow, group)
    if row is not None and row.status in (GroupStatus.ACTIVE, GroupStatus.JOINING, GroupStatus.LOST):
        raise CallerError("You are in this group already.", code="already_member")


def _ask(
    work: Work, group: bytes, title: str, account: bytes, device: bytes, greeting: str, to: Address | None = None
) -> GroupRow:
    """Knock at a member's device: in the request mailbox `to`, or in our conversation."""
    if len(greeting.encode()) > MAX_KNOCK_GREETING:
        raise CallerError("This greeting is too long.", code="too_long", hint=f"At most {MAX_KNOCK_GREETING} bytes.")
    me, mailbox = work.me, mailboxes.mailbox_for(work, account)
    address = mailboxes.address_of(work, mailbox)
    knock = GroupKnock(group, me.about.name, greeting, me.devices, me.device, address)
    outbox.queue(work, account, device, encode_content(knock), address=to)
    base = work.get(GroupRow, group) or GroupRow(group, GroupStatus.ASKED, title, work.now)
    work.tell("group", group, account, "asked")
    return work.put(
        msgspec.structs.replace(base, status=GroupStatus.ASKED, title=title, inviter=account, joined_at=work.now)
    )


def let_in(work: Work, origin: Origin, content: KnockAccepted) -> None:
    """The member behind the link answers: give it a key package. Raises PeerError when nobody was asked."""
    row = work.get(GroupRow, content.group)
    if row is None or row.status != GroupStatus.ASKED or row.inviter != origin.account:
        raise PeerError("nobody asked to be let into this group", code="not_allowed")
    card, entry = identity.read_card(content.card)
    if card.account != origin.account or entry.identity != origin.identity:
        raise CryptoError("the answer was not made by the device that it names")
    for knock in work.find(Outbox, where={"account": origin.account}):
        if knock.address is not None:
            outbox.discard(work, knock)
    binding.learn_and_bind(work, origin, content.card)
    peers.announce(work, origin.account)
    outbox.hurry(work, origin.account, card.device)


# --- being asked -----------------------------------------------------------------------------------------------------


def knocked(work: Work, origin: Origin, knock: GroupKnock) -> None:
    """Somebody followed a link of this device. Raises PeerError for what is not the sender's, or leads nowhere."""
    devices = identity.read_list(knock.devices, origin.account)
    entry = next((entry for entry in devices.devices if entry.signing == knock.device), None)
    if entry is None or entry.identity != origin.identity:
        raise CryptoError("the knock was not made by the device that it names")
    row = _asked_group(work, origin, knock)
    request = GroupRequest(
        id=work.entropy.bytes(16),
        group=row.id,
        account=origin.account,
        name=knock.name,
        greeting=knock.greeting,
        received_at=work.now,
        session=origin.session,
        device=knock.device,
        identity=origin.identity,
        devices=knock.devices,
        address=knock.address,
    )
    for earlier in work.find(GroupRequest, where={"account": origin.account}):
        if earlier.group == row.id:
            work.delete(earlier)
    _make_room(work, row.id)
    work.put(request)
    if introducing.take(work, row.id, request.account) or not states.held_state(row).approval:
        _let_in(work, row, request)
        return
    said = JoinRequest(request.id, request.account, request.name, request.greeting)
    sending.send(work, row.id, encode_content(said))
    work.tell("group", row.id, request.account, "request")


def _asked_group(work: Work, origin: Origin, knock: GroupKnock) -> GroupRow:
    """The group that may be asked for: the one of the link that was used, or by a contact any that has a link, or into
    which this device introduced them."""
    session = work.need(SessionRow, origin.session)
    link = work.get(InvitationRow, session.invitation) if session.invitation else None
    contact = work.get(Contact, origin.account)
    if contact is not None and contact.state == ContactState.BLOCKED:
        raise PeerError("a knock of nobody to be asked about", code="not_allowed")
    by_link = link is not None and link.group == knock.group and link.state in _LIVE
    open_to_contacts = introducing.is_introduced(work, knock.group, origin.account) or of_group(work, knock.group)
    by_contact = contact is not None and contact.state == ContactState.ACCEPTED and bool(open_to_contacts)
    row = work.get(GroupRow, knock.group)
    if row is None or row.status != GroupStatus.ACTIVE or not (by_link or by_contact):
        raise PeerError("a knock for no group of mine", code="not_allowed")
    state = states.held_state(row)
    if origin.account in state.banned or work.get(GroupMember, row.id, origin.account) is not None:
        raise PeerError("a knock of one who is banned or in the group", code="not_allowed")
    if not permits.may_invite(state, work.me.account):
        raise PeerError("a knock that may not be answered", code="not_allowed")
    return row


def _make_room(work: Work, group: bytes) -> None:
    held = sorted(work.find(GroupRequest, where={"group": group}), key=lambda request: request.received_at)
    for oldest in held[: max(len(held) - MAX_REQUESTS + 1, 0)]:
        work.delete(oldest)


def requests(work: Work, group: bytes = b"") -> list[GroupRequest]:
    """Who waits to be let into a group, or into any; the oldest first."""
    found = work.find(GroupRequest, where={"group": group} if group else {})
    return sorted(found, key=lambda request: request.received_at)


def decide(work: Work, id: bytes, *, accept: bool) -> None:
    """Let somebody in, or not; who is turned away is not told. Raises CallerError."""
    request = work.get(GroupRequest, id)
    row = work.get(GroupRow, request.group) if request else None
    if request is None or row is None:
        raise CallerError("There is no such request.", code="unknown_request", hint="roost group requests GROUP")
    _check_may_invite(work, states.held_state(row))
    sending.send(work, row.id, encode_content(JoinAnswer(request.id, accept)))
    _carry_out(work, row, request, accept=accept)


def request_told(work: Work, row: GroupRow, account: bytes, content: JoinRequest) -> None:
    """Another member's device was asked."""
    if not permits.may_invite(states.held_state(row), account) or work.get(GroupRequest, content.id) is not None:
        raise PeerError("a request that may not be made, or is known", code="not_allowed")
    if work.get(GroupMember, row.id, content.account) is not None:
        return
    _make_room(work, row.id)
    work.put(GroupRequest(content.id, row.id, content.account, content.name, content.greeting, work.now))
    work.tell("group", row.id, content.account, "request")


def answer_told(work: Work, row: GroupRow, account: bytes, content: JoinAnswer) -> None:
    """Another member decided."""
    request = work.get(GroupRequest, content.id)
    if not permits.may_invite(states.held_state(row), account):
        raise PeerError("a decision of one who may not invite", code="not_allowed")
    if request is not None and request.group == row.id:
        _carry_out(work, row, request, accept=content.accepted)


def _carry_out(work: Work, row: GroupRow, request: GroupRequest, *, accept: bool) -> None:
    work.delete(request)
    work.tell("group", row.id, request.account, "answered")
    if not request.session:
        return
    if accept:
        _let_in(work, row, request)
        return
    session = work.get(SessionRow, request.session)
    if session is not None and not session.device:
        peers.forget_session(work, session)


def _let_in(work: Work, row: GroupRow, request: GroupRequest) -> None:
    """Answer over the session that the knock began, and add the person once their key package is here."""
    session = work.get(SessionRow, request.session)
    existing = work.get(GroupRequest, request.id)
    if existing is not None:
        work.delete(existing)
    if session is None or request.devices is None:
        return
    contact = work.get(Contact, request.account)
    if contact is None:
        work.put(Contact(request.account, ContactState.MEMBER, request.name, work.now))
    peers.learn_list(work, request.account, request.devices)
    peer = work.get(PeerDevice, request.account, request.device)
    if peer is not None and not session.device:
        work.put(msgspec.structs.replace(session, device=request.device))
        work.put(msgspec.structs.replace(peer, address=request.address, session=session.id))
    mine = peers.my_card(work, request.account)
    content = encode_content(KnockAccepted(row.id, mine.card))
    outbox.queue_first(work, request.account, request.device, content)
    intents.want(work, row, IntentKind.ADD, account=request.account)
    committing.pump(work, row.id)


def forget_strangers(work: Work) -> None:
    """People known only through a group, when no group is shared with them any more."""
    for contact in work.find(Contact, where={"state": int(ContactState.MEMBER)}):
        account = contact.account
        shared = any(
            group is not None and group.status in (GroupStatus.ACTIVE, GroupStatus.LOST)
            for group in (work.get(GroupRow, m.group) for m in work.find(GroupMember, where={"account": account}))
        )
        asked = any(row.inviter == account for row in work.find(GroupRow, where={"status": int(GroupStatus.ASKED)}))
        waits = any(intent.account == account for intent in work.find(GroupIntent))
        if not (shared or asked or waits) and work.now - contact.added_at > STRANGER_MS:
            peers.forget_account(work, account)
            work.delete(contact)
