"""The base of everything that holds a secret: it does not print itself, is not pickled, is not compared by accident."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Redacted `repr`, refuses pickling and copying (copying would go through pickling)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: redacted>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} refuses pickling")
