"""The devices of a contact, and of my own account: their cards, and mine for them.

Whoever may write to me holds a card of mine with prekeys and the address of the mailbox that I keep for that account.
`announce` brings every device of an account up to date; calling it once too often does nothing.
"""

from __future__ import annotations

import msgspec

from roost.crypto import AgreementSecret, KemSecret, PrekeySecrets
from roost.errors import CryptoError
from roost.messaging import contact_sync, identity, mailboxes, outbox
from roost.messaging.groups import offers
from roost.messaging.identity import StaleDeviceList, UnprovenDeviceList
from roost.messaging.records import (
    Contact,
    ContactState,
    MailboxState,
    Outbox,
    OwnCard,
    OwnMailbox,
    PeerDevice,
    Prekey,
    SessionRow,
    Stash,
)
from roost.messaging.work import Work
from roost.wire.addresses import Address
from roost.wire.codec import Extension, decode
from roost.wire.content import DeviceAnnouncement, encode_content
from roost.wire.identity import Card, SignedCard, SignedDeviceList

DAY_S = 86_400
CARD_LIFE_S = 14 * DAY_S
RENEW_AFTER_MS = 7 * 86_400_000
PREKEY_LIFE_MS = 60 * 86_400_000  # an envelope written to the last day of a card may lie 30 days at its host


# --- my cards --------------------------------------------------------------------------------------------------------


def make_card(
    work: Work,
    mailbox: OwnMailbox,
    *,
    account: bytes = b"",
    invitation: bytes = b"",
    name: str = "",
    life_s: int = CARD_LIFE_S,
    above: int = 0,
    fallbacks: tuple[Address, ...] = (),
    more: tuple[Extension, ...] = (),
) -> tuple[SignedCard, int]:
    """A fresh signed card of this device with new prekeys, and its version, which is higher than `above`.

    `account` is whom it is given to; empty for an invitation's card, which names the device to nobody unless told to.
    `more` are extensions of higher kinds than a card has by itself.
    """
    me = work.me
    secrets = PrekeySecrets.generate(work.entropy)
    card = Card(
        account=me.account,
        device=me.device,
        devices=me.devices,
        agreement=secrets.agreement.public.raw,
        kem=secrets.kem.public.raw,
        mask=secrets.mask,
        address=mailboxes.address_of(work, mailbox),
        version=max(work.now, above + 1),
        expires=work.now // 1000 + life_s,
        name=name,
        extensions=(*identity.card_extensions(me.lineage, fallbacks), *more),
    )
    signed = identity.sign_card(identity.device_key(me), card)
    work.put(
        Prekey(
            context=identity.card_context(signed),
            account=account,
            invitation=invitation,
            agreement=secrets.agreement.to_bytes(),
            kem=secrets.kem.to_bytes(),
            mask=secrets.mask,
            as_account=me.account,
            expires_at=work.now + life_s * 1000 + PREKEY_LIFE_MS - CARD_LIFE_S * 1000,
        )
    )
    return signed, card.version


def my_card(work: Work, account: bytes) -> OwnCard:
    """The card that this account should hold now; renewed when a week old or when the mailbox or my devices changed."""
    current = work.get(OwnCard, account)
    mailbox = mailboxes.mailbox_for(work, account)
    told = identity.fallbacks_of(decode(Card, current.card.card)) if current else ()
    fallbacks = _fallbacks(work, account, told)
    if current is not None and work.now - current.made_at < RENEW_AFTER_MS:
        card = decode(Card, current.card.card)
        same = card.address == mailboxes.address_of(work, mailbox) and told == fallbacks
        if same and card.devices == work.me.devices:
            return current
    signed, version = make_card(
        work,
        mailbox,
        account=account,
        name=work.me.device_name,
        above=current.version if current else 0,
        fallbacks=fallbacks,
    )
    return work.put(OwnCard(account, signed, version, work.now))


def _fallbacks(work: Work, account: bytes, told: tuple[Address, ...]) -> tuple[Address, ...]:
    """Where what my first mailbox does not take may go: told once that mailbox is there, and no sooner."""
    found = [(mailbox, mailboxes.address_of(work, mailbox)) for mailbox in mailboxes.fallbacks_for(work, account)]
    return tuple(address for mailbox, address in found if mailbox.state == MailboxState.ACTIVE or address in told)


