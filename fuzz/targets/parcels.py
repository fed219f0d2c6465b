"""Targets of parcels: what two devices tell each other about them, files of them, bodies as an insider seals them, and
a courier among hostile contacts.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto import LARGE_PARCEL, PARCEL_HEAD_SIZE, SMALL_PARCEL, parcel_head, seal_parcel
from roost.errors import WireError
from roost.messaging import accounts, parcels
from roost.messaging.records import (
    CarriedParcel,
    Contact,
    ContactState,
    CourierContact,
    CourierSettings,
    WaitingParcel,
)
from roost.messaging.work import Work
from roost.wire import parcels as wire_parcels
from roost.wire.addresses import RelayAddress
from roost.wire.codec import OutOfBounds, encode
from roost.wire.links import RelayLink
from roost.wire.parcels import NotAParcelFile, Parcel, ParcelFile, ParcelHead, WantParcels
from tests.messaging.harness import MemoryRecords

NOW = 1_790_000_000_000
TODAY = NOW // 86_400_000
MEETINGS = [bytes([number]) * 16 for number in range(1, 5)]
PEOPLE = [bytes([number]) * 32 for number in range(1, 4)]
TOTAL = 2**20
RELAY = RelayLink(RelayAddress("relay.example", 443, bytes(32)))


@cache
def _courier() -> MemoryRecords:
    work = Work(MemoryRecords(), NOW, CountedEntropy())
    accounts.create(work, "Bob", RELAY, "phone", None)
    work.put(CourierSettings(carries=True, total=TOTAL, share=50))
    for account in PEOPLE[:2]:
        work.put(Contact(account, int(ContactState.ACCEPTED), "", NOW))
    return MemoryRecords(
        {(type(row), tuple(getattr(row, name) for name in row.key)): row for row in work.changes().put}
    )


def message(data: bytes) -> None:
    with only(WireError):
        read = wire_parcels.decode_message(data)
        insist(encode(read) == data, "another encoding was accepted")
        insist(wire_parcels.decode_message(encode(read)) == read, "what is encoded does not come back")


def file(data: bytes) -> None:
    """The first byte is the size of the pieces; the second says whether a proper beginning is put before the rest."""
    choices = Choices(data)
    size, whole = 64 * choices.number(1) + 1, b""
    if choices.below(2):
        whole = wire_parcels.file_header(choices.below(3), choices.below(2))
    whole += choices.rest()
    outcomes = []
    for step in (len(whole) or 1, size):
        reader, found = ParcelFile(), []
        try:
            for start in range(0, len(whole), step):
                found += reader.feed(whole[start : start + step])
            outcomes.append((found, reader.finish()))
        except NotAParcelFile:
            outcomes.append(None)
    insist(outcomes[0] == outcomes[1], "piece by piece gives another file")
    if outcomes[0] is not None:
        found, lost = outcomes[0]
        again = ParcelFile()
        insist(
            again.feed(b"".join(wire_parcels.write_file(found))) == found and not again.finish(), "not written again"
        )
        insist(lost >= 0, "fewer than none are lost")


def body(data: bytes) -> None:
    """A body as somebody writes it who shares a meeting: taken as a request, or dropped."""
    work = Work(_courier(), NOW, CountedEntropy())
    sealed = seal_parcel(MEETINGS[0], parcel_head(MEETINGS[0], work.entropy), data[:66_000])
    taken = parcels.take(work, b"", [Parcel(0, TODAY, sealed)], MEETINGS)
    insist(len(taken.mine) + len(taken.dropped) == 1 and not taken.kept, "neither taken nor dropped")
    for one in taken.mine:
        parcels.defer(work, one)
        insist(one.meeting == MEETINGS[0], "another meeting")
        insist([again.request for again in parcels.waiting(work)] in ([], [one.request]), "it waits as something else")
        parcels.settled(work, one)
    insist(not work.find(WaitingParcel), "it waits for ever")


def courier(data: bytes) -> None:
    """Contacts, strangers and files offer, hand over, ask and confirm whatever they like; limits hold."""
    choices, records = Choices(data), _courier()
    work = Work(records, NOW, CountedEntropy())
    for _ in range(24):
        if not choices.left:
            break
        account = (*PEOPLE, b"")[choices.below(4)]
        with only(OutOfBounds):
            (_handed, _offered, _asked)[choices.below(3)](work, choices, account)
        held = work.find(CarriedParcel)
        insist(sum(row.size for row in held) <= TOTAL, "more is carried than may be")
        insist(all(row.hops < 2 and row.expires <= TODAY + 7 for row in held), "it is carried too far or too long")
        insist(all(row.account != PEOPLE[2] for row in held), "a stranger's is carried")
        for row in work.find(CourierContact):
            insist(row.taken <= 16 * 2**20, "too much in a day")


def _handed(work: Work, choices: Choices, account: bytes) -> None:
    found = []
    for _ in range(choices.below(4)):
        large, hops, day = choices.below(8) == 0, choices.below(9), TODAY + choices.below(40) - 5
        head = choices.take(2).ljust(PARCEL_HEAD_SIZE, b"\0")
        if choices.below(2):
            head = parcel_head(MEETINGS[0], work.entropy)
        found.append(Parcel(hops, day, head.ljust(LARGE_PARCEL if large else SMALL_PARCEL, b"\1")))
    taken = parcels.take(work, account, found, MEETINGS)
    insist(not taken.mine, "nobody sealed this")
    insist(len(taken.kept) + len(taken.dropped) == len(found), "a parcel was lost on the way")


def _offered(work: Work, choices: Choices, account: bytes) -> None:
    heads = [
        ParcelHead(choices.take(2).ljust(PARCEL_HEAD_SIZE, b"\0"), bool(choices.below(2)), choices.below(9), TODAY)
        for _ in range(choices.below(4))
    ]
    wanted = parcels.want(work, account, heads, MEETINGS)
    insist({*wanted.own, *wanted.carry} <= {head.id for head in heads}, "it wants what was not offered")


def _asked(work: Work, choices: Choices, account: bytes) -> None:
    offered = parcels.offer(work, account)
    ids = [one.head.id for one in offered]
    insist(ids == sorted(set(ids)), "an offer out of order")
    drawn: list[Any] = [[], [], []]
    for id in ids[:12]:
        drawn[choices.below(3)].append(id)
    wanted = WantParcels(tuple(drawn[0]), tuple(drawn[1]))
    chosen = parcels.answered(work, account, offered, wanted)
    insist(all(parcels.parcel_of(work, one) is not None for one in chosen), "what was offered is gone")
    parcels.took(work, account, chosen, wanted, (*drawn[choices.below(2)], bytes(16)))


TARGETS = (
    Target("parcels-messages", message, "what passes over a link has one encoding; else WireError", structured=0),
    Target("parcels-files", file, "piece by piece gives the same parcels, and as many lost", max_size=12_000),
    Target("parcels-bodies", body, "what an insider seals is a request or dropped", structured=0),
    Target("parcels-courier", courier, "whatever contacts do, a courier's limits hold", max_size=512),
)
