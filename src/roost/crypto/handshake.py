"""The handshake's key schedule: hybrid X3DH (the structure of Signal's PQXDH, revision 3) with a hidden initiator.

Byte-exact in docs/protocol/handshake.md. Departures from PQXDH: the initiator's identity travels sealed under a key of
the first two secrets; the hash of the whole transcript salts the root key; no 0xFF prefix, since identity keys never
sign; the ephemeral key doubles as the initiator's first ratchet key, so it serves as signed prekey and one-time key do.
Pure functions from keys to keys: this module decides nothing about messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from roost.crypto.envelope import HandshakeHeader, split_introduction
from roost.crypto.errors import NotForThisSession
from roost.crypto.identity import LocalIdentity, PrekeyBundle, PrekeySecrets
from roost.crypto.kdf import hkdf, transcript
from roost.crypto.kem import KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.labels import Label
from roost.crypto.secret import Secret
from roost.errors import CryptoError


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RootKeys(Secret):
    """What both sides have after the handshake. Header keys are named by who seals under them."""

    session_id: bytes  # 16
    root: bytes
    chain: bytes  # of the initiator's first messages
    initiator_header: bytes  # of the initiator's first ratchet chain
    responder_header: bytes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Initiation(Secret):
    """The initiator's side: `opening` is ephemeral key || ciphertext, `introduction` what is sealed behind it."""

    keys: RootKeys
    header: HandshakeHeader
    opening: bytes
    introduction: bytes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Response(Secret):
    """The responder's side: who asks, and the first ratchet keys of theirs."""

    keys: RootKeys
    header: HandshakeHeader
    account: bytes
    identity: AgreementPublic
    ephemeral: AgreementPublic
    kem: KemPublic
    index: int


def initiate(local: LocalIdentity, bundle: PrekeyBundle, ephemeral: AgreementSecret, kem: KemSecret) -> Initiation:
    """Raises CryptoError: the bundle holds a low-order point or a malformed ML-KEM key, or is this device's own."""
    if bundle.identity == local.identity.public:
        raise CryptoError("a device does not talk to itself")
    secret, ciphertext = bundle.kem.encapsulate()
    opening = ephemeral.public.raw + ciphertext
    first = _first_hash(bundle, opening)
    shared = ephemeral.exchange(bundle.agreement)
    introduction = local.account + local.identity.public.raw + kem.public.raw
    identities = local.identity.exchange(bundle.agreement) + ephemeral.exchange(bundle.identity)
    return Initiation(
        _root_keys(first, introduction, identities, shared, secret),
        _header(first, shared, secret),
        opening,
        introduction,
    )


def respond(
    local: LocalIdentity, prekeys: PrekeySecrets, ephemeral: bytes, ciphertext: bytes, envelope: bytes
) -> Response:
    """Try `envelope`, whose unmasked opening is `ephemeral` and `ciphertext`, as a handshake to these prekeys.

    Raises:
        NotForThisSession: it is none.
        CryptoError: it is one, with keys that are malformed or this device's own.
    """
    ephemeral_key = AgreementPublic(ephemeral)
    try:
        shared = prekeys.agreement.exchange(ephemeral_key)
    except CryptoError as error:
        raise NotForThisSession("not a handshake to these prekeys") from error
    secret = prekeys.kem.decapsulate(ciphertext)
    first = _first_hash(_own_bundle(local, prekeys), ephemeral + ciphertext)
    header = _header(first, shared, secret)
    opened = header.open(envelope)
    if opened is None:
        raise NotForThisSession("not a handshake to these prekeys")
    account, identity_raw, kem_raw = split_introduction(opened)
    identity, kem = AgreementPublic(identity_raw), KemPublic(kem_raw)
    kem.parsed()  # a malformed key is refused now, not when we answer
    if identity == local.identity.public:
        raise CryptoError("a device does not talk to itself")
    identities = prekeys.agreement.exchange(identity) + local.identity.exchange(ephemeral_key)
    keys = _root_keys(first, account + identity_raw + kem_raw, identities, shared, secret)
    return Response(keys, header, account, identity, ephemeral_key, kem, header.index(opened))


def _own_bundle(local: LocalIdentity, prekeys: PrekeySecrets) -> PrekeyBundle:
    return PrekeyBundle(
        local.account,
        local.identity.public,
        prekeys.agreement.public,
        prekeys.kem.public,
        prekeys.mask,
        prekeys.context,
    )


def _first_hash(bundle: PrekeyBundle, opening: bytes) -> bytes:
    keys = bundle.account + bundle.identity.raw + bundle.agreement.raw + bundle.kem.raw
    return transcript(Label.HANDSHAKE, bundle.context, keys, opening)


def _header(first: bytes, shared: bytes, secret: bytes) -> HandshakeHeader:
    return HandshakeHeader(hkdf(Label.HANDSHAKE_KEY, salt=first, secret=shared + secret, length=32))


def _root_keys(first: bytes, introduction: bytes, identities: bytes, shared: bytes, secret: bytes) -> RootKeys:
    whole = transcript(Label.TRANSCRIPT, first, introduction)
    keys = hkdf(Label.ROOT, salt=whole, secret=identities + shared + secret, length=128)
    return RootKeys(whole[:16], keys[:32], keys[32:64], keys[64:96], keys[96:])
