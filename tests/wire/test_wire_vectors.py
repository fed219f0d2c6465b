"""Regression vectors: the bytes of every structure are what they were, and the files say what this code says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roost.wire import ballots, channels, content, groups, identity, links, logs, mailbox, onion, parcels, swarm
from roost.wire.addresses import MailboxAddress, RelayAddress
from roost.wire.codec import Extension, decode, encode
from roost.wire.frames import FrameReader, frame
from roost.wire.padding import pad, unpad
from tests.wire import make_reference, make_vectors
from tests.wire.strategies import ALL_KINDS

STRUCTURES = (
    "identity",
    "contents",
    "requests",
    "responses",
    "frames",
    "logs",
    "channels",
    "groups",
    "parcels",
    "onion",
    "swarm",
)
PARSERS = {
    "RelayLink": links.parse_relay_link,
    "Invitation": links.parse_invitation,
    "ChannelLink": links.parse_channel_link,
    "AuthorityLine": links.parse_authority_line,
}
RENAMED = {"Entry": {"contents": content.Entry, "responses": mailbox.Entry}}  # a conversation's, a mailbox's


def cases(name: str) -> list[dict[str, Any]]:
    return list(json.loads((make_vectors.FOLDER / f"{name}.json").read_text(encoding="utf-8"))["cases"])


def kind_of(name: str, file: str) -> Any:
    if name in RENAMED:
        return RENAMED[name][file]
    for place in (mailbox, content, identity, links, logs, channels, groups, parcels, onion, ballots, swarm):
        if hasattr(place, name):
            return getattr(place, name)
    return {"RelayAddress": RelayAddress, "MailboxAddress": MailboxAddress, "Extension": Extension}[name]


@pytest.mark.parametrize("name", make_vectors.vectors().keys())
def test_the_files_are_what_the_generator_writes(name: str) -> None:
    assert cases(name) == json.loads(json.dumps(make_vectors.vectors()[name]))


@pytest.mark.parametrize("file", STRUCTURES)
def test_structures_decode_to_their_values(file: str) -> None:
    for case in cases(file):
        encoded = make_vectors.joined(case["encoded"])
        value = decode(kind_of(case["value"]["structure"], file), encoded)
        assert make_vectors.readable(value) == case["value"]
        assert encode(value) == encoded


def test_every_structure_has_a_vector() -> None:
    shown = {case["value"]["structure"] for file in (*STRUCTURES, "links") for case in cases(file)}
    inside_others = {"Span", "Attachment", "MediaFacts", "BlobPointer", "Grant", "Needs"}
    inside_others |= {"_RelayTail", "_HomeTail", "_NetworkTail"}  # shown as links
    assert {kind.__name__ for kind in ALL_KINDS} <= shown | inside_others


def test_the_reference_is_what_the_code_says() -> None:
    assert make_reference.TARGET.read_text(encoding="utf-8") == make_reference.reference()


def test_links_parse_to_their_values() -> None:
    for case in cases("links"):
        parse = PARSERS[case["value"]["structure"]]
        link = parse(case["link"])
        assert make_vectors.readable(link) == case["value"]
        assert str(link) == case["link"]


def test_frames_on_a_stream() -> None:
    for case in cases("stream"):
        body, framed = make_vectors.joined(case["body"]), make_vectors.joined(case["frame"])
        assert frame(body) == framed
        assert FrameReader().feed(framed) == [body]


def test_padding() -> None:
    for case in cases("padding"):
        data, padded = make_vectors.joined(case["data"]), make_vectors.joined(case["padded"])
        assert pad(data, case["size"]) == padded
        assert unpad(padded) == data


def test_files_of_parcels() -> None:
    for case in cases("parcel_files"):
        reader = parcels.ParcelFile()
        assert [parcel.id.hex() for parcel in reader.feed(make_vectors.joined(case["file"]))] == case["parcels"]
        assert reader.finish() == case["lost"]
