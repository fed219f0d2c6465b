"""When there is no room, or what is read changes: a full mailbox between two people, a file cut off meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from roost.agent.service import create_profile
from tests.apps.processes import COMMAND, Person, Relay, environment

LIMIT = 12  # envelopes in one mailbox


def test_a_full_mailbox_holds_messages_back_says_so_and_lets_them_through_later(
    make_relay: Callable[..., Relay], befriend: Callable[[Person, Person], None], tmp_path: Path
) -> None:
    config = tmp_path / "relay.toml"
    config.write_text(f"[quotas]\nmailbox_envelopes = {LIMIT}\n")
    relay = make_relay("--config", str(config))
    people = []
    for name in ("Alice", "Bob"):
        asyncio.run(create_profile(tmp_path / name, name, relay.link, None, "none"))
        people.append(Person(tmp_path / name))
    alice, bob = people
    befriend(bob, alice)
    alice.lines("sync")
    bob.lines("sync")
    texts = [f"message {number}" for number in range(LIMIT + 6)]
    with alice.agent():  # Bob is away meanwhile
        answers = [alice.one("send", "Bob", text, "--wait", "sent", "--timeout", "5") for text in texts[:3]]
        assert {answer["state"] for answer in answers} == {"sent"}
        for text in texts[3:]:
            answer = alice.one("send", "Bob", text)
        done = alice.process("--json", "send", "Bob", "one more", "--wait", "sent", "--timeout", "3")
        assert done.returncode == 1
        error = json.loads(done.stdout.splitlines()[-1])["error"]
        assert "full" in error["message"], error
        assert answer["state"] == "queued"
        assert alice.one("status")["waiting"] >= 2
        wanted = [*texts, "one more"]
        bob.until(lambda: bob.texts("Alice") == wanted)  # fetching makes room, and the rest follows in order
        alice.until(lambda: alice.one("status")["waiting"] == 0)
    assert {message["state"] for message in alice.lines("read", "Bob")} <= {"delivered", "read"}


def test_a_file_that_is_cut_off_while_it_is_read_is_not_sent(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(1_500_000_000)  # without blocks on the disk, but a second's work to read
    command = (*COMMAND, "--profile", str(alice.folder), "--json", "send", "Bob", "look", "--file", str(large))
    sending = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
    stored, deadline = alice.folder / "files", time.monotonic() + 30
    while not any(path.stat().st_size > 1_000_000 for path in stored.rglob("*") if path.is_file()):
        assert sending.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.truncate(large, 5_000_000)
    answer, _ = sending.communicate(timeout=60)
    assert sending.returncode == 1
    error = json.loads(answer.splitlines()[-1])["error"]
    assert error["code"] == "file_vanished"
    assert "send it again" in error["hint"]
    assert alice.texts("Bob") == []
    assert alice.one("send", "Bob", "look", "--file", str(large))["state"]
    (message,) = bob.until(lambda: bob.lines("read", "Alice"))
    assert message["attachments"][0]["size"] == 5_000_000
    kept = [path for path in stored.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 10_000_000  # what was begun is gone
