"""Forward secrecy and healing, measured on the ratchet itself. `python -m tests.exposure` measures more of them."""

from __future__ import annotations

import pytest

from tests.exposure.compromise import Stolen, measure, readable, run
from tests.exposure.conversations import KINDS, STEPS, Letter
from tests.exposure.report import plot, table

THEFTS = 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(THEFTS))
def test_no_message_of_the_past_can_be_read(kind: str, seed: int) -> None:
    """Neither what the device opened nor what it sent; only what is still under way, whose keys it must have."""
    found = measure(kind, seed)
    assert (found.opened, found.sent) == (0, 0)


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize("theft", [10, 11, 30])
def test_a_round_trip_heals(device: int, theft: int) -> None:
    """In turns, at most the two messages that end the round trip under way are readable."""
    schedule = tuple(Letter(step % 2, step, step + 1) for step in range(40))
    stolen, envelopes = run(schedule, theft, device, "round trip")
    assert readable(stolen, schedule, envelopes) <= {theft, theft + 1}


def test_without_an_answer_nothing_heals() -> None:
    """The honest counterpart: whoever only listens or only writes stays exposed until the other side takes a turn."""
    schedule = tuple(Letter(1 if step in (1, 30) else 0, step, step + 1) for step in range(40))
    for device in (0, 1):
        stolen, envelopes = run(schedule, 10, device, "one way")
        read = readable(stolen, schedule, envelopes)
        assert set(range(10, 30)) <= read
        assert max(read) <= (30 if device == 0 else 29), "the answer of step 30 heals"


def test_late_messages_are_what_a_thief_gets_of_the_past() -> None:
    schedule = tuple(
        Letter(step % 2, step, 30 if step == 6 else step + 1) for step in range(40)
    )  # the message of step 6 is late
    before = run(schedule, 20, 1, "late")
    assert 6 in readable(*_with(before, schedule))
    after = run(schedule, 32, 1, "late")
    assert 6 not in readable(*_with(after, schedule))


def _with(
    ran: tuple[Stolen, list[bytes]], schedule: tuple[Letter, ...]
) -> tuple[Stolen, tuple[Letter, ...], list[bytes]]:
    return ran[0], schedule, ran[1]


def test_table_and_plot() -> None:
    measured = {kind: [measure(kind, 0)] for kind in KINDS}
    assert table(measured).count("\n") == 1 + len(KINDS)
    assert plot(measured).count("<circle") == 2 * len(KINDS)
    assert STEPS >= 60
