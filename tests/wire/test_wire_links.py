"""Links survive copying, and a mistyped or cut-off one is always told apart from a good one."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire.addresses import RelayAddress
from roost.wire.links import (
    AuthorityLine,
    ChannelLink,
    Invitation,
    InvitationKind,
    MalformedLink,
    RelayLink,
    parse_authority_line,
    parse_channel_link,
    parse_invitation,
    parse_relay_link,
)
from tests.wire.strategies import values

relay_links = values(RelayLink)
invitations = values(Invitation)
typed = st.sampled_from(string.ascii_letters + string.digits + string.punctuation + " \t\nüΩ")


@given(relay_links)
def test_relay_links_come_back(link: RelayLink) -> None:
    assert parse_relay_link(str(link)) == link
    assert str(parse_relay_link(f"  {link}\n")) == str(link)


@given(invitations)
def test_invitations_come_back(invitation: Invitation) -> None:
    payload = str(invitation).removeprefix("roost:")
    for text in (str(invitation), f"\n{invitation} ", f"ROOST:{payload}", f"https://roost.example/x?y#{payload}"):
        assert parse_invitation(text) == invitation


@given(relay_links, st.data())
def test_a_changed_character_of_a_relay_link_is_noticed(link: RelayLink, data: st.DataObject) -> None:
    """Or changes nothing: capitals in scheme and host mean the same."""
    text = str(link)
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = text[:place] + data.draw(typed) + text[place + 1 :]
    with contextlib.suppress(MalformedLink):
        assert parse_relay_link(wrong) == link
        assert wrong.lower() == text.lower() or wrong.strip() == text


@given(invitations, st.data())
def test_a_changed_character_of_an_invitation_is_noticed(invitation: Invitation, data: st.DataObject) -> None:
    text = str(invitation)
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = text[:place] + data.draw(typed) + text[place + 1 :]
    with contextlib.suppress(MalformedLink):
        assert parse_invitation(wrong) == invitation
        assert wrong.lower() == text.lower()


@given(relay_links, invitations, st.data())
def test_cut_off_links_are_noticed(link: RelayLink, invitation: Invitation, data: st.DataObject) -> None:
    relay, person = str(link), str(invitation)
    with pytest.raises(MalformedLink):
        parse_relay_link(relay[: data.draw(st.integers(0, len(relay) - 1))])
    with pytest.raises(MalformedLink):
        parse_invitation(person[: data.draw(st.integers(0, len(person) - 1))])


@given(invitations, st.data())
def test_swapped_and_doubled_characters_are_noticed(invitation: Invitation, data: st.DataObject) -> None:
    text = str(invitation)
    place = data.draw(st.integers(6, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    for wrong in (swapped, text[:place] + text[place] + text[place:], text[:place] + text[place + 1 :]):
        if wrong != text:
            with pytest.raises(MalformedLink):
                parse_invitation(wrong)


@given(st.text(max_size=200))
def test_any_text_only_raises_our_error(text: str) -> None:
    for parse in (parse_relay_link, parse_invitation, parse_channel_link):
        for prefix in ("", "roost:", "roost-relay://", "roost-relay://h:1/", "https://x/#"):
            with contextlib.suppress(MalformedLink):
                parse(prefix + text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "roost-relay:",
        "roost-relay://",
        "roost-relay://relay.example",
        "roost-relay://relay.example:443",
        "roost-relay://relay.example:443/",
        "roost-relay://relay.example:0443/AAAA",
        "roost-relay://:443/AAAA",
        "https://relay.example/",
        "roost:",
        "x" * 3_000,
    ],
)
def test_what_is_no_relay_link_says_so(text: str) -> None:
    with pytest.raises(MalformedLink) as caught:
        parse_relay_link(text)
    assert caught.value.code == "malformed_link"
    assert caught.value.message
    assert caught.value.hint


def test_a_relay_link_given_as_invitation_is_named() -> None:
    link = RelayLink(RelayAddress("relay.example", 443, bytes(32)))
    with pytest.raises(MalformedLink, match="relay's link"):
        parse_invitation(str(link))


@pytest.mark.parametrize("host", ["relay.example", "192.0.2.7", "2001:db8::7"])
def test_links_are_short_enough_for_a_qr_code(host: str) -> None:
    relay = RelayAddress(host, 443, bytes(32))
    assert len(str(RelayLink(relay, "a" * 26))) <= 140
    assert len(str(Invitation(1, InvitationKind.REUSABLE, relay, bytes(16), bytes(16)))) <= 140


def test_the_host_and_port_are_covered_by_the_checksum() -> None:
    text = str(RelayLink(RelayAddress("relay.example", 443, bytes(32)), "secret"))
    for wrong in (text.replace(":443", ":444"), text.replace("relay.example", "relay.exemple")):
        with pytest.raises(MalformedLink):
            parse_relay_link(wrong)


@given(values(ChannelLink), st.data())
def test_channel_links_survive_copying_and_show_typing_errors(link: ChannelLink, data: st.DataObject) -> None:
    text = str(link)
    payload = text.partition(":")[2]
    for written in (text, f" {text}\n", f"ROOST-Channel:{payload}", f"https://roost.example/#{payload}"):
        assert parse_channel_link(written) == link
    place = data.draw(st.integers(len("roost-channel:"), len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_"))
    if text[place] != other:
        with pytest.raises(MalformedLink):
            parse_channel_link(text[:place] + other + text[place + 1 :])
    with pytest.raises(MalformedLink):
        parse_channel_link(text[: data.draw(st.integers(0, len(text) - 1))])
    with pytest.raises(MalformedLink):
        parse_invitation(text)


@given(values(AuthorityLine), st.data())
def test_authorities_lines_survive_copying_and_show_typing_errors(line: AuthorityLine, data: st.DataObject) -> None:
    text = str(line)
    assert parse_authority_line(f" {text}\n") == line
    place = data.draw(st.integers(len("roost-authority:"), len(text) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_"))
    if text[place] != other:
        with pytest.raises(MalformedLink):
            parse_authority_line(text[:place] + other + text[place + 1 :])
    with pytest.raises(MalformedLink):
        parse_relay_link(text)
