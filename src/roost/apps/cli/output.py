"""Where results go: JSON lines on stdout with `--json`, words and tables for people otherwise; errors for both."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from roost.errors import RoostError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPE_WIDTH = 160  # without a terminal nothing should wrap early


class Output:
    """One command's output. With `json` nothing but JSON objects, one a line, reaches stdout."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """For people; never used with `--json`."""
        if self._console is None:
            self._console = _console(stderr=False)
        return self._console

    def line(self, value: object, **more: object) -> None:
        """One line: `value`, a Struct or mapping, and further keys. For `--json` only."""
        import msgspec  # what is printed for people mostly comes without

        fields: dict[str, Any] = dict(value) if isinstance(value, Mapping) else msgspec.to_builtins(value)
        encoded = msgspec.json.encode({**more, **fields}) + b"\n"
        sys.stdout.buffer.write(encoded)
        sys.stdout.buffer.flush()

    def lines(self, values: Iterable[object], **more: object) -> None:
        for value in values:
            self.line(value, **more)

    def say(self, *parts: RenderableType) -> None:
        """A line or a table for people, on stdout; nothing with `--json`."""
        if not self.json:
            self.console.print(*parts, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """A remark beside the result, on stderr."""
        print(text, file=sys.stderr, flush=True)

    def error(self, error: RoostError) -> None:
        """The one place where a refusal is written: a JSON object on stdout, or a sentence and its hint on stderr."""
        if self.json:
            self.line({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
            return
        self.note(f"roost: {error.message}")
        if error.hint:
            self.note(f"       {error.hint}")


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPE_WIDTH, emoji=False)


def stderr_console() -> Console:
    """For progress bars and spinners, which never mix with results."""
    return _console(stderr=True)