def mailbox_created(work: Work, admin: bytes) -> None:
    """The relay has made a mailbox of mine; a fallback is told now."""
    mailboxes.created(work, admin)
    mailbox = work.get(OwnMailbox, admin)
    if mailbox is not None and mailbox.fallback:
        announce(work, mailbox.account)


def announce(work: Work, account: bytes) -> None:
    """Queue my current card for every device of the account that does not have it yet."""
    contact = work.get(Contact, account)
    if contact is None or contact.state not in (ContactState.ACCEPTED, ContactState.SELF, ContactState.MEMBER):
        return
    peers = work.find(PeerDevice, where={"account": account})
    if not peers:
        return
    mine = my_card(work, account)
    content = encode_content(DeviceAnnouncement(mine.card))
    for peer in peers:
        if peer.announced < mine.version and peer.address is not None:
            work.put(msgspec.structs.replace(peer, announced=mine.version))
            outbox.queue(work, account, peer.device, content)
    offers.offer(work, account)


def announce_anew(work: Work, account: bytes) -> None:
    """As `announce`, with a new card for every device: they may hold a later one of mine that this profile has lost
    with an older copy, and never go back to a lower version."""
    held = work.get(OwnCard, account)
    if held is not None:
        work.delete(held)
    announce(work, account)


def announce_all(work: Work) -> None:
    """Bring every contact up to date, e.g. after my devices changed."""
    for state in (ContactState.ACCEPTED, ContactState.SELF):
        for contact in work.find(Contact, where={"state": int(state)}):
            announce(work, contact.account)


# --- their cards -----------------------------------------------------------------------------------------------------


def learn_card(work: Work, account: bytes, signed: SignedCard) -> bool:
    """Take over what a card of the account says. True when it brought a device or an address that was not known.

    Raises:
        CryptoError, WireError: the card is not the account's, or not authentic.
    """
    card, entry = identity.read_card(signed)
    if card.account != account:
        raise CryptoError("the card belongs to another account")
    learn_list(work, account, card.devices, identity.lineage_of(card))
    known = work.get(PeerDevice, account, card.device)
    if (
        work.me.removed_at or known is None or known.identity != entry.identity
    ):  # not in the newest list, or this very device
        return False
    if known.card is not None and known.card_version >= card.version:
        return False
    further = identity.fallbacks_of(card)
    learned = work.put(
        msgspec.structs.replace(
            known,
            card=signed,
            card_version=card.version,
            address=card.address,
            fallback=next(iter(further), None),
            third=further[1] if len(further) > 1 else None,
            former=known.former if known.address == card.address or not has_shown_itself(known) else known.card,
            name=card.name or known.name,
            announced=known.announced if known.address == card.address else 0,  # it may have forgotten us in between
        )
    )
    if known.card is not None and _hosts(learned) != _hosts(known) and account != work.me.account:
        work.tell("contact", account, account, "addresses")
    return not has_shown_itself(known) or known.address != card.address


def _hosts(peer: PeerDevice) -> list[bytes]:
    return [address.relay.key for address in peer.addresses]


def has_shown_itself(peer: PeerDevice) -> bool:
    """Whether its card is the account's; until then, that of a device which I linked is the one of its invitation."""
    return peer.card is not None and decode(Card, peer.card.card).account == peer.account


def learn_list(work: Work, account: bytes, offered: SignedDeviceList, lineage: tuple[bytes, ...] = ()) -> bool:
    """Take over a device list; devices that it no longer has are forgotten with their sessions.

    False when it is older than the known one (nothing changes). Raises ForkedDeviceList for one that contradicts it, or
    whose chain back to the known one `lineage` does not prove; among my own devices, which all hold the account key,
    the signature is enough for that. What is said from now on waits for every device of the list, also while its card
    has not come.
    """
    contact = work.need(Contact, account)
    try:
        held = identity.newer_list(contact.devices, offered, account, lineage)
    except StaleDeviceList:
        return False
    except UnprovenDeviceList:
        if account != work.me.account:
            raise
        held = offered
    if held != contact.devices:
        work.put(msgspec.structs.replace(contact, devices=held))
    if account == work.me.account and held != work.me.devices:
        before = lineage or identity.lineage_after(work.me.devices, work.me.lineage)
        work.put(msgspec.structs.replace(work.me, devices=held, lineage=before))
    forget_missing(work, account, held)
    _expect_devices(work, account, held)
    return True


