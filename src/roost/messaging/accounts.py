"""Making an account, or a device that waits to join one; opening the account key when the device list changes."""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto import AgreementSecret, SigningKey, unwrap_secret, wrap_secret
from roost.errors import CallerError, CryptoError
from roost.messaging import hosting, identity, invitations
from roost.messaging.records import Contact, ContactState, InvitationRow, Me, OwnRelay
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost
from roost.wire.content import About
from roost.wire.identity import DeviceEntry, DeviceList
from roost.wire.links import InvitationKind, RelayLink
from roost.wire.sizes import MAX_NAME

WELCOME_WITHIN_MS = 24 * 60 * 60 * 1000


def create(
    work: Work,
    name: str,
    relay: RelayLink | None,
    device_name: str,
    wrap_key: bytes | None,
    carriers: tuple[str, ...] = (),
    networks: tuple[RelayLink, ...] = (),
) -> Me:
    """A new account with this device as its only one. `wrap_key` (32 bytes) wraps the account key. It keeps its
    mailboxes at `relay` and at onion `networks`, or, without any, on this device itself, which is met on `carriers`."""
    check_name(name)
    account = SigningKey.generate(work.entropy)
    me = _make(work, account, account.to_bytes(), name, device_name, wrap_key, linked=True)
    _host(work, relay, carriers, networks)
    return me


def create_waiting(
    work: Work,
    relay: RelayLink | None,
    device_name: str,
    carriers: tuple[str, ...] = (),
    networks: tuple[RelayLink, ...] = (),
) -> InvitationRow:
    """A device that waits for one of the person's others to take it in; the returned invitation's link is its code."""
    device = SigningKey.generate(work.entropy)
    me = _make(work, device, b"", "", device_name, None, linked=False)
    _host(work, relay, carriers, networks)
    return invitations.make(work, InvitationKind.DEVICE, expires_at=work.now + WELCOME_WITHIN_MS, account=me.account)


def _host(work: Work, relay: RelayLink | None, carriers: tuple[str, ...], networks: tuple[RelayLink, ...]) -> None:
    hosts = [link for link in (relay, *networks) if link is not None]
    for rank, link in enumerate(hosts, 1):
        work.put(OwnRelay(link.address.key, link, rank))
    if relay is not None and isinstance(relay.address, DeviceHost):
        carriers = carriers or hosting.carriers_to(relay.address)
    if not hosts or carriers:
        hosting.begin(work, carriers, len(hosts) + 1)


def _make(
    work: Work,
    account: SigningKey,
    account_secret: bytes,
    name: str,
    device_name: str,
    wrap_key: bytes | None,
    *,
    linked: bool,
) -> Me:
    device = SigningKey.generate(work.entropy) if linked else account
    agreement = AgreementSecret.generate(work.entropy)
    entry = DeviceEntry(device.public.raw, agreement.public.raw, work.now // 1000)
    devices = identity.sign_list(account, DeviceList(account.public.raw, 1, identity.FIRST, (entry,)))
    me = Me(
        id=0,
        account=account.public.raw,
        account_secret=wrap_secret(wrap_key, account_secret, work.entropy) if wrap_key else account_secret,
        wrapped=wrap_key is not None,
        device=device.public.raw,
        device_signing=device.to_bytes(),
        device_identity=agreement.to_bytes(),
        device_name=device_name,
        devices=devices,
        about=About(name),
        linked=linked,
        duplicate_key=work.entropy.bytes(32),
        created_at=work.now,
    )
    work.put(me)
    work.put(Contact(me.account, ContactState.SELF, name, work.now, devices=devices))
    return me


def account_key(me: Me, wrap_key: bytes | None) -> SigningKey:
    """The account key. Raises CallerError when the passphrase is missing or wrong."""
    secret = me.account_secret
    if me.wrapped:
        if wrap_key is None:
            raise CallerError(
                "Changing your devices needs the passphrase.", code="passphrase_needed", hint="Give the passphrase."
            )
        try:
            secret = unwrap_secret(wrap_key, secret)
        except CryptoError as error:
            raise CallerError("The passphrase is wrong.", code="wrong_passphrase") from error
    if not secret:
        raise CallerError("This device is not linked yet.", code="not_linked")
    return SigningKey.from_seed(secret)


def rewrap(work: Work, account: SigningKey, wrap_key: bytes | None) -> None:
    """Keep the account key under another passphrase, or under none."""
    secret = account.to_bytes()
    wrapped = wrap_secret(wrap_key, secret, work.entropy) if wrap_key else secret
    work.put(msgspec.structs.replace(work.me, account_secret=wrapped, wrapped=wrap_key is not None))


def check_name(name: str) -> None:
    if not name.strip() or len(name.encode()) > MAX_NAME or not name.isprintable():
        raise CallerError(
            "This name cannot be used.", code="bad_name", hint=f"Use 1 to {MAX_NAME} bytes of printable characters."
        )


def message_id(me: Me, key: str) -> bytes:
    """The message id (16 bytes) that a caller's idempotency key always leads to in this profile."""
    return hashlib.blake2b(key.encode(), digest_size=16, key=me.duplicate_key).digest()
