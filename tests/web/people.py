"""People with real agents and the web app in real browsers, at a real relay: for the tests and the screenshots."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, ViewportSize

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_S = float(os.environ.get("ROOST_WEB_WAIT_S", "30"))
DESKTOP: ViewportSize = {"width": 1180, "height": 780}

# ROOST_WEB_JITTER_MS=400: answers and events come late by chance, up to so many milliseconds each, events in order.
# What the app does while it waits is where its races are.
JITTER_MS = float(os.environ.get("ROOST_WEB_JITTER_MS", "0"))
JITTER = """(most => {
  const pause = () => new Promise(done => setTimeout(done, Math.random() * most));
  const ask = window.fetch;
  window.fetch = async (...request) => {
    await pause();
    const answer = await ask(...request);
    await pause();
    return answer;
  };
  let before = Promise.resolve();
  window.WebSocket = class extends WebSocket {
    set onmessage(handler) {
      super.onmessage = event => {
        before = Promise.all([before, pause()]).then(() => handler(event));
      };
    }
  };
})"""


def launch(chromium: BrowserType, camera: Path | None = None) -> Browser:
    """Debian's Chromium without a window; as root it has no sandbox of its own. `camera`: the film that its camera
    sees, read anew each time that it is opened."""
    arguments = ["--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream"]
    arguments += ["--use-fake-device-for-media-stream"]
    if camera is not None:
        arguments += [f"--use-file-for-fake-video-capture={camera}"]
    return chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0, args=arguments)


@contextlib.contextmanager
def roost(*words: str) -> Iterator[dict[str, Any]]:
    """A roost process that goes on; its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roost", *words, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def command(profile: Path, *words: str) -> list[dict[str, Any]]:
    """What a roost command printed."""
    done = subprocess.run(
        [sys.executable, "-m", "roost", "--profile", str(profile), "--json", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, lines
    return lines


@dataclass
class Person:
    """A person's profile, their browser window, and everything that the window complained of."""

    name: str
    profile: Path
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, other: str) -> None:
        """Open a conversation."""
        name = self.page.locator(".row-name", has_text=re.compile(rf"^{re.escape(other)}$"))
        self.page.locator("button.row", has=name).first.click()
        self.page.locator(".composer textarea").wait_for()

    def say(self, text: str) -> None:
        self.page.locator(".composer textarea").fill(text)
        self.page.keyboard.press("Enter")

    def sees(self, text: str) -> None:
        """Wait until a message with this text is in the history."""
        self.page.locator(".history .bubble", has_text=text).last.wait_for(timeout=WAIT_S * 1000)

    def marks(self, text: str, state: str) -> None:
        """Wait until one's own message has come so far."""
        bubble = self.page.locator(".message.mine", has_text=text).last
        bubble.locator(f".marks.{state}").wait_for(timeout=WAIT_S * 1000)

    def menu(self, text: str, item: str) -> None:
        """Choose something from a message's menu."""
        message = self.page.locator(".message", has_text=text).last
        message.hover()
        message.get_by_role("button", name="More").click()
        self.page.get_by_role("menuitem", name=item, exact=True).click()

    def settings(self, page: str) -> None:
        """Open a page of the settings."""
        self.page.keyboard.press("Control+,")
        self.page.get_by_role("tab", name=page).click()

    def close(self) -> None:
        """Close the dialog that is open."""
        self.page.get_by_role("dialog").get_by_role("button", name="Close").click()
        self.page.get_by_role("dialog").wait_for(state="detached")

    def told(self, text: str) -> None:
        """Wait for a short notice."""
        self.page.locator(".toast", has_text=text).first.wait_for()

    def more(self, item: str) -> None:
        """Choose something from the conversation's menu."""
        self.page.get_by_role("button", name="More about this conversation").click()
        self.page.get_by_role("menuitem", name=item, exact=True).click()


class Stage:
    """A relay, and whoever is made at it."""

    def __init__(self, folder: Path, browser: Browser, relay: str, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.browser = browser
        self.relay = relay
        self._stack = stack

    def profile(self, name: str, folder: str = "") -> Path:
        """A new profile, without a window."""
        path = self.folder / (folder or name.lower())
        command(path, "init", "--name", name, "--relay", self.relay, "--no-passphrase")
        return path

    def person(self, name: str, folder: str = "", **options: Any) -> Person:
        """A new profile with its app in a browser of its own."""
        return self.window(name, *self._served(name, folder), **options)

    def people(self, *names: str) -> list[Person]:
        """Several at once: their processes start side by side."""
        with ThreadPoolExecutor() as pool:
            served = list(pool.map(self._served, names))
        return [self.window(name, *one) for name, one in zip(names, served, strict=True)]

    def _served(self, name: str, folder: str = "") -> tuple[Path, str]:
        path = self.profile(name, folder)
        return path, self._stack.enter_context(roost("--profile", str(path), "--no-browser"))["url"]

    def window(
        self, name: str, profile: Path, url: str, browser: Browser | None = None, init: str = "", **options: Any
    ) -> Person:
        """The app in a browser of its own; `init` is a script that runs before the page's."""
        context = (browser or self.browser).new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        self._stack.callback(context.close)
        if init:
            context.add_init_script(init)
        return opened(context, name, profile, url)

    def host(self, folder: str) -> tuple[Path, str]:
        """The app over a folder without a profile: its address."""
        path = self.folder / folder
        return path, self._stack.enter_context(roost("--profile", str(path), "--no-browser"))["url"]


def opened(context: BrowserContext, name: str, profile: Path, url: str) -> Person:
    if JITTER_MS:
        context.add_init_script(f"{JITTER}({JITTER_MS})")
    page = context.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    person = Person(name, profile, page, url)
    page.on("console", lambda message: person.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    own = url.split("#")[0]
    page.on("request", lambda request: None if _own(request.url, own) else person.foreign.append(request.url))
    page.goto(url)
    return person


def _own(url: str, own: str) -> bool:
    return url.startswith((own, own.replace("http:", "ws:"), "blob:", "data:"))


@contextlib.contextmanager
def stage(folder: Path, browser: Browser) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        ready = stack.enter_context(roost("relay", "--data", str(folder / "relay"), "--listen", "127.0.0.1:0"))
        yield Stage(folder, browser, ready["link"], stack)


def befriend(first: Person, second: Person) -> None:
    """By command, for tests that are about something else."""
    link = command(first.profile, "invite")[0]["link"]
    command(second.profile, "add", link, "--greeting", "Hello")
    first.page.get_by_role("button", name="Accept").click()
    for person, other in ((first, second), (second, first)):
        person.open(other.name)
    first.say("first")
    second.sees("first")
