"""`roost channel` as people and scripts use it: every step a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.processes import Person


def test_a_channel_by_commands(alice: Person, bob: Person, tmp_path: Path) -> None:
    with alice.agent(), bob.agent():
        made = alice.one("channel", "create", "News", "--posting", "all", "--as", "Editor", "--description", "daily")
        assert made["ok"] is True
        assert made["link"].startswith("roost-channel:")
        alice.one("channel", "post", "News", "welcome")
        joined = bob.one("channel", "join", made["link"], "--as", "Bob")
        assert (joined["title"], joined["state"]) == ("News", "open")
        (first,) = bob.until(lambda: bob.lines("read", "News"))
        assert (first["text"], first["from"], first["from_name"]) == ("welcome", made["pseudonym"], "Editor")
        sent = bob.one("send", "News", "thanks", "--id", "once")
        assert bob.one("send", "News", "thanks", "--id", "once")["id"] == sent["id"]
        bob.one("react", first["id"], "👍")
        alice.until(lambda: alice.texts("News") == ["welcome", "thanks"])
        alice.until(lambda: alice.lines("read", "News")[0]["reactions"] == {"👍": [joined["pseudonym"]]})
        info = alice.one("channel", "info", "News")
        assert (info["role"], info["posting"], info["link"], info["name"]) == ("owner", "all", made["link"], "Editor")
        assert [channel["title"] for channel in bob.lines("channel", "list")] == ["News"]
        alice.one("channel", "remove", "News", sent["id"], "--yes")
        alice.one("channel", "ban", "News", "Bob", "--yes")
        bob.until(lambda: bob.texts("News") == ["welcome", ""])
        assert bob.refused("send", "News", "again")["code"] == "banned"
        alice.one("channel", "ban", "News", joined["pseudonym"], "--undo", "--yes")
        alice.one("channel", "role", "News", joined["pseudonym"], "moderator")
        alice.one("channel", "settings", "News", "--posting", "roles", "--slow", "1m", "--title", "Old news")
        bob.until(lambda: bob.lines("channel", "list")[0]["title"] == "Old news")
        assert bob.one("channel", "info", "Old news")["role"] == "moderator"
        bob.one("channel", "settings", "Old news", "--as", "")
        (tmp_path / "a.txt").write_text("what the file says")
        posted = bob.one("send", "Old news", "moderators are not held up", "--file", str(tmp_path / "a.txt"))
        alice.until(lambda: "moderators are not held up" in alice.texts("Old news"))
        alice.one("save", posted["id"], "--to", str(tmp_path / "b.txt"))
        assert (tmp_path / "b.txt").read_text() == "what the file says"
        moved = alice.one("channel", "move", "Old news")
        assert (moved["done"], moved["link"] != made["link"]) == ("moved", True)
        bob.until(lambda: bob.one("channel", "info", "Old news")["link"] == moved["link"])
        bob.one("send", "Old news", "still a moderator here")
        alice.until(lambda: "still a moderator here" in alice.texts("Old news"))
        assert bob.refused("channel", "move", "Old news")["code"] == "not_permitted"
        exported = bob.one("export", "Old news", "--to", str(tmp_path / "out"))
        assert exported["files"] == 1
        assert alice.refused("channel", "leave", "Old news", "--yes")["code"] == "own_channel"
        assert alice.one("channel", "leave", "Old news", "--delete", "--yes")["done"] == "deleted"
        assert bob.one("channel", "leave", "Old news", "--yes")["done"] == "left"
        assert bob.lines("channel", "list") == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("channel", "join", "roost:abc"), "malformed_link"),
        (("channel", "info", "Nowhere"), "unknown_channel"),
        (("channel", "create", ""), "bad_name"),
        (("channel", "create", "x" * 257), "bad_name"),
    ],
)
def test_what_is_refused(alice: Person, arguments: tuple[str, ...], code: str) -> None:
    assert alice.refused(*arguments)["code"] == code


def test_text_for_people(alice: Person) -> None:
    alice.one("channel", "create", "News")
    shown = alice.process("channel", "info", "News")
    assert shown.returncode == 0
