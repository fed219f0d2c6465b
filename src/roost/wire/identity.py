"""Accounts, devices and cards: the signed structures that say whose keys are whose (DESIGN section 4).

An account is its Ed25519 key. It signs the *device list*; each device signs its own *card*, which carries the prekeys
with which others start a session with it and the address at which it wants to be written to.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from roost.wire.addresses import Address
from roost.wire.codec import Extensions, OutOfBounds, Record, TextRecord, check_extensions
from roost.wire.sizes import MAX_CARD, MAX_DEVICE_LIST, MAX_DEVICES, MAX_NAME

Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Seconds = Annotated[int, Meta(ge=0, le=2**40)]  # since 1970
Name = Annotated[str, Meta(max_length=MAX_NAME)]


CARD_LINEAGE: Final = 1
"""Extension of a card: the SHA-256 of the encoded lists before its device list, the newest first, at most
MAX_LINEAGE. With them a reader who missed lists checks the chain from the one that it knows."""
MAX_LINEAGE: Final = 32
CARD_FALLBACK: Final = 2
"""Extension of a card: the encoded `Address` of a second mailbox at another host, for what `address` does not take."""
CARD_THIRD: Final = 3
"""Extension of a card: the encoded `Address` of one more mailbox, at a host of yet another kind."""


class DeviceEntry(Record, frozen=True):
    """One device of an account: its Ed25519 signing key, which is also its id, and its X25519 identity key."""

    signing: Key32
    identity: Key32
    added: Seconds


class DeviceList(Record, frozen=True):
    """All current devices of an account.

    `previous` chains it to all lists before: SHA-256(`previous` of the list before || SHA-256 of that list encoded),
    zeros for the first. No two entries share a key: a device is one entry.
    """

    account: Key32
    version: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    previous: Key32
    devices: Annotated[tuple[DeviceEntry, ...], Meta(min_length=1, max_length=MAX_DEVICES)]
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        check_extensions(self.extensions)
        keys = [key for entry in self.devices for key in (entry.signing, entry.identity)]
        if len(set(keys)) != len(keys):
            raise OutOfBounds("two devices share a key")


class SignedDeviceList(Record, frozen=True):
    """An encoded `DeviceList` and the account key's signature over it (label DEVICE_LIST)."""

    list: Annotated[bytes, Meta(max_length=MAX_DEVICE_LIST)]
    signature: Signature


class Card(TextRecord, frozen=True):
    """What one needs to start a session with one device and to write to it.

    `agreement` and `kem` are its prekeys (X25519; ML-KEM-768, 1,184 bytes), `mask` the 32-byte secret under which a
    handshake to them travels. `address` takes the handshake: a request mailbox in an invitation's card, the mailbox
    that this device keeps for the receiving account in a card sent inside a conversation.
    """

    account: Key32
    device: Key32  # its signing key
    devices: SignedDeviceList
    agreement: Key32
    kem: Annotated[bytes, Meta(min_length=1_184, max_length=1_184)]
    mask: Key32
    address: Address
    version: Annotated[int, Meta(ge=1, le=2**53)]  # never falls; milliseconds since 1970 of its making will do
    expires: Seconds
    name: Name = ""  # the device's name; empty in an invitation's card
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extensions(self.extensions)


class SignedCard(Record, frozen=True):
    """An encoded `Card` and its device's signature over it (label CARD)."""

    card: Annotated[bytes, Meta(max_length=MAX_CARD)]
    signature: Signature
