"""The table from requests to the functions that carry them out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from roost.agent.operations import Request

if TYPE_CHECKING:
    from roost.agent.service import Service

Q = TypeVar("Q", bound=Request[Any])
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Handler:
    """`unlinked`: works on a device that waits to be linked, too."""

    run: Callable[[Service, Any], Awaitable[Any]]
    unlinked: bool = False


HANDLERS: dict[type[Request[Any]], Handler] = {}


def handles(
    request: type[Q], *, unlinked: bool = False
) -> Callable[[Callable[[Service, Q], Awaitable[A]]], Callable[[Service, Q], Awaitable[A]]]:
    """Register the function that carries out `request`."""

    def register(run: Callable[[Service, Q], Awaitable[A]]) -> Callable[[Service, Q], Awaitable[A]]:
        HANDLERS[request] = Handler(run, unlinked)
        return run

    return register
