"""`roost relay` and `roost relay check`: what an operator sees."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps.processes import COMMAND, Person, Process, Relay, environment
from tests.network.direct.one_network import alone


def test_ready_and_drained(make_relay: Callable[..., Relay]) -> None:
    relay = make_relay()
    host, _, port = relay.listen.rpartition(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    assert relay.link.startswith("roost-relay://")
    assert relay.process is not None
    assert relay.process.end(signal.SIGTERM, within_s=6) == 0
    assert relay.process.rest() == b""


def test_ctrl_c_drains_too(make_relay: Callable[..., Relay]) -> None:
    assert make_relay().stop(signal.SIGINT) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_key_link_and_data_survive(
    make_relay: Callable[..., Relay],
    make_person: Callable[..., Person],
    befriend: Callable[[Person, Person], None],
    number: signal.Signals,
) -> None:
    relay = make_relay()
    alice, bob = make_person("Alice", relay), make_person("Bob", relay)
    befriend(bob, alice)
    assert alice.one("send", "Bob", "kept", "--wait", "sent")["state"] == "sent"
    link = relay.link
    relay.stop(number)
    relay.start()
    assert relay.link == link
    bob.until(lambda: bob.texts("Alice") == ["kept"])


def test_access(make_relay: Callable[..., Relay], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    closed, by_file = make_relay("--access", "s3cret"), make_relay("--access-file", f"{tmp_path}/secret")
    open_one = make_relay("--open")
    people = Person(tmp_path / "none")
    for relay in (closed, by_file, open_one):
        report = people.one("relay", "check", relay.link)
        assert report["ok"] is True
        assert report["open"] is (relay is open_one)
        assert {"connect", "put", "deliver", "trim"} <= set(report["steps_ms"])


def test_public_url_stands_in_the_link(make_relay: Callable[..., Relay]) -> None:
    relay = make_relay("--public-url", "https://chat.example.org:7777")
    assert relay.link.startswith("roost-relay://chat.example.org:7777/")
    assert relay.listen.startswith("127.0.0.1:")


def test_a_relay_at_home_prints_how_it_is_met(tmp_path: Path) -> None:
    with alone():
        relay = Process("relay", "--data", str(tmp_path), "--carrier", "lan")
        home = relay.next()
        assert home["link"] == home["home_link"]
        assert home["link"].startswith("roost-relay:")
        assert home["listen"] == ""
        assert relay.end(within_s=6) == 0
        assert relay.rest() == b""
        relay.close()
        relay = Process("relay", "--data", str(tmp_path), "--carrier", "lan", "--listen", "127.0.0.1:0")
        both = relay.next()
        assert both["home_link"] == home["link"]
        assert both["link"].startswith("roost-relay://127.0.0.1:")
        assert Person(tmp_path / "none").one("relay", "check", both["home_link"])["carrier"] == "lan"
        relay.close()
    assert Person(tmp_path).process("relay", "--data", str(tmp_path), "--carrier", "pigeon").returncode == 2


def test_what_stops_a_relay_from_starting(relay: Relay, tmp_path: Path) -> None:
    person = Person(tmp_path)
    error = person.refused("relay", "--data", str(tmp_path / "new"), "--listen", relay.listen)
    assert error["message"]
    person.refused("relay", "--data", str(relay.folder), "--listen", "127.0.0.1:0")  # another process has it
    (tmp_path / "file").write_text("")
    person.refused("relay", "--data", str(tmp_path / "file"), "--listen", "127.0.0.1:0")


def test_checking_what_is_no_relay(relay: Relay, make_relay: Callable[..., Relay], tmp_path: Path) -> None:
    person = Person(tmp_path)
    assert person.refused("relay", "check", "nonsense")["code"] == "malformed_link"
    assert person.refused("relay", "check", relay.link[:-3])["code"] == "malformed_link"
    gone = make_relay()
    gone.stop()
    assert person.refused("relay", "check", gone.link)["code"] == "unreachable"
    with socket.create_server(("127.0.0.1", int(gone.listen.rpartition(":")[2]))):
        person.refused("relay", "check", gone.link)


def test_a_relay_that_is_another_now(make_relay: Callable[..., Relay], tmp_path: Path) -> None:
    first = make_relay()
    first.stop()
    second = Relay(tmp_path / "other", "--open")
    second.listen = first.listen
    second.start()
    try:
        error = Person(tmp_path / "none").refused("relay", "check", first.link)
        assert "key" in error["code"]
    finally:
        second.close()


def test_output_for_people(tmp_path: Path) -> None:
    command = (*COMMAND, "relay", "--data", str(tmp_path / "relay"), "--listen", "127.0.0.1:0")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    try:
        said = [process.stdout.readline() for _ in range(3)]
        assert b"listens at 127.0.0.1:" in said[0]
        assert said[2].startswith(b"roost-relay://127.0.0.1:")
        process.terminate()
        _, errors = process.communicate(timeout=20)
        assert b"Traceback" not in errors
        assert process.returncode == 0
    finally:
        process.kill()
