"""Drawing at random from an `Entropy`: a share of one, one of several by weight, a waiting time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from roost.crypto import Entropy

T = TypeVar("T")


def fraction(entropy: Entropy) -> float:
    """Uniform from 0 up to, but not, 1."""
    return (int.from_bytes(entropy.bytes(7), "big") >> 3) / 2**53


def pick(entropy: Entropy, choices: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """One of `choices`, which is not empty, by positive weights."""
    if weights is None:
        return choices[int(fraction(entropy) * len(choices))]
    at = fraction(entropy) * sum(weights)
    for choice, weight in zip(choices, weights, strict=True):
        at -= weight
        if at < 0:
            return choice
    return choices[-1]


def waiting(entropy: Entropy, mean: float) -> float:
    """Exponential: the time between two events of a Poisson process."""
    return -mean * math.log(1.0 - fraction(entropy))
