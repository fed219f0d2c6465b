"""The file with a device's own mailboxes: lost, damaged, or put back from an older copy, with the profile or not."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.service import Service
from roost.errors import SurroundingsError
from tests.agent.test_direct_people import Near, near, person, texts, until_said
from tests.agent.test_service import befriend

__all__ = ["near"]


async def says(service: Service, to: str, text: str) -> None:
    await service.call(o.Send(conversation=to, text=text, wait=v.MessageState.DELIVERED, wait_timeout_s=60))


def mailboxes(folder: Path) -> list[Path]:
    return sorted(folder.glob("mailboxes.db*"))


async def test_damaged_mailboxes_are_told_and_can_be_taken_away(tmp_path: Path, near: Near) -> None:
    async with person(tmp_path, "Alice") as alice:
        async with person(tmp_path, "Bob") as bob:
            await befriend(alice, bob)
            await says(alice, "Bob", "before")
        await alice.call(o.Send(conversation="Bob", text="while away"))
        for file in mailboxes(tmp_path / "Bob"):
            file.write_bytes(bytes(len(file.read_bytes())))
        with pytest.raises(SurroundingsError) as refused:
            async with person(tmp_path, "Bob"):
                pass
        assert refused.value.code == "mailboxes_broken"
        assert "mailboxes.db" in refused.value.message
        for file in mailboxes(tmp_path / "Bob"):
            file.unlink()
        async with person(tmp_path, "Bob") as bob:
            await until_said(bob, "Alice", 2)
            await says(alice, "Bob", "after")
            await says(bob, "Alice", "answer")
            assert await texts(bob, "Alice") == ["before", "while away", "after", "answer"]


@pytest.mark.parametrize(
    "kept", ["", pytest.param("mailboxes.db", marks=pytest.mark.long), pytest.param("roost.db", marks=pytest.mark.long)]
)
async def test_an_older_copy_is_put_back(tmp_path: Path, near: Near, kept: str) -> None:
    """All of the profile, or all but one file of it."""
    async with person(tmp_path, "Alice") as alice:
        async with person(tmp_path, "Bob") as bob:
            await befriend(alice, bob)
            await says(alice, "Bob", "first")
            await says(bob, "Alice", "second")
        shutil.copytree(tmp_path / "Bob", tmp_path / "copy")
        async with person(tmp_path, "Bob") as bob:
            for number in range(10):
                await says(alice, "Bob", f"{number}")
        if kept:
            shutil.copy(tmp_path / "Bob" / kept, tmp_path / "copy" / kept)
        shutil.rmtree(tmp_path / "Bob")
        shutil.move(tmp_path / "copy", tmp_path / "Bob")
        async with person(tmp_path, "Bob") as bob:
            await asyncio.sleep(1)
            await says(alice, "Bob", "last")
            await says(bob, "Alice", "answer")
            got = await texts(bob, "Alice")
            assert [text for text in got if not text.isdigit()] == ["first", "second", "last", "answer"]
            assert (await texts(alice, "Bob"))[-2:] == ["last", "answer"]


async def test_what_a_large_file_took_is_given_back(
    tmp_path: Path, near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roost.relay.hosting._SPARE", 1024**2)
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(8 * 1024**2))
    async with person(tmp_path, "Alice") as alice:
        async with person(tmp_path, "Bob") as bob:
            await befriend(alice, bob)
            await alice.call(
                o.Send(conversation="Bob", files=(str(large),), wait=v.MessageState.DELIVERED, wait_timeout_s=60)
            )
        assert (tmp_path / "Bob" / "mailboxes.db").stat().st_size > 8 * 1024**2
        async with person(tmp_path, "Bob") as bob:
            await says(alice, "Bob", "after")
        assert (tmp_path / "Bob" / "mailboxes.db").stat().st_size < 1024**2
