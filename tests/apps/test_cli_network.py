"""`roost network`: three operators found an onion network, run it, and one of them is killed; what everybody sees."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.apps.processes import Object, Person, Process
from tests.relay.onion_helpers import free_port

PERIOD_S = 4


@dataclass
class Operator:
    folder: Path
    listen: str
    line: str = ""
    process: Process | None = None

    def start(self, *options: str) -> Object:
        self.process = Process("relay", "--data", str(self.folder), "--listen", self.listen, *options, "--json")
        return self.process.next()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """What it said on stderr."""
        process, self.process = self.process, None
        if process is None:
            return ""
        process.end(number)
        said = process.errors()
        process.close()
        return said


@pytest.fixture
def anybody(tmp_path: Path) -> Person:
    return Person(tmp_path / "nobody")


@contextmanager
def founded(folder: Path, anybody: Person, count: int = 3, **terms: str) -> Iterator[tuple[str, list[Operator]]]:
    """The network's link and its operators, none of whom runs an authority yet."""
    operators = [Operator(folder / f"operator-{at}", f"127.0.0.1:{free_port()}") for at in range(count)]
    options = [
        f"--{name}={value}" for name, value in {"period": f"{PERIOD_S}s", "authorities": str(count), **terms}.items()
    ]
    with ExitStack() as stack:
        for one in operators:
            stack.callback(one.stop, signal.SIGKILL)
            made = anybody.one("network", "init", "--data", str(one.folder), "--listen", one.listen, *options)
            one.line = made["authority"]
        links = set()
        for one in operators:
            for other in reversed(operators):
                told = anybody.one("network", "add-authority", "--data", str(one.folder), other.line)
            assert told["known"] == told["authorities"] == count
            links.add(told["network"])
        assert len(links) == 1
        yield links.pop(), operators


def until(wanted: Callable[[], Any], within_s: float) -> Any:
    """What `wanted` gives once that is something."""
    end = time.monotonic() + within_s
    while not (found := wanted()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
    return found


def consensus(anybody: Person, link: str) -> list[Object]:
    return anybody.lines("network", "consensus", link)


def test_operators_found_a_network_and_run_it(tmp_path: Path, anybody: Person) -> None:
    with founded(tmp_path, anybody, name="Coast") as (link, operators):
        assert link.startswith("roost-network:")
        refused = anybody.refused("network", "consensus", link)
        assert refused["code"] == "directory_unreachable"
        assert "try again" in refused["hint"]  # a command does so but once
        for one in operators:
            one.start("--authority")
        node = Operator(tmp_path / "node", f"127.0.0.1:{free_port()}")
        try:
            node.start("--onion", "--directory", link, "--operator", "Ada")
            found = until(lambda: _with_nodes(anybody, link), 60)
            network, listed = found[0], found[1]
            assert network["name"] == "Coast"
            assert network["signed"] >= network["threshold"] == 2
            assert network["nodes"] == 1
            assert (listed["host"], listed["operator"], listed["live"]) == (node.listen, "Ada", 1.0)
            until(lambda: consensus(anybody, link)[1]["serves"], 30)
            said = anybody.process("network", "consensus", link).stdout.decode()
            assert "Coast" in said
            assert "Ada" in said
            assert "100%" in said
        finally:
            node.stop(signal.SIGKILL)


def _with_nodes(anybody: Person, link: str) -> list[Object]:
    found = anybody.process("network", "consensus", link, "--json")
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return lines if len(lines) > 1 else []


def test_authorities_that_are_killed_come_back(tmp_path: Path, anybody: Person) -> None:
    """One after the other is killed in the middle of a period, at no moment of its choice; the network goes on."""
    with founded(tmp_path, anybody) as (link, operators):
        for one in operators:
            one.start("--authority")
        period = until(lambda: _period(anybody, link), 60)
        for one in operators:
            one.stop(signal.SIGKILL)
            one.start("--authority")
            period = until(lambda before=period: _later(anybody, link, before), 60)
        said = [one.stop() for one in operators]
        assert not any("voted in two ways" in each for each in said)
        assert not any("internal error" in each for each in said)


def _period(anybody: Person, link: str) -> int:
    found = anybody.process("network", "consensus", link, "--json")
    return int(json.loads(found.stdout.splitlines()[0]).get("period", 0))


def _later(anybody: Person, link: str, before: int) -> int:
    found = _period(anybody, link)
    return found if found > before else 0


def test_what_is_refused(tmp_path: Path, anybody: Person) -> None:
    with founded(tmp_path, anybody, 2) as (link, operators):
        one = operators[0]

        def code(*arguments: str) -> str:
            return str(anybody.refused(*arguments)["code"])

        data = ("--data", str(one.folder))
        assert code("network", "init", *data, "--listen", one.listen, "--name", "Other") == "already_founded"
        assert code("network", "add-authority", *data, "roost-authority:x") == "malformed_link"
        assert code("network", "add-authority", "--data", str(tmp_path / "none"), one.line) == "not_an_authority"
        assert code("network", "init", "--data", str(tmp_path / "x"), "--listen", "127.0.0.1:0") == "bad_config"
        assert code("network", "consensus", "roost-network:x") == "malformed_link"
        elsewhere = f"127.0.0.1:{free_port()}"
        assert code("relay", *data, "--listen", elsewhere, "--authority") == "other_address"
        assert code("relay", "--data", str(tmp_path / "y"), "--listen", elsewhere, "--authority") == "not_an_authority"
        assert link
