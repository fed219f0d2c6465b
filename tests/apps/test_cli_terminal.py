"""The command line as a person sees it: in a terminal, with questions, colours, codes and bars."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.apps.processes import COMMAND, Person, Relay, environment

# The terminal becomes the command's own, so that Ctrl-C works. Forking here, beside threads, would be unsafe.
TAKE = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command in a terminal of 100 columns."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.terminal, inner = pty.openpty()
        self.process = subprocess.Popen(
            (sys.executable, "-c", TAKE, *COMMAND, "--profile", str(folder), *arguments),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment(TERM="xterm-256color", COLUMNS="100", LINES="40", **variables),
        )
        os.close(inner)
        self.seen = ""

    def until(self, words: str, within_s: float = 60) -> None:
        """Read until `words` were shown."""
        deadline = time.monotonic() + within_s
        while words not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"{words!r} not in {self.seen!r}"
            if not self._read():
                raise AssertionError(f"{words!r} not in {self.seen!r}")

    def _read(self) -> bool:
        try:
            data = os.read(self.terminal, 65_536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def type(self, line: str) -> None:
        os.write(self.terminal, line.encode() + b"\n")

    def end(self) -> int:
        """Read to the end. Returns the exit code."""
        deadline = time.monotonic() + 60
        while select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))[0] and self._read():
            pass
        if time.monotonic() >= deadline:
            self.process.kill()
        os.close(self.terminal)
        assert "Traceback" not in self.seen
        return self.process.wait(20)

    @property
    def words(self) -> str:
        """What was shown, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen)


def test_passphrases_are_typed_and_not_shown(relay: Relay, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    making = Terminal(folder, "init", "--name", "Alice", "--relay", relay.link)
    making.until("New passphrase")
    making.type("correct horse")
    making.until("Repeat")
    making.type("correct horse")
    assert making.end() == 0
    assert "Welcome, Alice" in making.words
    assert "correct horse" not in making.seen

    asking = Terminal(folder, "whoami")
    asking.until("Passphrase")
    asking.type("correct horse")
    assert asking.end() == 0
    assert "Alice" in asking.words

    wrong = Terminal(folder, "whoami")
    wrong.until("Passphrase")
    wrong.type("wrong")
    assert wrong.end() == 1
    assert "roost: " in wrong.words

    stopped = Terminal(folder, "whoami")
    stopped.until("Passphrase")
    os.write(stopped.terminal, b"\x03")
    assert stopped.end() == 1
    assert "Stopped." in stopped.words


@pytest.mark.parametrize(("answer", "left"), [("n", ["keep?"]), ("y", [])])
def test_a_person_is_asked_before_something_is_lost(
    friends: tuple[Person, Person], answer: str, left: list[str]
) -> None:
    alice, _ = friends
    alice.one("send", "Bob", "keep?")
    clearing = Terminal(alice.folder, "clear", "Bob")
    clearing.until("[y/N]")
    clearing.type(answer)
    assert clearing.end() == (1 if left else 0)
    assert alice.texts("Bob") == left


def test_yes_asks_nothing(friends: tuple[Person, Person]) -> None:
    alice, _ = friends
    assert Terminal(alice.folder, "delete", "Bob", "--yes").end() == 0
    assert alice.lines("contacts") == []


def test_a_conversation_with_colours_and_marks(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    (tmp_path / "photo.jpg").write_bytes(os.urandom(5_000))
    sending = Terminal(alice.folder, "send", "Bob", "look", "--file", str(tmp_path / "photo.jpg"))
    assert sending.end() == 0
    assert "✓" in sending.words
    bob.until(lambda: bob.texts("Alice"))
    reading = Terminal(alice.folder, "read", "Bob")
    assert reading.end() == 0
    assert "\x1b[" in reading.seen
    assert re.search(r"me: look.*✓", reading.words)
    assert "photo.jpg  4.9 KiB" in reading.words
    listing = Terminal(alice.folder, "contacts")
    assert listing.end() == 0
    assert re.search(r"Bob +accepted +central", listing.words)


def test_a_qr_code(alice: Person) -> None:
    inviting = Terminal(alice.folder, "invite", "--qr")
    assert inviting.end() == 0
    assert inviting.words.count("█") > 50
    assert "roost:" in inviting.words


def test_a_bar_for_a_large_file(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, _ = friends
    (tmp_path / "large.bin").write_bytes(os.urandom(20 * 1_048_576))
    sending = Terminal(alice.folder, "send", "Bob", "--file", str(tmp_path / "large.bin"))
    assert sending.end() == 0
    assert "large.bin" in sending.words
    assert "of 20.0 MiB" in sending.words


def test_linking_in_a_terminal_waits(alice: Person, relay: Relay, tmp_path: Path) -> None:
    linking = Terminal(
        tmp_path / "phone", "device", "link", "--relay", relay.link, "--name", "phone", "--no-passphrase"
    )
    linking.until("--confirm CODE")
    (code,) = re.findall(r"roost:\S+", linking.words)
    alice.one("device", "link", "--confirm", code)
    assert linking.end() == 0
    assert "This device is linked." in linking.words


def test_listening_in_a_terminal_ends_with_ctrl_c(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    listening = Terminal(bob.folder, "listen")
    alice.one("send", "Bob", "heard?")
    listening.until("heard?")
    listening.process.send_signal(signal.SIGINT)
    assert listening.end() == 0
