"""Hosts have one spelling, so that a link's checksum and a check for private addresses see what a resolver would."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.wire.addresses import RelayAddress, canonical_host
from roost.wire.codec import OutOfBounds, decode, encode
from roost.wire.sizes import MAX_HOST
from tests.wire.strategies import hosts


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Relay.Example.ORG", "relay.example.org"),
        ("relay.example.org.", "relay.example.org"),
        (" localhost ", "localhost"),
        ("roost_relay", "roost_relay"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:db8::0001", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
    ],
)
def test_hosts_have_one_spelling(written: str, canonical: str) -> None:
    assert canonical_host(written) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "a b",
        "a/b",
        "user@host",
        "host:1",
        "host\x00",
        "host%00",
        "127.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "fe80::1%eth0",
        "[::1",
        "::g",
        "a" * 64 + ".example",
        "x." * 64 + "y",
    ],
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(OutOfBounds):
        canonical_host(written)


@given(hosts)
def test_canonical_hosts_stay_as_they_are(host: str) -> None:
    assert canonical_host(host) == host
    assert canonical_host(host.upper()) == host


@given(st.text(max_size=40))
def test_any_text_has_a_canonical_form_or_is_refused(text: str) -> None:
    with contextlib.suppress(OutOfBounds):
        host = canonical_host(text)
        assert canonical_host(host) == host
        assert host.isascii()
        assert 0 < len(host) <= MAX_HOST


@pytest.mark.parametrize("host", ["Relay.example", "relay.example.", "[::1]", "::0001", "127.1", ""])
def test_addresses_with_other_spellings_are_refused(host: str) -> None:
    with pytest.raises(OutOfBounds):
        RelayAddress(host, 443, bytes(32))
    good = encode(RelayAddress("x" * len(host), 443, bytes(32))) if host else encode(RelayAddress("x", 443, bytes(32)))
    wrong = good.replace(b"x" * len(host), host.encode()) if host else good.replace(b"\xa1x", b"\xa0")
    with pytest.raises(WireError):
        decode(RelayAddress, wrong)


@pytest.mark.parametrize("fingerprint", [b"\x01", bytes(31)])
def test_a_fingerprint_is_whole_or_absent(fingerprint: bytes) -> None:
    with pytest.raises(OutOfBounds):
        RelayAddress("relay.example", 443, bytes(32), fingerprint)


@pytest.mark.parametrize(
    ("host", "endpoint"), [("relay.example", "relay.example:443"), ("::1", "[::1]:443"), ("192.0.2.1", "192.0.2.1:443")]
)
def test_endpoints_bracket_ipv6(host: str, endpoint: str) -> None:
    assert RelayAddress(host, 443, bytes(32)).endpoint == endpoint
