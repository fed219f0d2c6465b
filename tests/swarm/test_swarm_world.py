"""A few tens of simulated onion networks (`python tests/swarm` runs many)."""

from __future__ import annotations

import pytest
from swarm_world import play

FOUND = (3273,)  # worlds that once went wrong


@pytest.mark.parametrize("seed", [*range(1, 41), *FOUND])
def test_nothing_acknowledged_is_lost(seed: int) -> None:
    play(seed)
