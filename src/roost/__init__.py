"""Roost, a private messenger. As a library:

    async with roost.open(profile) as me:
        async for event in me.events():
            if isinstance(event, roost.Message):
                await event.reply("Hello")

docs/api.md describes it. Everything is imported on first use, so that `import roost.wire` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.apps.library import Channel, ContactRequest, Group, Me, Message, open
    from roost.errors import RoostError

__version__ = "0.1.0"
__all__ = ["Channel", "ContactRequest", "Group", "Me", "Message", "RoostError", "__version__", "open"]


def __getattr__(name: str) -> Any:
    if name == "RoostError":
        from roost.errors import RoostError

        return RoostError
    if name in {"Channel", "ContactRequest", "Group", "Me", "Message", "open"}:
        from roost.apps import library

        return getattr(library, name)
    raise AttributeError(f"module 'roost' has no attribute {name!r}")
