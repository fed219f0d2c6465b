"""Attachments by parcels: each blob in one of its own; the message comes when all of them have."""

from __future__ import annotations

import pytest

from roost.messaging import conversations, floors, parcels
from roost.messaging.files import LocalFile
from roost.messaging.parcels.files import MAX_BLOBS
from roost.messaging.records import FileState, Outbox, OutboxState, StoredFile, WaitingParcel
from roost.wire.content import Attachment, Floor, Text
from roost.wire.mailbox import PutBlob
from tests.messaging.harness import Device, World
from tests.messaging.parcel_world import (
    DAY_MS,
    FILE,
    carried,
    courier_between,
    export,
    hand_over,
    read,
    take_in,
)

BLOBS = 3
SIZE = BLOBS * 65_000


@pytest.fixture
def people() -> tuple[Device, Device, Device]:
    return courier_between(World())


def send_file(writer: Device, to: Device, size: int = SIZE) -> None:
    text = Text("a picture", attachments=(Attachment("a.jpg", size, "image/jpeg", bytes(32)),))
    local = LocalFile("ab" * 16, b"k" * 32, size)
    writer.do(conversations.say, to.account, text, id=writer.entropy.bytes(16), local_files=(local,))
    writer.say(to.account, "and a word")
    writer.world.settle()
    writer.world.wait(120_000)
    writer.world.settle()


def rows(writer: Device, to: Device) -> list[Outbox]:
    return writer.work().find(Outbox, where={"account": to.account}, order="number")


def test_a_file_travels_with_its_message(people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    send_file(alice, carol)
    assert {row.state for row in rows(alice, carol)} == {OutboxState.QUEUED}  # its blobs are nowhere yet
    met = hand_over(alice, bob, with_files=True)
    assert sorted(len(parcel.sealed) for parcel in met.parcels) == [5_120] * 2 + [66_560] * BLOBS
    assert {one.head.large for one in met.offered} == {False, True}
    assert hand_over(alice, bob, with_files=True).offered == []
    brought = hand_over(bob, carol)
    assert [isinstance(one.request, PutBlob) for one in brought.taken.mine] == [True] * BLOBS + [False] * 2
    carol.world.settle()
    assert carol.texts(alice.account) == ["a picture\na.jpg", "and a word"]
    (file,) = carol.work().find(StoredFile)
    assert file.state == FileState.REMOTE
    ((hold, stored),) = carol.blobs.items()  # type: ignore[attr-defined]
    assert file.pointer is not None
    assert (hold, len(stored)) == (file.pointer.hold, file.pointer.blobs)
    assert not carried(bob)


def test_a_message_waits_until_its_blobs_have_come(people: tuple[Device, Device, Device]) -> None:
    alice, _, carol = people
    send_file(alice, carol)

    def made(work, large: bool):  # type: ignore[no-untyped-def]
        found = [one for one in parcels.to_export(work, with_files=True) if one.head.large is large]
        return [parcels.parcel_of(work, one, b"b" * 65_536 if large else b"") for one in found]

    take_in(carol, FILE, alice.do(made, False))
    carol.world.settle()
    assert carol.texts(alice.account) == []
    assert len(carol.work().find(WaitingParcel)) == 1
    first, *others = alice.do(made, True)
    take_in(carol, FILE, [first])
    assert carol.texts(alice.account) == []
    take_in(carol, FILE, others)
    assert not carol.work().find(WaitingParcel)
    carol.world.settle()
    take_in(carol, FILE, alice.do(made, False))
    carol.world.settle()
    assert carol.texts(alice.account) == ["a picture\na.jpg", "and a word"]


def test_what_waits_in_vain_is_forgotten(people: tuple[Device, Device, Device]) -> None:
    alice, _, carol = people
    send_file(alice, carol)
    hand = alice.do(lambda work: [parcels.parcel_of(work, one) for one in _small(work)])
    take_in(carol, FILE, hand)
    assert carol.work().find(WaitingParcel)
    carol.world.wait(9 * DAY_MS)
    carol.do(parcels.tick)
    assert not carol.work().find(WaitingParcel)


def _small(work):  # type: ignore[no-untyped-def]
    return [one for one in parcels.to_export(work, with_files=True) if not one.head.large]


def test_without_files_nothing_is_sealed_before_its_time(people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    send_file(alice, carol)
    assert hand_over(alice, bob).offered == []
    assert read(export(alice)) == []
    assert {row.state for row in rows(alice, carol)} == {OutboxState.QUEUED}


def test_what_is_too_large_waits_for_another_way(people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    send_file(alice, carol, (MAX_BLOBS + 1) * 65_516)
    assert hand_over(alice, bob, with_files=True).offered == []


def test_a_floor_keeps_files_too(people: tuple[Device, Device, Device]) -> None:
    alice, bob, carol = people
    alice.do(floors.set_floor, carol.account, Floor.ONION)
    alice.world.settle()
    hand_over(alice, bob, with_files=True)
    send_file(alice, carol)
    assert [one for one in hand_over(alice, bob, with_files=True).offered if one.head.large] == []
    assert carol.work().find(StoredFile) == []
