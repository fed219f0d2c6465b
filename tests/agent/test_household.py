"""Profiles side by side: which folders belong together, and what one profile's page may ask of the others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from roost.agent.household import Household
from roost.errors import CallerError
from roost.network import SYSTEM_ENTROPY
from roost.store import ProfileFolder, Unprotected


def _profile(folder: Path) -> None:
    profile = ProfileFolder.create(folder, Unprotected(), SYSTEM_ENTROPY)
    profile.finish()
    profile.close()


async def test_a_familys_profiles_are_found_by_their_folders(tmp_path: Path) -> None:
    for name in ("roost", "roost-2", "roost-10", "roost-relay", "other", "roost-2x"):
        _profile(tmp_path / name)
    (tmp_path / "roost-3").mkdir()  # no profile in it
    household = Household(tmp_path / "roost-2")
    async with household.running():
        found = await household.profiles(tmp_path / "roost-2")
    assert [(row.id, row.number, row.current) for row in found] == [
        ("roost", 1, False),
        ("roost-2", 2, True),
        ("roost-10", 10, False),
    ]


async def test_a_new_profile_takes_the_first_free_number(tmp_path: Path) -> None:
    _profile(tmp_path / "roost")
    (tmp_path / "roost-2").write_text("something else lies here")
    household = Household(tmp_path / "roost")
    async with household.running() as first:
        link = await household.link_to_new()
        assert not link.startswith(first.loopback.url)
        shown = await household.profiles(tmp_path / "roost-3")
        assert [(row.id, row.state, row.current) for row in shown] == [
            ("roost", "locked", False),
            ("roost-3", "none", True),
        ]
        assert not (tmp_path / "roost-3").exists()
        with pytest.raises(CallerError) as refused:
            await household.link_to("../elsewhere")
        assert refused.value.code == "unknown_profile"


async def test_only_who_is_let_in_learns_of_other_profiles(tmp_path: Path) -> None:
    import asyncio

    _profile(tmp_path / "roost")
    household = Household(tmp_path / "roost")
    async with household.running() as host:

        def ask(path: str, token: str) -> tuple[int, Any]:
            request = urllib.request.Request(
                f"{host.loopback.url}/v1/{path}",
                data=b"{}",
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        for path in ("profiles", "profile-open", "profile-new"):
            assert (await asyncio.to_thread(ask, path, "wrong"))[0] == 401
        status, rows = await asyncio.to_thread(ask, "profiles", host.loopback.keys.program)
        assert (status, [row["id"] for row in rows]) == (200, ["roost"])
        assert (await asyncio.to_thread(ask, "profile-open", host.loopback.keys.program))[0] == 400
