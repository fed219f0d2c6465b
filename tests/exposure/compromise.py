"""What a thief reads who copies one device's ratchet state at a moment, and has every envelope before and after it.

The thief only listens: it follows the conversation with the stolen session as far as that goes. Incoming messages it
opens as the device would; of outgoing ones it derives the keys of the present chain. Everything it can read is counted,
nothing is assumed: what it opens must be the very body that was written.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from roost.crypto import BODY_SIZE, Session, accept
from roost.crypto.envelope import open_body
from roost.crypto.kdf import advance
from roost.crypto.ratchet import SendingChain
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy
from tests.exposure.conversations import KINDS, Letter, Schedule


@dataclass(frozen=True)
class Exposure:
    """Of the messages around one theft, how many can be read.

    `opened`: received before it, whose keys must be gone. `sent`: written before it by the device itself. `late`:
    written before it, not yet arrived: their keys must still be there. `future`: written after it, by either. `healed`:
    how many steps after the theft the last readable one was written, 0 where none was.
    """

    opened: int
    sent: int
    late: int
    future: int
    healed: int


@dataclass(frozen=True)
class Stolen:
    """A device's state as it was just before step `at`."""

    session: Session
    device: int
    at: int


def body(step: int) -> bytes:
    return step.to_bytes(4, "big").ljust(BODY_SIZE, b"\0")


def run(schedule: Schedule, theft: int, device: int, seed: str) -> tuple[Stolen, list[bytes]]:
    """Hold the conversation; the state of `device` before step `theft`, and all envelopes by step."""
    entropy = SeededEntropy(seed)
    sessions: list[Session | None] = [Session.initiate(ALICE.local, BOB.bundle, entropy), None]
    envelopes: list[bytes] = []
    stolen: Stolen | None = None
    under_way: dict[int, list[Letter]] = {}
    for letter in schedule:
        for due in under_way.pop(letter.sent, []):
            _deliver(sessions, 1 - due.writer, envelopes[due.sent], due.sent)
        holder = sessions[device]
        if letter.sent == theft and holder is not None:
            stolen = Stolen(Session.from_bytes(holder.to_bytes()), device, theft)
        writer = sessions[letter.writer]
        assert writer is not None
        sessions[letter.writer], envelope = writer.seal(body(letter.sent), entropy)
        envelopes.append(envelope)
        under_way.setdefault(letter.arrives, []).append(letter)
    assert stolen is not None
    return stolen, envelopes


def _deliver(sessions: list[Session | None], reader: int, envelope: bytes, step: int) -> None:
    session = sessions[reader]
    if session is None:
        accepted = accept(BOB.local, BOB.prekeys, envelope)
        sessions[reader], opened = accepted.session, accepted.body
    else:
        sessions[reader], opened = session.open(envelope)
    assert opened == body(step)


def readable(stolen: Stolen, schedule: Schedule, envelopes: list[bytes]) -> set[int]:
    """The steps whose messages the thief reads."""
    found = _outgoing(stolen, schedule, envelopes)
    session, pending = stolen.session, [letter for letter in schedule if letter.writer != stolen.device]
    while True:  # again from the front while anything opens: what opens may make more of it open
        before = len(pending)
        for letter in tuple(pending):
            try:
                session, opened = session.open(envelopes[letter.sent])
            except CryptoError:
                continue
            assert opened == body(letter.sent)
            found.add(letter.sent)
            pending.remove(letter)
        if len(pending) == before:
            return found


def _outgoing(stolen: Stolen, schedule: Schedule, envelopes: list[bytes]) -> set[int]:
    """What the device itself writes under the chain key that was stolen, tried on everything it ever wrote."""
    chain = stolen.session.sending
    if not isinstance(chain, SendingChain):
        return set()
    found = set()
    key = chain.key
    for _ in range(len(schedule)):
        key, message_key = advance(key)
        for letter in schedule:
            if letter.writer == stolen.device and letter.sent not in found:
                try:
                    assert open_body(message_key, envelopes[letter.sent]) == body(letter.sent)
                except CryptoError:
                    continue
                found.add(letter.sent)
                break
    return found


def measure(kind: str, seed: int) -> Exposure:
    """One conversation of this kind, and one theft at a random moment from either device."""
    chance = random.Random(f"{kind} {seed}")
    schedule = KINDS[kind](chance)
    device, theft = chance.randrange(2), chance.randrange(4, len(schedule) - 10)
    stolen, envelopes = run(schedule, theft, device, f"{kind} {seed}")
    read = readable(stolen, schedule, envelopes)
    counts = Counter(_place(schedule[step], stolen) for step in read)
    last = max((step for step in read if step >= theft), default=theft - 1)
    return Exposure(counts["opened"], counts["sent"], counts["late"], counts["future"], last + 1 - theft)


def _place(letter: Letter, stolen: Stolen) -> str:
    if letter.sent >= stolen.at:
        return "future"
    if letter.writer == stolen.device:
        return "sent"
    return "opened" if letter.arrives <= stolen.at else "late"
