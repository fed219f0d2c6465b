"""What every request to the agent is: a Struct whose type parameter names its answer (operations.py, browsing.py)."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

R = TypeVar("R")

WAIT_S = 30.0
"""How long `sync` and `send --wait` wait unless told otherwise (docs/cli.md)."""

Wait = Annotated[float, Meta(ge=0, le=86_400)]
Duration = Annotated[int, Meta(ge=0, le=10 * 366 * 86_400)]


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request; R is its answer."""
