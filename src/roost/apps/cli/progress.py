"""What a person sees while something takes time: a bar for each file, a spinner for anything over a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from roost.agent.events import TransferEvent
from roost.apps.cli.formats import one_line
from roost.apps.cli.output import stderr_console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from roost.agent.operations import Backend

T = TypeVar("T")
_PATIENCE_S = 1.0


async def watched(backend: Backend, work: Awaitable[T]) -> T:
    """Await `work` while the progress shows on stderr; the display is gone when it ends."""
    with _progress() as progress:
        watcher = asyncio.create_task(_watch(backend, progress))
        try:
            return await work
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher


def _progress() -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[at]}"),
    )
    return Progress(*columns, console=stderr_console(), transient=True)


async def _watch(backend: Backend, progress: Progress) -> None:
    """Show bars as files move. A backend that ends its events early ends only the display."""
    spinner = asyncio.create_task(_spin(progress))
    bars: dict[tuple[str, int], TaskID] = {}
    try:
        async for event in backend.events(from_now=True):
            if isinstance(event, TransferEvent):
                _show(progress, bars, event)
    finally:
        spinner.cancel()


async def _spin(progress: Progress) -> None:
    await asyncio.sleep(_PATIENCE_S)
    progress.add_task("Working", total=None, at="")


def _show(progress: Progress, bars: dict[tuple[str, int], TaskID], event: TransferEvent) -> None:
    from roost.apps.cli.formats import format_size

    key = (event.id, event.number)
    if key not in bars:
        bars[key] = progress.add_task(one_line(event.name, 40), total=max(event.total, 1), at="")
    at = f"{format_size(event.done)} of {format_size(event.total)}"
    progress.update(bars[key], completed=event.done, total=max(event.total, 1), at=at)
