"""A third of the nodes is killed while messages flow: none is lost, none comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.onion.chaos import chaos


@pytest.mark.timeout(600)
async def test_nodes_are_killed_while_people_write(tmp_path: Path) -> None:
    report = await chaos(tmp_path, 60, 1_000, seed=1)
    assert report.kills >= 3


@pytest.mark.long
@pytest.mark.timeout(1_800)
async def test_nodes_are_killed_for_ten_minutes(tmp_path: Path) -> None:
    report = await chaos(tmp_path, 600, 1_000, seed=2)
    assert report.kills >= 20


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nodes_are_lost_for_good(tmp_path: Path) -> None:
    report = await chaos(tmp_path, 300, 300, seed=3, for_good=True)
    assert report.kills == 3
