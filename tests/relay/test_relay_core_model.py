"""The relay's rules against a model simple enough to be seen to be right: any order of requests, crashes and days."""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from relay_core import (
    DAY,
    CoreRelay,
    blob_data,
    capability,
    code,
    create,
    envelope,
    grant,
    hold,
    name32,
)

from roost.crypto import capability_hash
from roost.relay.core.limits import Limits
from roost.relay.storage import MemoryEngine
from roost.wire.mailbox import (
    BlobData,
    ChangeGrants,
    Delete,
    Entries,
    Get,
    GetBlob,
    MailboxKind,
    Needs,
    Put,
    PutBlob,
    Right,
    Seal,
    Stored,
    Trim,
)

BOXES = st.sampled_from(["a", "b"])
TEXTS = st.integers(0, 12).map(str)
HOLDS = st.sampled_from(["h", "i"])
BLOBS = st.sampled_from(["0", "1", "2"])
QUOTA = 8


@dataclass
class Letter:
    number: int
    text: str
    day: int
    holds: tuple[str, ...]


@dataclass
class Box:
    letters: list[Letter] = field(default_factory=list)
    gone: dict[str, int] = field(default_factory=dict)
    holds: dict[str, tuple[int, set[str]]] = field(default_factory=dict)
    sealed: bool = False
    writers: set[str] = field(default_factory=lambda: {"put"})

    def release(self, letter: Letter) -> None:
        self.letters.remove(letter)
        for name in letter.holds:
            if not any(name in other.holds for other in self.letters):
                self.holds.pop(name, None)


