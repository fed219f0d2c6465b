"""Key packages: mine, one for each account that may add me to groups, and those that others' devices offered to me.

A key package here is a *last resort* in RFC 9420's words: the devices of one account share it, and it is replaced once
it was used, or is a month old, or my list of devices is another one. Old ones stay until no Welcome to them can be on
its way.
"""

from __future__ import annotations

import hashlib

import msgspec

from roost.crypto import VerifyKey, mls
from roost.errors import PeerError
from roost.messaging import outbox
from roost.messaging.groups import states
from roost.messaging.origin import Origin
from roost.messaging.records import Contact, ContactState, KeyPackageRow, OwnKeyPackage, PeerDevice
from roost.messaging.work import Work
from roost.wire.content import encode_content
from roost.wire.groups import KeyPackageOffer

DAY_MS = 86_400_000
LIFE_MS = 90 * DAY_MS
RENEW_AFTER_MS = 30 * DAY_MS
EARLY_MS = DAY_MS  # clocks differ
KEPT_AFTER_MS = 45 * DAY_MS  # longer than any host keeps a Welcome by default
SUITE = mls.MLS_256_XWING


def signer(work: Work) -> mls.SignatureKey:
    return SUITE.signature_key(work.me.device_signing)


def make_secrets(work: Work) -> mls.KeyPackageSecrets:
    """A fresh key package of this device."""
    me = work.me
    credential = mls.DeviceIdentity(VerifyKey(me.account), VerifyKey(me.device)).credential()
    lifetime = mls.Lifetime((work.now - EARLY_MS) // 1000, (work.now + LIFE_MS) // 1000)
    return mls.make_key_package(
        SUITE,
        credential,
        signer(work),
        lifetime,
        work.entropy,
        capabilities=states.CAPABILITIES,
        leaf_extensions=(states.info_extension(states.own_info(work)),),
    )


def _current(work: Work, account: bytes) -> OwnKeyPackage:
    """The key package that this account should hold now."""
    lists = hashlib.sha256(work.me.devices.list).digest()
    held = work.find(OwnKeyPackage, where={"account": account})
    good = [row for row in held if not row.used and row.lists == lists and work.now - row.made_at < RENEW_AFTER_MS]
    if good:
        return max(good, key=lambda row: row.made_at)
    secrets = make_secrets(work)
    return work.put(
        OwnKeyPackage(
            reference=secrets.package.reference(SUITE),
            account=account,
            secrets=secrets.to_bytes(),
            made_at=work.now,
            expires_at=work.now + LIFE_MS + KEPT_AFTER_MS,
            lists=lists,
        )
    )


def offer(work: Work, account: bytes) -> None:
    """Give every device of a contact, or of mine, my current key package, unless it has it."""
    contact = work.get(Contact, account)
    if contact is None or contact.state not in (ContactState.ACCEPTED, ContactState.SELF, ContactState.MEMBER):
        return
    peers = [peer for peer in work.find(PeerDevice, where={"account": account}) if peer.address is not None]
    if not peers:
        return
    mine = _current(work, account)
    fresh = [peer for peer in peers if peer.device not in mine.offered]
    if not fresh:
        return
    content = encode_content(KeyPackageOffer(mls.KeyPackageSecrets.package_of(mine.secrets).encode()))
    for peer in fresh:
        outbox.queue(work, account, peer.device, content)
    here = {peer.device for peer in peers}
    devices = tuple(sorted({*(device for device in mine.offered if device in here), *(p.device for p in fresh)}))
    work.put(msgspec.structs.replace(mine, offered=devices))


def offer_all(work: Work) -> None:
    """Once a day or so: what grew old is replaced."""
    for state in (ContactState.ACCEPTED, ContactState.SELF):
        for contact in work.find(Contact, where={"state": int(state)}):
            offer(work, contact.account)


def start_over(work: Work, account: bytes) -> None:
    """The account's devices may have forgotten what they were given, or hold what this device does not know."""
    for row in work.find(OwnKeyPackage, where={"account": account}):
        if row.offered:
            work.put(msgspec.structs.replace(row, offered=()))


def forget(work: Work, account: bytes) -> None:
    """Nothing more to do with the account."""
    for row in work.find(KeyPackageRow, where={"account": account}):
        work.delete(row)


def received(work: Work, origin: Origin, content: KeyPackageOffer) -> None:
    """A device offers its key package. Raises PeerError for one that is not its own, or that nobody could add."""
    package = mls.KeyPackage.decode(content.package)
    package.check(SUITE)
    who = states.read_leaf(package.leaf)
    lifetime = package.leaf.lifetime
    if (who.account, who.device) != (origin.account, origin.device) or lifetime is None:
        raise PeerError("a key package of somebody else", code="not_allowed")
    lifetime.check(work.now // 1000)
    work.put(KeyPackageRow(who.account, who.device, content.package, work.now, lifetime.not_after * 1000))


def packages_of(work: Work, account: bytes) -> dict[bytes, mls.KeyPackage]:
    """The key packages by device with which an account's devices can be added now."""
    peers = {peer.device for peer in work.find(PeerDevice, where={"account": account})}
    rows = work.find(KeyPackageRow, where={"account": account})
    return {
        row.device: mls.KeyPackage.decode(row.package)
        for row in rows
        if row.expires_at > work.now and row.device in peers
    }


def secrets_for(work: Work, references: set[bytes]) -> mls.KeyPackageSecrets | None:
    """My secrets of the key package that is named, if it is one of mine."""
    for reference in references:
        row = work.get(OwnKeyPackage, reference)
        if row is not None:
            return mls.KeyPackageSecrets.from_bytes(row.secrets, signer(work))
    return None


def spent(work: Work, package: mls.KeyPackage) -> None:
    """It was used: whoever had it gets another."""
    row = work.get(OwnKeyPackage, package.reference(SUITE))
    if row is not None and not row.used:
        work.put(msgspec.structs.replace(row, used=True))
        offer(work, row.account)


def sweep(work: Work) -> None:
    """Forget what nobody can use any more."""
    for mine in work.find(OwnKeyPackage, at_most=("expires_at", work.now)):
        work.delete(mine)
    for theirs in work.find(KeyPackageRow):
        if theirs.expires_at < work.now:
            work.delete(theirs)
