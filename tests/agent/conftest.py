"""Relays for what two people share, through one and through two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.processes import Relay


@pytest.fixture
def relays(tmp_path: Path) -> Iterator[list[Relay]]:
    made = [Relay(tmp_path / f"relay{number}").start() for number in range(2)]
    yield made
    for relay in made:
        relay.close()


@pytest.fixture(params=["central", "federated"])
def at(request: pytest.FixtureRequest, relays: list[Relay]) -> tuple[Relay, Relay]:
    """The relay where the log is, and the other person's."""
    return relays[0], relays[0 if request.param == "central" else 1]
