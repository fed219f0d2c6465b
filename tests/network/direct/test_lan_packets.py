"""What the LAN carrier says is DNS to everybody else, and it reads nothing but what it would say itself."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from zeroconf import DNSIncoming, DNSPointer, DNSService, DNSText  # type: ignore[attr-defined]

from roost.network.direct.lan_packets import MAX_PACKET, Said, Service, random_name

SERVICE = Service("_roost._tcp")
NAME = "_roost._tcp.local."
HEX = st.text("0123456789abcdef", min_size=16, max_size=16)
SAID = st.builds(Said, HEX, HEX, st.integers(0, 65_535), st.binary(max_size=1_100), st.booleans())
PLAIN = Said("0123456789abcdef", "fedcba9876543210", 4_444, bytes(range(80)))


@given(SAID)
def test_what_is_said_is_heard(said: Said) -> None:
    packet = SERVICE.say(said)
    assert len(packet) <= MAX_PACKET
    assert SERVICE.heard(packet) == said


@given(SAID)
def test_other_software_reads_it(said: Said) -> None:
    incoming = DNSIncoming(SERVICE.say(said))
    assert incoming.valid
    pointer, service, text = incoming.answers()
    assert isinstance(pointer, DNSPointer)
    assert (pointer.name, pointer.alias) == (NAME, f"{said.instance}.{NAME}")
    assert isinstance(service, DNSService)
    assert (service.name, service.server, service.port) == (pointer.alias, f"{said.host}.local.", said.port)
    assert isinstance(text, DNSText)
    assert (text.name, bool(text.ttl)) == (pointer.alias, not said.leaving)
    size = len(text.text) - (len(said.data) + 254) // 255
    assert size == len(said.data) or not said.data


def test_other_software_reads_the_question() -> None:
    name = random_name()
    incoming = DNSIncoming(SERVICE.ask(name))
    assert incoming.valid
    assert [(question.name, question.type) for question in incoming.questions] == [(f"{name}.{NAME}", 16)]


@given(HEX)
def test_what_is_asked_is_heard(name: str) -> None:
    packet = SERVICE.ask(name)
    assert SERVICE.asked(packet) == name
    assert SERVICE.heard(packet) is None
    assert all(SERVICE.asked(packet[:size]) is None for size in range(len(packet)))
    assert SERVICE.asked(packet.upper()) in (None, name)
    assert SERVICE.asked(packet + b"\0") is None


@given(st.binary(max_size=2_000))
@example(b"")
@example(SERVICE.ask(random_name()))
@example(SERVICE.say(PLAIN) + b"\0")
def test_anything_else_is_nothing(data: bytes) -> None:
    assert SERVICE.heard(data) is None
    assert SERVICE.asked(SERVICE.ask(random_name())[:20] + data) is None
    assert SERVICE.heard(SERVICE.say(PLAIN)[:60] + data) is None


@given(st.data())
def test_what_is_heard_is_what_would_be_said(data: st.DataObject) -> None:
    """A packet of which a few bytes were changed is no packet, or says what its bytes say."""
    packet = bytearray(SERVICE.say(PLAIN))
    for _ in range(data.draw(st.integers(1, 3))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    heard = SERVICE.heard(bytes(packet))
    assert heard is None or SERVICE.say(heard) == bytes(packet)


def test_cut_packets_are_nothing() -> None:
    packet = SERVICE.say(PLAIN)
    assert all(SERVICE.heard(packet[:size]) is None for size in range(len(packet)))


def test_services_do_not_hear_each_other() -> None:
    assert Service("_other._tcp").heard(SERVICE.say(PLAIN)) is None


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        SERVICE.say(Said(random_name(), random_name(), 1, bytes(1_400)))
