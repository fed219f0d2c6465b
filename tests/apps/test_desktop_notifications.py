"""What the agent shows on a desktop while no window is open: a real D-Bus, and a notification service that listens."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.processes import Person, Process

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed")
SERVICE = "org.freedesktop.Notifications"


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """A session bus of this test's own: its address."""
    address = f"unix:path={tmp_path}/bus"
    command = ("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}", "--print-address=1")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline()
    yield address
    process.terminate()
    process.wait()
    process.stdout.close()


class Desktop:
    """The notification service."""

    def __init__(self, address: str) -> None:
        jeepney = pytest.importorskip("jeepney")
        from jeepney.io.blocking import open_dbus_connection

        self._jeepney = jeepney
        self._link = open_dbus_connection(bus=address)
        self._link.send_and_get_reply(jeepney.bus_messages.message_bus.RequestName(SERVICE), timeout=5)

    def shown(self, within_s: float = 20) -> tuple[str, str]:
        """Title and text of the next notification."""
        while True:
            message = self._link.receive(timeout=within_s)
            if message.header.message_type == self._jeepney.MessageType.method_call:
                body: tuple[Any, ...] = message.body
                self._link.send(self._jeepney.new_method_return(message, "u", (1,)))
                return body[3], body[4]

    def clicked(self, id: int) -> None:
        """As when the person clicks on a notification."""
        address = self._jeepney.DBusAddress("/org/freedesktop/Notifications", interface=SERVICE)
        self._link.send(self._jeepney.new_signal(address, "ActionInvoked", "us", (id, "default")))

    def silent(self, for_s: float = 1.5) -> bool:
        try:
            return not self.shown(for_s)
        except TimeoutError:
            return True

    def close(self) -> None:
        self._link.close()


@pytest.fixture
def desktop(bus: str) -> Iterator[Desktop]:
    service = Desktop(bus)
    yield service
    service.close()


@pytest.fixture
def agent(friends: tuple[Person, Person], bus: str) -> Iterator[Process]:
    """Bob's agent, in a desktop session."""
    _, bob = friends
    running = Process("--profile", str(bob.folder), "agent", DBUS_SESSION_BUS_ADDRESS=bus, **bob.variables)
    running.next()
    yield running
    running.end()
    running.close()


def _prefer(folder: Path, value: str) -> None:
    """As the settings of the app do."""
    import asyncio

    from roost.agent.api.client import find_agent
    from roost.agent.browsing import SetPreference
    from roost.agent.desktop import PREFERENCE

    async def change() -> None:
        client = await find_agent(folder)
        assert client is not None
        await client.call(SetPreference(name=PREFERENCE, value=value))

    asyncio.run(change())


def test_content_is_hidden_unless_the_person_chose_otherwise(
    friends: tuple[Person, Person], desktop: Desktop, agent: Process
) -> None:
    alice, bob = friends
    alice.one("send", "Bob", "the plan")
    assert desktop.shown() == ("Roost", "New message")
    _prefer(bob.folder, "name")
    alice.one("send", "Bob", "the plan")
    assert desktop.shown() == ("Alice", "New message")
    _prefer(bob.folder, "full")
    alice.one("send", "Bob", "the <b>plan</b> & more")
    assert desktop.shown() == ("Alice", "the &lt;b&gt;plan&lt;/b&gt; &amp; more")
    _prefer(bob.folder, "off")
    alice.one("send", "Bob", "the plan", "--wait", "delivered")
    assert desktop.silent()


def test_a_click_opens_the_app(friends: tuple[Person, Person], desktop: Desktop, bus: str, tmp_path: Path) -> None:
    alice, bob = friends
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    variables = {**bob.variables, "DBUS_SESSION_BUS_ADDRESS": bus, "BROWSER": str(browser)}
    running = Process("--profile", str(bob.folder), "agent", **variables)
    try:
        url = running.next()["url"]
        alice.one("send", "Bob", "the plan")
        assert desktop.shown() == ("Roost", "New message")
        desktop.clicked(7)  # not one of these
        desktop.clicked(1)
        bob.until(opened.exists)
        assert opened.read_text().startswith(f"{url}/#code=")
    finally:
        running.end()
        running.close()


def test_requests_are_told_of_and_a_desktop_that_goes_away_harms_nothing(
    friends: tuple[Person, Person],
    desktop: Desktop,
    agent: Process,
    make_person: Callable[..., Person],
) -> None:
    alice, bob = friends
    carol = make_person("Carol")
    carol.one("add", bob.one("invite")["link"])
    assert desktop.shown() == ("Roost", "Somebody asks to become a contact")
    desktop.close()
    alice.one("send", "Bob", "still there?", "--wait", "delivered")  # while a request waits, too
    assert bob.texts("Alice")[-1] == "still there?"
    assert agent.process.poll() is None