class RelayModel(RuleBasedStateMachine):
    """What a mailbox holds, in plain lists."""

    @initialize()
    def start(self) -> None:
        limits = Limits(mailbox_envelopes=QUOTA, reserve_sixteenths=0, envelope_days=3)
        self.relay = CoreRelay(MemoryEngine(), limits)
        self.boxes: dict[str, Box] = {}
        self.highest = 0

    @property
    def today(self) -> int:
        return int(self.relay.now // DAY)

    @rule(name=BOXES)
    def create(self, name: str) -> None:
        assert code(self.relay.ask(create(name, MailboxKind.SHARED))) == "Done"
        self.boxes.setdefault(name, Box())

    @rule(name=BOXES, text=TEXTS, needs=st.sets(HOLDS, max_size=2), count=st.integers(1, 3), who=st.sampled_from("pq"))
    def put(self, name: str, text: str, needs: set[str], count: int, who: str) -> None:
        writer = "put" if who == "p" else "second"
        wanted = tuple(Needs(hold(need), count) for need in sorted(needs))
        answer = self.relay.ask(Put(capability(f"{name} {writer}"), envelope(text), needs=wanted))
        box = self.boxes.get(name)
        if box is None or writer not in box.writers:
            assert code(answer) == "denied"
            return
        known = next((letter.number for letter in box.letters if letter.text == text), None)
        if known is not None:
            assert answer == Stored(known)
        elif code(answer) == "Stored" and answer == Stored(box.gone.get(text, -1)):
            pass  # recognised although it was trimmed: allowed, for as long as the relay remembers
        elif box.sealed:
            assert code(answer) == "sealed"
        elif any(need not in box.holds or len(box.holds[need][1]) < count for need in needs):
            assert code(answer) == "blobs_missing"
        elif len(box.letters) >= QUOTA:
            assert code(answer) == "full"
        else:
            assert isinstance(answer, Stored)
            assert answer.entry > max([0, *(letter.number for letter in box.letters), *box.gone.values()])
            box.letters.append(Letter(answer.entry, text, self.today, tuple(sorted(needs))))

    @rule(name=BOXES, after=st.integers(0, 10), limit=st.integers(1, 24))
    def get(self, name: str, after: int, limit: int) -> None:
        box = self.boxes.get(name)
        numbers = sorted(letter.number for letter in box.letters) if box else []
        cursor = numbers[after] if after < len(numbers) else 0
        answer = self.relay.ask(Get(capability(f"{name} get"), cursor, limit))
        if box is None:
            assert code(answer) == "denied"
            return
        assert isinstance(answer, Entries)
        expected = [(letter.number, envelope(letter.text)) for letter in box.letters if letter.number > cursor]
        assert [(entry.number, entry.envelope) for entry in answer.entries] == expected[:limit]
        assert answer.more == (len(expected) > limit)

    @rule(name=BOXES, upto=st.integers(0, 10), kept=st.sets(st.integers(0, 10), max_size=3))
    def trim(self, name: str, upto: int, kept: set[int]) -> None:
        box = self.boxes.get(name, Box())
        numbers = [letter.number for letter in box.letters]
        last = numbers[upto] if upto < len(numbers) else 2**40
        keep = tuple(sorted(numbers[index] for index in kept if index < len(numbers)))
        answer = self.relay.ask(Trim(capability(f"{name} admin"), last, keep))
        assert code(answer) == ("Done" if name in self.boxes else "denied")
        for letter in list(box.letters):
            if letter.number <= last and letter.number not in keep:
                box.release(letter)
                box.gone[letter.text] = letter.number

    @rule(name=BOXES, into=HOLDS, blob=BLOBS)
    def put_blob(self, name: str, into: str, blob: str) -> None:
        request = PutBlob(capability(f"{name} put"), hold(into), name32(into + blob), blob_data(blob))
        answer = code(self.relay.ask(request))
        box = self.boxes.get(name)
        if box is None or "put" not in box.writers:
            assert answer == "denied"
            return
        held = box.holds.get(into, (0, set()))[1]
        if box.sealed and blob not in held:
            assert answer == "sealed"
        else:
            assert answer == "Done"
            box.holds[into] = (self.today, held | {blob})

    @rule(name=BOXES, into=HOLDS, blob=BLOBS)
    def get_blob(self, name: str, into: str, blob: str) -> None:
        answer = self.relay.ask(GetBlob(capability(f"{name} get"), name32(into + blob)))
        box = self.boxes.get(name)
        if box is None:
            assert code(answer) == "denied"
        elif blob in box.holds.get(into, (0, set()))[1]:
            assert answer == BlobData(blob_data(blob))
        else:
            assert code(answer) == "not_found"

    @rule(name=BOXES)
    def change_writers(self, name: str) -> None:
        box = self.boxes.get(name)
        leaving, coming = ("put", "second") if box is None or "put" in box.writers else ("second", "put")
        gone = (capability_hash(capability(f"{name} {leaving}")),)
        request = ChangeGrants(capability(f"{name} admin"), (grant(f"{name} {coming}", Right.PUT),), gone)
        assert code(self.relay.ask(request)) == ("denied" if box is None else "Done")
        if box is not None:
            box.writers = {coming}

    @precondition(lambda self: self.boxes)
    @rule(name=BOXES)
    def seal(self, name: str) -> None:
        assert code(self.relay.ask(Seal(capability(f"{name} admin")))) == ("Done" if name in self.boxes else "denied")
        if name in self.boxes:
            self.boxes[name].sealed = True

    @precondition(lambda self: self.boxes)
    @rule(name=BOXES)
    def delete(self, name: str) -> None:
        answer = code(self.relay.ask(Delete(capability(f"{name} admin"))))
        assert answer == ("Done" if self.boxes.pop(name, None) else "denied")

    @rule(hours=st.integers(1, 40))
    def time_passes(self, hours: int) -> None:
        self.relay.now += hours * 3_600
        self.relay.sweep()
        for box in self.boxes.values():
            for letter in [letter for letter in box.letters if letter.day < self.today - 3]:
                box.release(letter)
                box.gone[letter.text] = letter.number
            needed = {name for letter in box.letters for name in letter.holds}
            for name, (day, _) in list(box.holds.items()):
                if name not in needed and day < self.today - 1:
                    del box.holds[name]

    @rule()
    def crash(self) -> None:
        self.relay.crash()

    @rule()
    def forget_what_is_idle(self) -> None:
        self.relay.desk.shelf.shrink(0, 0)

    @invariant()
    def the_ledger_is_right(self) -> None:
        if not hasattr(self, "relay"):
            return
        totals = self.relay.reader.totals()
        assert totals.entries == sum(len(box.letters) for box in self.boxes.values())
        assert totals.blobs == sum(len(blobs) for box in self.boxes.values() for _, blobs in box.holds.values())
        counted = self.relay.desk.ledger.used
        self.relay.desk.recount(totals)
        assert self.relay.desk.ledger.used == counted


TestRelayModel = RelayModel.TestCase
TestRelayModel.settings = settings(max_examples=150, stateful_step_count=40)
