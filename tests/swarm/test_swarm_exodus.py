"""A few networks of which many nodes go and come back (`python tests/swarm --world exodus` runs many)."""

from __future__ import annotations

import pytest
from swarm_exodus import play

FOUND = (294, 485, 576)  # worlds that once went wrong


@pytest.mark.parametrize("seed", [*range(1, 21), *FOUND])
def test_what_those_who_come_back_hold_is_not_lost(seed: int) -> None:
    play(seed)
