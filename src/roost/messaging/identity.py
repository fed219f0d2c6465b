"""Device lists and cards: making, signing and checking them (DESIGN section 4).

The account key signs which devices it has; each device signs its own card. What is checked here is all the trust that a
server could otherwise abuse: a list that is older, forked or signed by another key, a card whose device is not in its
list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from roost.crypto import AgreementPublic, KemPublic, Label, PrekeyBundle, SigningKey, VerifyKey
from roost.errors import CallerError, CryptoError, PeerError, WireError
from roost.messaging.records import Me
from roost.wire.addresses import Address
from roost.wire.codec import Extension, decode, encode
from roost.wire.identity import (
    CARD_FALLBACK,
    CARD_LINEAGE,
    CARD_THIRD,
    MAX_LINEAGE,
    Card,
    DeviceEntry,
    DeviceList,
    SignedCard,
    SignedDeviceList,
)

FIRST = bytes(32)
REMOVED = "This device was removed from your account."
REMOVED_HINT = (
    "What is on it can still be read and exported: roost export CONVERSATION --to DIR. "
    "To use it again, link it anew with an empty profile: roost --profile DIR device link"
)
REMOVED_CODE = "device_removed"


class StaleDeviceList(PeerError):
    """An older device list than the one known. It is ignored."""

    code = "stale_device_list"


class ForkedDeviceList(PeerError):
    """Two different device lists claim the same place: somebody else may hold the account key. The step changes
    nothing; whoever drops it shows it to the person (peers.show_fork)."""

    code = "forked_device_list"
    hint = "Compare the safety number with them before you trust this contact again: roost verify CONTACT"

    def __init__(self, account: bytes) -> None:
        super().__init__("Two lists of this contact's devices contradict each other.")
        self.account = account


class UnprovenDeviceList(ForkedDeviceList):
    """A newer device list whose chain back to the known one is not shown. Handled as a fork, where nothing else comes
    along that proves it."""


def sign_list(account: SigningKey, devices: DeviceList) -> SignedDeviceList:
    encoded = encode(devices)
    return SignedDeviceList(encoded, account.sign(Label.DEVICE_LIST, encoded))


@lru_cache(maxsize=256)  # every card brings its account's list along, and most often the known one
def read_list(signed: SignedDeviceList, account: bytes) -> DeviceList:
    """The device list inside, checked to be `account`'s.

    Raises:
        CryptoError: not signed by the account. WireError: malformed.
    """
    devices = decode(DeviceList, signed.list)
    if devices.account != account:
        raise CryptoError("the device list belongs to another account")
    VerifyKey(account).verify(Label.DEVICE_LIST, signed.list, signed.signature)
    return devices


def newer_list(
    known: SignedDeviceList | None, offered: SignedDeviceList, account: bytes, lineage: tuple[bytes, ...] = ()
) -> SignedDeviceList:
    """The one of both that holds from now on. `lineage`: what came with `offered` of the lists before it.

    Raises:
        StaleDeviceList: `offered` is older. ForkedDeviceList: it is not a successor of `known`. UnprovenDeviceList: it
        may be one, and `lineage` does not reach back to `known`. CryptoError, WireError.
    """
    if known is None or offered == known:
        read_list(offered, account)
        return offered
    new, old = read_list(offered, account), decode(DeviceList, known.list)
    if new.version < old.version:
        raise StaleDeviceList("an older device list was offered")
    missed = new.version - old.version - 1
    if missed > len(lineage):
        raise UnprovenDeviceList(account)
    if missed < 0 or new.previous != _link(known, lineage[:missed]):
        raise ForkedDeviceList(account)
    return offered


def _link(known: SignedDeviceList, after: tuple[bytes, ...] = ()) -> bytes:
    """The `previous` of the list that follows `known` and the lists with the hashes `after`, the newest first."""
    chain = decode(DeviceList, known.list).previous
    for digest in (list_hash(known), *reversed(after)):
        chain = hashlib.sha256(chain + digest).digest()
    return chain


def list_hash(signed: SignedDeviceList) -> bytes:
    """SHA-256 of an encoded device list: what a lineage holds of it."""
    return hashlib.sha256(signed.list).digest()


def succeed(known: SignedDeviceList, devices: tuple[DeviceEntry, ...], account: SigningKey) -> SignedDeviceList:
    """Sign the list of these devices as the successor of `known`."""
    old = decode(DeviceList, known.list)
    return sign_list(account, DeviceList(old.account, old.version + 1, _link(known), devices))


def lineage_after(known: SignedDeviceList, lineage: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The lineage of the successor of `known`, which has this one."""
    return (list_hash(known), *lineage)[:MAX_LINEAGE]


