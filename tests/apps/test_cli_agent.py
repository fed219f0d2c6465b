"""`roost agent` and `roost listen`, with commands beside them."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.apps.processes import Person, Process


def test_commands_with_and_without_agents(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    with alice.agent(), bob.agent():
        assert bob.one("whoami")["name"] == "Bob"
        sent = alice.one("send", "Bob", "live", "--wait", "delivered")
        assert sent["state"] in {"delivered", "read"}
        assert bob.texts("Alice") == ["live"]
        assert alice.one("status")["agent"] is True
        alice.until(lambda: alice.lines("read", "Bob")[0]["state"] == "read")
    assert alice.texts("Bob") == ["live"]
    assert alice.one("status")["agent"] is False


def test_listening_to_everything(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    with alice.agent(), bob.agent(), alice.listening() as alices, bob.listening() as bobs:
        sent = alice.one("send", "Bob", "one")
        message = bobs.until(lambda event: event["type"] == "message")
        assert (message["id"], message["text"], message["from"]) == (sent["id"], "one", alice.account)
        states = [alices.until(lambda event: event["type"] == "receipt")["state"] for _ in range(2)]
        assert states == ["sent", "delivered"]
        bob.lines("read", "Alice")
        assert alices.until(lambda event: event["type"] == "receipt")["state"] == "read"
        bob.one("react", sent["id"], "👍")
        reaction = alices.until(lambda event: event["type"] == "reaction")
        assert (reaction["id"], reaction["emoji"], reaction["from"]) == (sent["id"], "👍", bob.account)
        alice.one("edit", sent["id"], "two")
        edit = bobs.until(lambda event: event["type"] == "edit")
        assert (edit["id"], edit["text"]) == (sent["id"], "two")
        alice.one("delete", sent["id"], "--everyone")
        assert bobs.until(lambda event: event["type"] == "delete")["id"] == sent["id"]


def test_requests_are_heard(alice: Person, bob: Person) -> None:
    link = alice.one("invite")["link"]
    with alice.agent(), alice.listening() as alices, bob.agent(), bob.listening() as bobs:
        bob.one("add", link, "--greeting", "hi")
        request = alices.until(lambda event: event["type"] == "request")
        assert (request["name"], request["greeting"]) == ("Bob", "hi")
        alice.one("accept", request["id"])
        accepted = bobs.until(lambda event: event["type"] == "contact" and event["state"] == "accepted")
        assert accepted["contact"] == alice.account


def test_listen_without_an_agent_and_what_was_missed(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    alice.one("send", "Bob", "missed")
    bob.one("sync")
    with bob.listening() as heard:
        assert heard.until(lambda event: event["type"] == "message")["text"] == "missed"
        assert bob.texts("Alice") == ["missed"]  # who listens lets other commands in
        alice.one("send", "Bob", "live")
        assert heard.until(lambda event: event["type"] == "message")["text"] == "live"
        assert heard.end(signal.SIGTERM) == 0
    with bob.listening() as heard:
        alice.one("send", "Bob", "later")
        assert heard.until(lambda event: event["type"] == "message")["text"] == "later"
        assert heard.end(signal.SIGINT) == 0


def test_one_agent_for_each_profile(alice: Person) -> None:
    with alice.agent():
        assert alice.refused("agent")["code"] == "agent_running"
        for name in ("agent.sock", "agent.json"):
            assert stat.S_IMODE((alice.folder / name).stat().st_mode) == 0o600
    assert not (alice.folder / "agent.sock").exists()
    assert not (alice.folder / "agent.json").exists()


def test_what_a_killed_agent_left_is_taken_over(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    process = Process("agent", "--profile", str(alice.folder))
    assert process.next()["event"] == "ready"
    process.end(signal.SIGKILL)
    process.close()
    assert (alice.folder / "agent.json").exists()
    assert alice.one("send", "Bob", "without it")["id"]  # a command is not misled
    with alice.agent():
        alice.one("send", "Bob", "with the next", "--wait", "sent")
    bob.until(lambda: bob.texts("Alice") == ["without it", "with the next"])


def test_commands_wait_for_each_other(alice: Person) -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(alice.account)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1


def test_a_long_profile_path(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, _ = friends
    moved = Person(tmp_path / ("long" * 30))
    alice.folder.rename(moved.folder)
    with moved.agent():
        assert moved.one("status")["agent"] is True


@pytest.mark.parametrize("worked_s", [0.1, 0.25, 0.4])  # before 0.1 the interpreter itself is starting
def test_ctrl_c_at_any_time_is_at_most_one_sentence(alice: Person, worked_s: float) -> None:
    process = Process("listen", "--profile", str(alice.folder))
    try:
        process.has_worked(worked_s)
        assert process.end(signal.SIGINT) in {0, 1}
        assert len(process.errors().splitlines()) <= 1
    finally:
        process.close()


def test_a_reader_that_goes_away() -> None:
    line = f"{sys.executable} -m roost --help | head -1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Usage: roost")
    assert done.stderr == ""
