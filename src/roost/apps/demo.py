"""`make run`: a relay and two people on this machine, a greeting both ways, then the web app of each of them.

Everything is real (a relay process, two profiles, end-to-end encryption), in a folder that is deleted in the end.
`--once` ends after the greeting; `--terminal`, or a web app that is not built: two prompts in one terminal.
Place: apps; it goes by the library and the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

import roost
from roost.agent import processes
from roost.agent.events import ContactEvent, ReceiptEvent
from roost.agent.views import MessageState
from roost.apps.cli.formats import safe
from roost.apps.cli.render import MARKS
from roost.apps.web.pair import windows
from roost.apps.web.site import Site
from roost.errors import RoostError, SurroundingsError

_START_S = 20.0
_GREETING_S = 30.0
_STOP_S = 6.0
_COLOURS = {"Alice": "magenta", "Bob": "cyan"}
_GREETINGS = (("Alice", "Hello Bob, can you read this?"), ("Bob", "I can, Alice, and nobody between us."))


class Ready(msgspec.Struct):
    """The relay's first line."""

    link: str
    listen: str


class Stage:
    """The terminal: what each of the two does and sees."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, emoji=False)

    def step(self, text: str) -> None:
        self._console.print(Text("· ", style="dim").append(text))

    def says(self, who: str, text: str) -> None:
        self._console.print(Text(f"{who} writes: ", style=f"bold {_COLOURS[who]}").append(safe(text), style="default"))

    def sees(self, who: str, text: str, end: str = "") -> None:
        line = Text(f"    {who} sees: ", style=_COLOURS[who]).append(safe(text), style="default")
        self._console.print(line.append(end, style="dim"))

    def heading(self, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))

    def plain(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


@asynccontextmanager
async def relay_process(folder: Path) -> AsyncIterator[Ready]:
    """A relay of its own, on a free port of this machine, as long as the context lasts."""
    command = (sys.executable, "-m", "roost", "relay", "--data", str(folder), "--listen", "127.0.0.1:0", "--json")
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, stdin=nothing, stdout=pipe, stderr=nothing, start_new_session=True
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            line = await process.stdout.readline()
        yield msgspec.json.decode(line, type=Ready)
    except (TimeoutError, msgspec.MsgspecError) as error:
        raise SurroundingsError(
            "The relay did not start.", hint="Try it alone: roost relay --data ./relay --listen 127.0.0.1:0"
        ) from error
    finally:
        await processes.end(process, _STOP_S)


class Person:
    """Alice or Bob, with what they hear."""

    def __init__(self, name: str, me: roost.Me) -> None:
        self.name = name
        self.me = me
        self.other = "Bob" if name == "Alice" else "Alice"
        self.accepted = asyncio.Event()
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self._delivered: dict[str, asyncio.Event] = {}

    async def listen(self, stage: Stage) -> None:
        """Show what comes in; accept whoever asks."""
        async for event in self.me.events():
            match event:
                case roost.ContactRequest():
                    stage.sees(self.name, f"{event.name} asks to become a contact: {event.greeting}")
                    await event.accept()
                case roost.Message(mine=False):
                    stage.sees(self.name, event.text)
                    await event.mark_read()
                    self.heard.put_nowait(event.text)
                case ContactEvent(change="accepted"):
                    self.accepted.set()
                case ReceiptEvent(state=MessageState.READ):
                    stage.sees(self.name, f"{self.other} has read it ", MARKS[MessageState.READ].plain)

    async def say(self, stage: Stage, text: str) -> None:
        stage.says(self.name, text)
        await self.me.send(self.other, text)


@asynccontextmanager
async def person(name: str, folder: Path, relay: str) -> AsyncIterator[Person]:
    """A new profile, opened."""
    from roost.agent.service import create_profile

    await create_profile(folder, name, relay, None, "none")
    async with roost.open(folder) as me:
        yield Person(name, me)


async def greet(stage: Stage, alice: Person, bob: Person) -> None:
    """Invitation, request, acceptance, and a message each way."""
    link = (await alice.me.invite()).link
    stage.step(f"Alice makes an invitation: {link[:28]}…")
    await bob.me.add(link, "It is me, Bob.")
    stage.step("Bob opens it and asks to become a contact.")
    await asyncio.gather(alice.accepted.wait(), bob.accepted.wait())
    stage.step("Alice accepted: both are contacts now, with keys that nobody else has.")
    people = {"Alice": alice, "Bob": bob}
    for speaker, text in _GREETINGS:
        await people[speaker].say(stage, text)
        await people[people[speaker].other].heard.get()


async def converse(stage: Stage, alice: Person, bob: Person) -> None:
    """Two prompts in one terminal: `a: …` is Alice, `b: …` is Bob, no prefix whoever spoke last."""
    stage.heading("Now you: a: your words (Alice writes), b: your words (Bob writes). An empty line or Ctrl-D ends.")
    people = {"a": alice, "b": bob}
    speaker = alice
    lines = _typed_lines()
    while True:
        print(f"{speaker.name.lower()}> ", end="", flush=True)
        line = await lines.get()
        if not line.strip():
            return
        prefix, colon, rest = line.partition(":")
        if colon and prefix.strip().lower() in people:
            speaker, line = people[prefix.strip().lower()], rest
        if not line.strip():
            continue
        listener = bob if speaker is alice else alice
        while not listener.heard.empty():
            listener.heard.get_nowait()
        await speaker.say(stage, line.strip())
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await listener.heard.get()


def _typed_lines() -> asyncio.Queue[str]:
    """Lines from the keyboard, ended by an empty one. A daemon thread waits for them: nothing else can be cut short."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        buffer = b""
        while data := os.read(0, 65_536):
            *complete, buffer = (buffer + data).split(b"\n")
            for line in complete:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode(errors="replace"))
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(lines.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    return lines


async def play(folder: Path, *, once: bool, terminal: bool) -> None:
    stage = Stage()
    stage.heading("Roost: two people, one relay, on this machine")
    in_windows = not once and not terminal and Site().built
    async with relay_process(folder / "relay") as relay:
        stage.step(f"A relay listens at {relay.listen}. It keeps sealed envelopes.")
        await meet(stage, folder, relay, prompts=not once and not in_windows)
        if in_windows:
            await show_windows(stage, folder)
    _what_next(stage)


async def show_windows(stage: Stage, folder: Path) -> None:
    """Both people's apps, until Ctrl-C."""
    async with windows({"Alice": folder / "alice", "Bob": folder / "bob"}) as links:
        stage.heading("Now you: write as Alice and as Bob, in two windows of your browser. Ctrl-C ends.")
        for name, link in links.items():
            stage.plain(f"  {name}:  {link}")
        stage.plain("  (Each address works once. Prompts in the terminal instead: make run TERMINAL=1)")
        await asyncio.Event().wait()


async def meet(stage: Stage, folder: Path, relay: Ready, *, prompts: bool) -> None:
    """Two people become contacts and greet each other; then, if wanted, they write at two prompts."""
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(person("Alice", folder / "alice", relay.link))
        bob = await stack.enter_async_context(person("Bob", folder / "bob", relay.link))
        listening = [asyncio.create_task(one.listen(stage)) for one in (alice, bob)]
        try:
            async with asyncio.timeout(_GREETING_S):
                await greet(stage, alice, bob)
            await asyncio.sleep(0.2)  # lets the last receipt be seen
            if prompts:
                await converse(stage, alice, bob)
        except TimeoutError as error:
            raise SurroundingsError("The greeting did not arrive in time.") from error
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)


def _what_next(stage: Stage) -> None:
    stage.heading("What next")
    stage.plain("  Host a relay:        roost relay --data ./relay --listen 0.0.0.0:7777")
    stage.plain("  Make your profile:   roost init --name YOU --relay 'THE LINK THAT IT PRINTS'")
    stage.plain("  Invite someone:      roost invite --qr        and later: roost requests, roost accept NAME")
    stage.plain("  Write:               roost send NAME 'Hello'  and: roost listen, roost read NAME")
    stage.plain("  Everything else:     roost --help  (in this folder: .venv/bin/roost, or: pip install .)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m roost.apps.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the greeting")
    parser.add_argument("--terminal", action="store_true", help="prompts in this terminal instead of the web app")
    chosen = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal ends it as Ctrl-C does: nothing goes on alone
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    with tempfile.TemporaryDirectory(prefix="roost-demo-") as folder:
        try:
            asyncio.run(play(Path(folder), once=chosen.once, terminal=chosen.terminal))
        except KeyboardInterrupt:
            return 0
        except RoostError as error:
            print(f"roost: {error.message} {error.hint}".rstrip(), file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
