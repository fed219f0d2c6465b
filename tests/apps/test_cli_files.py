"""Files: sent, saved, several at once, large ones, none at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.apps.processes import Person


def test_files_arrive_as_they_were(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    contents = {"notes.txt": b"some notes\n", "empty.bin": b"", "photo ä.jpg": os.urandom(300_000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    options = [option for name in contents for option in ("--file", str(tmp_path / name))]
    sent = alice.one("send", "Bob", "three files", *options)
    (message,) = bob.until(lambda: bob.lines("read", "Alice"))
    assert message["text"] == "three files"
    assert [file["name"] for file in message["attachments"]] == list(contents)
    assert [file["size"] for file in message["attachments"]] == [len(content) for content in contents.values()]
    assert message["attachments"][0]["type"] == "text/plain"

    folder = tmp_path / "saved"
    folder.mkdir()
    for number, (name, content) in enumerate(contents.items()):
        saved = bob.one("save", sent["id"], "--attachment", str(number), "--to", str(folder))
        assert saved == {**saved, "path": str(folder / name), "size": len(content)}
        assert (folder / name).read_bytes() == content
    target = tmp_path / "other name"
    assert bob.one("save", sent["id"], "--to", str(target))["path"] == str(target)
    assert target.read_bytes() == contents["notes.txt"]
    assert alice.refused("save", sent["id"], "--to", str(target))["code"] == "file_exists"
    target.write_bytes(b"older")
    assert alice.one("save", sent["id"], "--to", str(target), "--yes")["size"] == 11  # one's own, too
    assert target.read_bytes() == contents["notes.txt"]


def test_a_large_file_without_text(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    large = tmp_path / "large.bin"
    block = os.urandom(1_048_576)
    large.write_bytes(block * 12)
    sent = alice.one("send", "Bob", "--file", str(large), "--wait", "sent", "--timeout", "60")
    assert sent["state"] in {"sent", "delivered"}
    (message,) = bob.until(lambda: bob.lines("read", "Alice"))
    assert (message["text"], message["attachments"][0]["size"]) == ("", 12 * 1_048_576)
    saved = Path(bob.one("save", sent["id"], "--to", str(tmp_path / "back"))["path"])
    assert hashlib.sha256(saved.read_bytes()).digest() == hashlib.sha256(block * 12).digest()


def test_files_that_cannot_be_sent_or_saved(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    alice.refused("send", "Bob", "look", "--file", str(tmp_path / "missing"))
    alice.refused("send", "Bob", "look", "--file", str(tmp_path))
    assert alice.texts("Bob") == []
    sent = alice.one("send", "Bob", "no file here")
    bob.until(lambda: bob.texts("Alice"))
    bob.refused("save", sent["id"], "--to", str(tmp_path / "x"))
    bob.refused("save", "0" * 32, "--to", str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_a_name_cannot_lead_out_of_the_folder(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    strange = tmp_path / "..\\..\\evil\n.txt"
    strange.write_bytes(b"x")
    sent = alice.one("send", "Bob", "--file", str(strange))
    bob.until(lambda: bob.lines("read", "Alice"))
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    saved = Path(bob.one("save", sent["id"], "--to", str(folder))["path"])
    assert saved.parent == folder
    assert saved.read_bytes() == b"x"