def lineage_of(card: Card) -> tuple[bytes, ...]:
    """What a card shows of the lists before its own; nothing where that is malformed."""
    data = next((extension.data for extension in card.extensions if extension.kind == CARD_LINEAGE), b"")
    size = hashlib.sha256().digest_size
    if len(data) % size or len(data) > MAX_LINEAGE * size:
        return ()
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def card_extensions(lineage: tuple[bytes, ...], fallbacks: Sequence[Address]) -> tuple[Extension, ...]:
    """What a card of mine says beyond its fields; at most two fallbacks."""
    chain = (Extension(CARD_LINEAGE, b"".join(lineage)),) if lineage else ()
    kinds = (CARD_FALLBACK, CARD_THIRD)[: len(fallbacks)]
    told = zip(kinds, fallbacks, strict=True)
    return (*chain, *(Extension(kind, encode(address)) for kind, address in told))


def fallbacks_of(card: Card) -> tuple[Address, ...]:
    """The further addresses that a card gives, those that this version understands."""
    found: list[Address] = []
    for extension in card.extensions:
        if extension.kind in (CARD_FALLBACK, CARD_THIRD):
            with suppress(WireError):
                found.append(decode(Address, extension.data))
    return tuple(found)


def entries(signed: SignedDeviceList) -> tuple[DeviceEntry, ...]:
    """The devices of a list that was checked before."""
    return decode(DeviceList, signed.list).devices


def sign_card(device: SigningKey, card: Card) -> SignedCard:
    encoded = encode(card)
    return SignedCard(encoded, device.sign(Label.CARD, encoded))


def read_card(signed: SignedCard) -> tuple[Card, DeviceEntry]:
    """The card inside and the list's entry of its device, everything verified but its expiry.

    Raises:
        CryptoError: a signature does not verify, or the device is not in the list. WireError: malformed.
    """
    card = decode(Card, signed.card)
    devices = read_list(card.devices, card.account)
    entry = next((entry for entry in devices.devices if entry.signing == card.device), None)
    if entry is None:
        raise CryptoError("the card's device is not one of the account's")
    VerifyKey(card.device).verify(Label.CARD, signed.card, signed.signature)
    return card, entry


def card_context(signed: SignedCard) -> bytes:
    """SHA-256 of the signed card: binds a handshake to exactly these prekeys."""
    return hashlib.sha256(encode(signed)).digest()


def prekey_bundle(signed: SignedCard) -> PrekeyBundle:
    """What crypto needs to start a session with the card's device. The card was checked before."""
    card = decode(Card, signed.card)
    entry = next(entry for entry in entries(card.devices) if entry.signing == card.device)
    return PrekeyBundle(
        account=card.account,
        identity=AgreementPublic(entry.identity),
        agreement=AgreementPublic(card.agreement),
        kem=KemPublic(card.kem),
        mask=card.mask,
        context=card_context(signed),
    )


def check_listed(me: Me) -> None:
    """Raises CallerError on a device that was removed: it speaks for its account no longer."""
    if me.removed_at:
        raise CallerError(REMOVED, code=REMOVED_CODE, hint=REMOVED_HINT)


def device_key(me: Me) -> SigningKey:
    return SigningKey.from_seed(me.device_signing)
