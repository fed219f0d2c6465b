"""One run of one command: its profile, its output, its passphrase, and the backend that carries out its operations."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from roost.apps.cli.common import chosen_profile, wants_json
from roost.apps.cli.output import Output
from roost.errors import CallerError

if TYPE_CHECKING:
    from roost.agent.operations import Backend, Request

T = TypeVar("T")
R = TypeVar("R")


class PassphraseNeeded(CallerError):
    """The profile opens with a passphrase, and nobody is there to type it."""

    code = "passphrase_needed"
    hint = "Set ROOST_PASSPHRASE, or run the command in a terminal."


class Session:
    """What a command has at hand."""

    def __init__(self, context: click.Context) -> None:
        self.out = Output(json=wants_json(context))
        self.profile: Path = chosen_profile(context)
        self.known_passphrase: str | None = None  # typed already in this run

    @property
    def json(self) -> bool:
        return self.out.json

    @property
    def interactive(self) -> bool:
        """A person sits at the keyboard and sees words, not JSON."""
        return not self.json and sys.stdin.isatty()

    def call(self, request: Request[R]) -> R:
        """Carry out one operation, with a spinner for a person when it takes over a second."""
        return self.run(lambda backend: backend.call(request))

    def run(self, work: Callable[[Backend], Awaitable[T]], *, share: bool = False) -> T:
        """Open the profile (or ask its agent), do `work`, close it. Ctrl-C ends `work` cleanly.

        `share` lets other commands in while this one holds the profile.
        """
        return asyncio.run(self._work(work, share))

    async def _work(self, work: Callable[[Backend], Awaitable[T]], share: bool) -> T:
        from roost.agent.connect import open_backend
        from roost.apps.cli.progress import watched

        async with open_backend(self.profile, self.passphrase, share=share) as backend:
            if self.json or not sys.stderr.isatty():
                return await work(backend)
            return await watched(backend, work(backend))

    def passphrase(self) -> str:
        """ROOST_PASSPHRASE, or typed. Raises PassphraseNeeded where there is neither it nor a keyboard."""
        if self.known_passphrase is None:  # an empty variable is as good as none
            self.known_passphrase = os.environ.get("ROOST_PASSPHRASE") or self.ask_passphrase("Passphrase")
        return self.known_passphrase

    def known_or_set_passphrase(self) -> str | None:
        """The passphrase if it needs no asking."""
        return self.known_passphrase or os.environ.get("ROOST_PASSPHRASE") or None

    def ask_passphrase(self, prompt: str, *, twice: bool = False, message: str = "This profile is locked.") -> str:
        if not sys.stdin.isatty():
            raise PassphraseNeeded(message)
        with _ctrl_c_at_once():
            answer: str = click.prompt(prompt, hide_input=True, err=True, confirmation_prompt=twice)
        return answer

    def confirm(self, question: str, *, yes: bool) -> None:
        """Before something is lost: ask a person. Scripts (`--json`, no keyboard) have decided already."""
        if not yes and self.interactive:
            with _ctrl_c_at_once():
                click.confirm(question, abort=True, err=True)


@contextmanager
def _ctrl_c_at_once() -> Iterator[None]:
    """While a person is asked: an event loop would take Ctrl-C and act on it only after the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def session() -> Session:
    """The session of the command that is running."""
    return Session(click.get_current_context())


def text_argument(text: str) -> str:
    """A text from the command line or, for `-`, from stdin (without its last line end). Raises CallerError."""
    if text == "-":
        raw = sys.stdin.buffer.read()
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise CallerError("What came on stdin is not UTF-8 text.", hint="Send it as a file: --file PATH") from error
        return text.removesuffix("\n").removesuffix("\r")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CallerError("This text is not valid UTF-8.") from error
    return text


def absolute(path: str) -> str:
    """The agent may run elsewhere: what it gets are absolute paths."""
    return os.path.abspath(os.path.expanduser(path))
