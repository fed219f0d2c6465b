"""Who is who: me, my relays, contacts, their devices, sessions with them, and the cards that begin sessions."""

from __future__ import annotations

import enum
from typing import ClassVar

from roost.messaging.rows.base import NEVER, Row
from roost.wire.addresses import Address
from roost.wire.content import About
from roost.wire.identity import SignedCard, SignedDeviceList
from roost.wire.links import RelayLink


class ContactState(enum.IntEnum):
    REQUESTED = 0
    ACCEPTED = 1
    BLOCKED = 2
    SELF = 3
    MEMBER = 4  # no contact: known through a group's link, so that the two devices can speak about the group


HIDDEN_CONTACTS = (ContactState.SELF, ContactState.MEMBER)
"""Whom a person does not see among contacts."""


class Me(Row, frozen=True):
    """The one account and device of this profile (id is always 0).

    `account_secret` is the account's Ed25519 seed, wrapped under the stretched passphrase when `wrapped`. A device that
    waits to be linked stands for itself: its account is its own signing key and `linked` is False.
    """

    table: ClassVar[str] = "me"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: int
    account: bytes
    account_secret: bytes
    wrapped: bool
    device: bytes
    device_signing: bytes
    device_identity: bytes
    device_name: str
    devices: SignedDeviceList
    about: About
    linked: bool
    duplicate_key: bytes  # turns a caller's idempotency key into a message id
    created_at: int
    delivery_receipts: bool = True
    read_receipts: bool = True
    lineage: tuple[bytes, ...] = ()  # SHA-256 of the device lists before `devices`, the newest first
    removed_at: int = 0  # when this device learned that the account's list names it no longer


class OwnRelay(Row, frozen=True):
    """A relay where this profile keeps mailboxes. The one with the lowest `rank` gets new mailboxes."""

    table: ClassVar[str] = "own_relay"
    key: ClassVar[tuple[str, ...]] = ("relay",)
    relay: bytes
    link: RelayLink
    rank: int
    leaving: bool = False  # gets no new mailboxes; goes when its last one has
    here: bool = False  # this very device: the address stands for all of its meetings


class OwnHost(Row, frozen=True):
    """This device as a host of its own mailboxes (id is always 0), and the carriers on which it may be met."""

    table: ClassVar[str] = "own_host"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: int
    secret: bytes  # X25519, 32: of the key that it proves
    onion_seed: bytes  # Ed25519, 32: of its onion service
    access: str  # what its own agent shows to make mailboxes
    carriers: tuple[str, ...]  # those that are on, in no order


class Contact(Row, frozen=True):
    """Another account, or my own (state SELF), under which my other devices hang."""

    table: ClassVar[str] = "contact"
    key: ClassVar[tuple[str, ...]] = ("account",)
    indexes: ClassVar[tuple[str, ...]] = ("state",)
    account: bytes
    state: int
    name: str
    added_at: int
    alias: str = ""
    verified: bool = False
    devices: SignedDeviceList | None = None
    about: About | None = None
    timer_s: int = 0
    counter: int = 0  # of what this device said in the conversation
    key_changed: bool = False  # a forked or older device list was seen; shown until verified again
    made_at: int = 0  # when we last became contacts: on this or another device of mine
    changed_at: int = 0  # when I last changed state, alias or verification
    floor: int = 0  # wire.content.Floor: what I allow this conversation
    their_floor: int = 0  # what they allow it; the stricter holds
    untold: bool = False  # known from another device of mine, and not passed on by this one


class PeerDevice(Row, frozen=True):
    """A device of a contact, or another of mine."""

    table: ClassVar[str] = "peer_device"
    key: ClassVar[tuple[str, ...]] = ("account", "device")
    account: bytes
    device: bytes
    identity: bytes
    card: SignedCard | None = None
    card_version: int = 0
    address: Address | None = None
    session: bytes = b""  # the one to send with
    announced: int = 0  # the version of my card that it was sent last
    wrote_to: bytes = b""  # admin capability of the mailbox of mine that it wrote to last
    reset_at: int = 0  # when a session was last replaced because of undecryptable envelopes
    name: str = ""
    fallback: Address | None = None  # a mailbox at another host, for what `address` does not take
    former: SignedCard | None = None  # its last card with another address than the present one
    probed_at: int = 0  # when something was put there, since it is silent (messaging.stalled)
    third: Address | None = None  # one more, at a host of another kind

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it can be written to, the first choice first."""
        return tuple(address for address in (self.address, self.fallback, self.third) if address is not None)


class SessionRow(Row, frozen=True):
    """A ratchet session with one device, and the numbering of frames in both directions."""

    table: ClassVar[str] = "session"
    key: ClassVar[tuple[str, ...]] = ("id",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "device", "acknowledge_at")
    id: bytes
    account: bytes
    device: bytes  # empty until the device behind a handshake has announced itself
    identity: bytes
    state: bytes  # crypto.Session
    initiated: bool
    confirmed: bool
    created_at: int
    next_number: int = 1
    acked: int = 0
    received: int = 0  # all frames up to this number were processed
    highest: int = 0
    acknowledge_at: int = NEVER  # when to acknowledge at the latest; NEVER: there is nothing to acknowledge
    invitation: bytes = b""
    check: bytes = b""  # of frame `received`, for its acknowledgement; empty when one that it follows was given up
    unheard: int = 0  # envelopes that carried nothing, sent since the device was heard (messaging.rounds)
    acknowledge_tries: int = 0  # bare acknowledgements in a row that could not be put
    said: bytes = b""  # the check of the last frame that I sealed


class Stash(Row, frozen=True):
    """A frame that waits for the ones before it, or for the rest of its entry."""

    table: ClassVar[str] = "stash"
    key: ClassVar[tuple[str, ...]] = ("session", "number")
    indexes: ClassVar[tuple[str, ...]] = ("mailbox", "entry")
    session: bytes
    number: int
    part: int
    parts: int
    payload: bytes
    mailbox: bytes
    entry: int  # the mailbox entry it came in; blobs may hang on it
    first: bool = False  # its sender kept none before it


class Prekey(Row, frozen=True):
    """Prekeys of mine that a card offers to one account, or to whoever holds an invitation."""

    table: ClassVar[str] = "prekey"
    key: ClassVar[tuple[str, ...]] = ("context",)
    indexes: ClassVar[tuple[str, ...]] = ("account", "invitation", "expires_at")
    context: bytes  # SHA-256 of the signed card
    account: bytes  # the account it was given to; empty for an invitation's
    invitation: bytes
    agreement: bytes
    kem: bytes
    mask: bytes
    as_account: bytes  # my own account as the card names it
    expires_at: int


class OwnCard(Row, frozen=True):
    """The card that is offered to an account at present."""

    table: ClassVar[str] = "own_card"
    key: ClassVar[tuple[str, ...]] = ("account",)
    account: bytes
    card: SignedCard
    version: int
    made_at: int
