"""Steps that share a commit: each succeeds or fails alone, the disk's failure is everybody's, and closing loses
nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.agent.engine import NOTE_WITHIN_S, Engine
from roost.agent.service import Service, create_profile
from roost.errors import CallerError, SurroundingsError
from roost.messaging.records import Setting
from roost.messaging.work import Work
from roost.network import SYSTEM_ENTROPY
from roost.store import ProfileFolder, Unprotected
from tests.apps.processes import Relay


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with contextlib.closing(ProfileFolder.create(tmp_path / "profile", Unprotected(), SYSTEM_ENTROPY)) as profile:
        yield Engine(profile, SYSTEM_ENTROPY)


def put(work: Work, name: str, size: int = 1) -> str:
    work.put(Setting(name, bytes(size)))
    return name


def fail(work: Work) -> None:
    work.put(Setting("failed", b""))
    raise CallerError("No.", code="no")


def names(engine: Engine) -> list[str]:
    return sorted(row.name for row in engine.look().find(Setting))


async def test_a_step_that_fails_changes_nothing_and_harms_no_other(engine: Engine) -> None:
    steps = (engine.submit(put, "a"), engine.submit(fail), engine.note(put, "b"), engine.submit(put, "c"))
    first, second, third, fourth = await asyncio.gather(*steps, return_exceptions=True)
    assert (first, third, fourth) == ("a", "b", "c")
    assert isinstance(second, CallerError)
    assert names(engine) == ["a", "b", "c"]


async def test_what_was_noted_is_committed_after_a_moment_and_with_what_comes_first(engine: Engine) -> None:
    assert await engine.note(put, "alone") == "alone"
    noted = asyncio.create_task(engine.note(put, "with it"))
    await asyncio.sleep(0)
    assert names(engine) == ["alone"]
    await engine.submit(put, "first")
    assert names(engine) == ["alone", "first", "with it"]
    assert await noted == "with it"
    await asyncio.sleep(NOTE_WITHIN_S * 2)  # the moment is over: nothing is left to do
    assert await engine.note(put, "later") == "later"


async def test_a_full_disk_fails_all_of_a_commit_and_nothing_after_it(engine: Engine) -> None:
    database = engine.profile.store._database
    database.rows(f"PRAGMA max_page_count = {database.rows('PRAGMA page_count')[0][0] + 5}")
    steps = (engine.submit(put, "small"), engine.submit(put, "large", 100_000), engine.submit(put, "another"))
    results = await asyncio.gather(*steps, return_exceptions=True)
    assert [getattr(result, "code", "") for result in results] == ["disk_full"] * 3
    assert all(isinstance(result, SurroundingsError) for result in results)
    assert names(engine) == []
    database.rows("PRAGMA max_page_count = 1000000")
    assert await engine.submit(put, "small") == "small"
    assert names(engine) == ["small"]


async def test_what_was_noted_before_closing_is_there_afterwards(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay").start()
    try:
        await create_profile(tmp_path / "profile", "Alice", relay.link, None, "none")
    finally:
        relay.close()
    async with Service.open(tmp_path / "profile") as service:
        noted = asyncio.create_task(service.engine.note(put, "noted"))
        await asyncio.sleep(0)
    assert await noted == "noted"
    with contextlib.closing(ProfileFolder.open(tmp_path / "profile").unlock(SYSTEM_ENTROPY)) as profile:
        assert profile.store.get(Setting, "noted") is not None
