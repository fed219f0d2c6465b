"""Conversations between two devices as plain schedules: who writes when, and when each envelope arrives.

A step is a moment at which one message is written, after everything that is due has arrived.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

STEPS = 120


@dataclass(frozen=True)
class Letter:
    """The message written at step `sent` by `writer` (0 or 1), opened by the other at step `arrives`."""

    writer: int
    sent: int
    arrives: int


Schedule = tuple[Letter, ...]


def one_way(_: random.Random) -> Schedule:
    """After a first exchange only one of the two writes."""
    return tuple(Letter(1 if step == 1 else 0, step, step + 1) for step in range(STEPS))


def ping_pong(_: random.Random) -> Schedule:
    """Turn by turn, each answered before the next."""
    return tuple(Letter(step % 2, step, step + 1) for step in range(STEPS))


def at_random(chance: random.Random) -> Schedule:
    """Either writes at any time; three in ten are late by up to six steps, one in twenty by up to forty."""
    return tuple(
        Letter(chance.randrange(2) if step > 1 else step, step, step + (_lateness(chance) if step > 1 else 1))
        for step in range(STEPS)
    )


def long_offline(_: random.Random) -> Schedule:
    """The second device is away for two thirds of the time while the first one writes; then they take turns again."""
    away = range(STEPS // 6, STEPS * 5 // 6)
    return tuple(
        Letter(0, step, away.stop) if step in away else Letter(step % 2, step, step + 1) for step in range(STEPS)
    )


KINDS: dict[str, Callable[[random.Random], Schedule]] = {
    "one-way": one_way,
    "ping-pong": ping_pong,
    "random": at_random,
    "long offline": long_offline,
}


def _lateness(chance: random.Random) -> int:
    drawn = chance.random()
    if drawn < 0.05:
        return chance.randrange(7, 41)
    return chance.randrange(2, 7) if drawn < 0.35 else 1