def show_fork(work: Work, account: bytes) -> None:
    """Two device lists of an account contradict each other: not verified any more, here and on my other devices, and
    the person is told once."""
    contact = work.get(Contact, account)
    if contact is not None and not contact.key_changed:
        contact_sync.changed(work, msgspec.structs.replace(contact, key_changed=True, verified=False))
        tell_fork(work, account)


def tell_fork(work: Work, account: bytes) -> None:
    work.tell("contact", account, account, "key_changed")
    work.tell("forked", account=account)


def learn_anew(work: Work, account: bytes, offered: SignedDeviceList) -> None:
    """As `learn_list` where the person decides about the contact anew: what cannot be proven is taken, and shown."""
    try:
        learn_list(work, account, offered)
    except UnprovenDeviceList:
        show_fork(work, account)
        work.put(msgspec.structs.replace(work.need(Contact, account), devices=None))
        learn_list(work, account, offered)


def verify(work: Work, account: bytes, verified: bool) -> Contact:
    """The person compared the safety number, or takes that back. After contradictory device lists the next one that the
    contact shows holds: the person vouches for whoever has the account key."""
    contact = work.need(Contact, account)
    healed = contact.key_changed and verified
    changed = msgspec.structs.replace(contact, verified=verified, key_changed=contact.key_changed and not verified)
    changed = contact_sync.changed(work, changed)
    if healed:
        work.put(msgspec.structs.replace(changed, devices=None))
    work.tell("contact", account, account, "verified" if verified else "unverified")
    return changed


def _expect_devices(work: Work, account: bytes, held: SignedDeviceList) -> None:
    me = work.me
    for entry in identity.entries(held):
        if entry.signing == me.device or work.get(PeerDevice, account, entry.signing) is not None:
            continue
        work.put(PeerDevice(account, entry.signing, entry.identity))
        if account == me.account:
            contact_sync.sync_all(work, entry.signing)


def forget_missing(work: Work, account: bytes, held: SignedDeviceList) -> None:
    """Forget the devices that are not in the account's list any more, and move away from where they could write."""
    current = {entry.signing for entry in identity.entries(held)}
    gone = [peer for peer in work.find(PeerDevice, where={"account": account}) if peer.device not in current]
    for peer in gone:
        forget_device(work, peer)
    if gone:  # it knew the address of the mailbox that this account writes to
        for mailbox in work.find(OwnMailbox, where={"account": account, "state": int(MailboxState.ACTIVE)}):
            mailboxes.rotate(work, mailbox)


def forget_device(work: Work, peer: PeerDevice) -> None:
    """A device is gone: its sessions, and what waited for it."""
    where = {"account": peer.account, "device": peer.device}
    for session in work.find(SessionRow, where=where):
        forget_session(work, session)
    for row in work.find(Outbox, where=where):
        outbox.discard(work, row)
    work.delete(peer)


def forget_session(work: Work, session: SessionRow) -> None:
    for stash in work.find(Stash, where={"session": session.id}):
        work.delete(stash)
    work.delete(session)


def start_over(work: Work, account: bytes, *, but_session: bytes = b"", keep_sessions: bool = False) -> None:
    """The account has forgotten all that we shared: keep what waits for its devices until they show themselves, and
    seal it anew. `keep_sessions`: for hearing what they are saying in them just now."""
    offers.start_over(work, account)
    for session in work.find(SessionRow, where={"account": account}):
        if session.device and session.id != but_session and not keep_sessions:
            forget_session(work, session)
    for peer in work.find(PeerDevice, where={"account": account}):
        outbox.requeue(work, account, peer.device)
        forgotten = msgspec.structs.replace(peer, session=b"", announced=0, card=None, card_version=0)
        work.put(msgspec.structs.replace(forgotten, address=None, fallback=None, third=None, former=None))


def forget_account(work: Work, account: bytes) -> None:
    """All keys, sessions, cards and mailboxes that tie me to an account."""
    offers.forget(work, account)
    for peer in work.find(PeerDevice, where={"account": account}):
        forget_device(work, peer)
    for session in work.find(SessionRow, where={"account": account}):
        forget_session(work, session)
    for prekey in work.find(Prekey, where={"account": account}):
        work.delete(prekey)
    card = work.get(OwnCard, account)
    if card is not None:
        work.delete(card)
    mailboxes.drop_all(work, account=account)


def prekey_secrets(row: Prekey) -> PrekeySecrets:
    return PrekeySecrets(
        agreement=AgreementSecret.from_bytes(row.agreement),
        kem=KemSecret.from_bytes(row.kem),
        mask=row.mask,
        context=row.context,
    )
