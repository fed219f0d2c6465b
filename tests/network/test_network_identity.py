"""Who may call itself the relay that a link names."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from roost.crypto import Label, SigningKey
from roost.network import (
    SYSTEM_ENTROPY,
    NotARelay,
    RelayKeyChanged,
    RelayTooNew,
    ShownCertificate,
    prove,
    read_info,
)
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import Extension, decode, encode
from tests.network.tiny_relay import TinyRelay, make_certificate


@pytest.fixture(scope="module")
def relay() -> TinyRelay:
    return TinyRelay()


def test_the_right_relay(relay: TinyRelay) -> None:
    info = prove(relay.signed_info(), relay.address, ShownCertificate(relay.der))
    assert info.key == relay.key.public.raw


def test_another_certificate_is_someone_in_between(relay: TinyRelay) -> None:
    other, _ = make_certificate()
    with pytest.raises(RelayKeyChanged, match="between"):
        prove(relay.signed_info(), relay.address, ShownCertificate(other))


def test_a_proxys_certificate_counts_when_the_link_names_it(relay: TinyRelay) -> None:
    proxy, _ = make_certificate()
    address = msgspec.structs.replace(relay.address, tls_fingerprint=hashlib.sha256(proxy).digest())
    assert prove(relay.signed_info(), address, ShownCertificate(proxy)).key == address.key
    assert prove(relay.signed_info(), address, ShownCertificate(relay.der)).key == address.key
    another, _ = make_certificate()
    with pytest.raises(RelayKeyChanged, match="certificate"):
        prove(relay.signed_info(), address, ShownCertificate(another))


def test_a_relay_behind_a_proxy_may_have_no_tls_key(relay: TinyRelay) -> None:
    info = encode(msgspec.structs.replace(decode(m.RelayInfo, relay.signed_info().info), tls_key_hash=b""))
    signed = m.SignedInfo(info, relay.key.sign(Label.RELAY_INFO, info))
    with pytest.raises(RelayKeyChanged):
        prove(signed, relay.address, ShownCertificate(relay.der))


def test_another_relay_is_told_from_what_is_none(relay: TinyRelay) -> None:
    other = TinyRelay()
    with pytest.raises(RelayKeyChanged, match="another key"):
        read_info(other.signed_info(), relay.key.public.raw)
    forged = m.SignedInfo(relay.signed_info().info, bytes(64))
    with pytest.raises(NotARelay):
        read_info(forged, relay.key.public.raw)
    with pytest.raises(NotARelay):
        read_info(m.SignedInfo(b"nonsense", bytes(64)), relay.key.public.raw)


def test_a_signature_under_another_label_does_not_count(relay: TinyRelay) -> None:
    info = relay.signed_info().info
    with pytest.raises(NotARelay):
        read_info(m.SignedInfo(info, relay.key.sign(Label.CARD, info)), relay.key.public.raw)


def test_a_statement_about_another_relay_is_refused(relay: TinyRelay) -> None:
    info = TinyRelay().signed_info().info
    with pytest.raises(RelayKeyChanged):
        read_info(m.SignedInfo(info, relay.key.sign(Label.RELAY_INFO, info)), relay.key.public.raw)


def test_a_newer_relay_that_still_speaks_this_version_is_welcome() -> None:
    relay = TinyRelay()
    relay.info_changes = {"version": m.PROTOCOL_VERSION + 1, "extensions": (Extension(7, b"new"),)}
    assert read_info(relay.signed_info(), relay.key.public.raw).version == 2


@pytest.mark.parametrize("more", [(), (1, 2)])
def test_a_relay_of_the_future_is_named_as_such(more: tuple[int, ...]) -> None:
    key = SigningKey.generate(SYSTEM_ENTROPY)
    info = encode((m.PROTOCOL_VERSION + 1, key.public.raw, *more))
    with pytest.raises(RelayTooNew):
        read_info(m.SignedInfo(info, key.sign(Label.RELAY_INFO, info)), key.public.raw)


def test_signed_nonsense_is_no_relay() -> None:
    key = SigningKey.generate(SYSTEM_ENTROPY)
    for info in (b"", b"\xc1", encode(("x",)), encode((1, 2)), encode(())):
        with pytest.raises(NotARelay):
            read_info(m.SignedInfo(info, key.sign(Label.RELAY_INFO, info)), key.public.raw)


def test_a_broken_certificate_is_no_relay(relay: TinyRelay) -> None:
    with pytest.raises(NotARelay):
        prove(relay.signed_info(), relay.address, ShownCertificate(b"no certificate"))


def test_errors_name_nobody(relay: TinyRelay) -> None:
    address = RelayAddress("secret.example", 4_430, relay.key.public.raw)
    with pytest.raises(RelayKeyChanged) as caught:
        prove(TinyRelay().signed_info(), address, ShownCertificate(relay.der))
    assert "secret.example" not in str(caught.value) + caught.value.hint
