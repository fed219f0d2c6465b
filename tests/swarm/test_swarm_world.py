"""A few tens of simulated onion networks (`python tests/swarm` runs many)."""

from __future__ import annotations

import pytest
from swarm_world import play


@pytest.mark.parametrize("seed", range(1, 41))
def test_nothing_acknowledged_is_lost(seed: int) -> None:
    play(seed)
