"""Real `roost` processes, as a person or a script starts them: relays, commands, agents. Nothing is mocked."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Object = dict[str, Any]
COMMAND = (sys.executable, "-m", "roost")
START_S = 30.0
RUN_S = 90.0


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOST_")}
    return {**kept, "PYTHONWARNINGS": "default", **more}


class Process:
    """A process that runs for long and prints a JSON object a line."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self.process = subprocess.Popen(
            (*COMMAND, *arguments, "--json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
        )
        self._buffer = b""

    def next(self, within_s: float = START_S) -> Object:
        """The next line."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within_s
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            if not ready:
                raise AssertionError(f"no line within {within_s} s")
            data = os.read(self.process.stdout.fileno(), 65_536)
            if not data:
                raise AssertionError(f"ended with {self.process.wait()}: {self.errors()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: Object = json.loads(line)
        return found

    def until(self, wanted: Callable[[Object], bool], within_s: float = START_S) -> Object:
        """The next line that is wanted; others are passed over."""
        deadline = time.monotonic() + within_s
        while True:
            found = self.next(max(deadline - time.monotonic(), 0))
            if wanted(found):
                return found

    def has_worked(self, seconds: float) -> None:
        """Wait until it has used so much of a processor, which says how far it is whatever else the machine does; or,
        where that is not told, for as long by the clock."""
        told = Path(f"/proc/{self.process.pid}/stat")
        if not told.exists():
            time.sleep(seconds)
            return
        deadline = time.monotonic() + 5
        tick = os.sysconf("SC_CLK_TCK")
        while sum(map(int, told.read_text().rpartition(") ")[2].split()[11:13])) < seconds * tick:
            if time.monotonic() > deadline:
                break  # it waits for something, having done all that it had to do
            time.sleep(0.01)

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def rest(self) -> bytes:
        """What else it printed before it ended."""
        assert self.process.stdout is not None
        return self._buffer + self.process.stdout.read()

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = 20) -> int:
        """Send a signal and wait. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within_s)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Relay:
    """A relay that can stop and come back with the same folder and port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.listen = "127.0.0.1:0"
        self.link = ""
        self.process: Process | None = None

    def start(self) -> Relay:
        self.process = Process("relay", "--data", str(self.folder), "--listen", self.listen, *self.options)
        ready = self.process.next()
        assert ready["event"] == "ready"
        self.link, self.listen = ready["link"], ready["listen"]
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        code = self.process.end(number)
        self.process.close()
        self.process = None
        return code

    def close(self) -> None:
        if self.process is not None:
            self.process.close()


class Refusal(AssertionError):
    """A command that should have worked did not."""


class Person:
    """A profile, and the commands that its owner types."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = variables

    def process(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = (*COMMAND, "--profile", str(self.folder), *arguments)
        done = subprocess.run(
            command, input=stdin, capture_output=True, env=environment(**self.variables), timeout=RUN_S
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def lines(self, *arguments: str, stdin: bytes = b"") -> list[Object]:
        """All objects that a command prints; it must exit with 0."""
        done = self.process("--json", *arguments, stdin=stdin)
        if done.returncode != 0:
            raise Refusal(f"{arguments} exited with {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def one(self, *arguments: str, stdin: bytes = b"") -> Object:
        """The only object that a command prints."""
        (found,) = self.lines(*arguments, stdin=stdin)
        return found

    def refused(self, *arguments: str) -> Object:
        """The error object of a command that must exit with 1."""
        done = self.process("--json", *arguments)
        assert done.returncode == 1, (arguments, done.returncode, done.stdout, done.stderr)
        error: Object = json.loads(done.stdout.splitlines()[-1])["error"]
        assert set(error) >= {"code", "message", "hint"}
        assert error["message"]
        assert error["code"] != "internal", error
        return error

    @property
    def account(self) -> str:
        account: str = self.one("whoami")["account"]
        return account

    def init(self, name: str, relay: Relay, *options: str) -> Person:
        options = options or ("--no-passphrase",)
        assert self.one("init", "--name", name, "--relay", relay.link, *options)["name"] == name
        return self

    def texts(self, conversation: str, *options: str) -> list[str]:
        return [message["text"] for message in self.lines("read", conversation, *options)]

    def until(self, wanted: Callable[[], Any], within_s: float = 30) -> Any:
        """Sync until `wanted` gives something true, and return it."""
        deadline = time.monotonic() + within_s
        while not (found := wanted()):
            assert time.monotonic() < deadline, f"not within {within_s} s"
            self.lines("sync", "--timeout", "10")
        return found

    @contextmanager
    def agent(self) -> Iterator[Process]:
        process = Process("agent", "--profile", str(self.folder), **self.variables)
        try:
            assert process.next()["event"] == "ready"
            yield process
            assert process.end() == 0
        finally:
            process.close()

    @contextmanager
    def listening(self, *options: str) -> Iterator[Process]:
        process = Process("listen", "--profile", str(self.folder), *options, **self.variables)
        try:
            yield process
        finally:
            process.close()
