"""What each operation does: a thin layer that names rows, runs steps of messaging and waits where the operation
says."""

from roost.agent.actions import (
    browsing,
    browsing_profile,
    channels,
    direct,
    group_links,
    groups,
    messages,
    people,
    polls,
    profile,
    routes,
)
from roost.agent.actions.registry import HANDLERS

__all__ = [
    "HANDLERS",
    "browsing",
    "browsing_profile",
    "channels",
    "direct",
    "group_links",
    "groups",
    "messages",
    "people",
    "polls",
    "profile",
    "routes",
]
