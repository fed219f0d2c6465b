"""Channels as this profile knows them, and who it met there."""

from __future__ import annotations

from typing import ClassVar

from roost.messaging.rows.base import Row
from roost.wire.addresses import HostAddress


class ChannelRow(Row, frozen=True):
    """A channel that this profile reads. `seed` makes its own pseudonym there: the owner's key where `own`."""

    table: ClassVar[str] = "channel"
    key: ClassVar[tuple[str, ...]] = ("id",)
    id: bytes
    secret: bytes
    relay: HostAddress
    log: bytes
    seed: bytes
    name: str  # what I go by there
    own: bool
    joined_at: int
    title: str = ""
    state: bytes = b""  # the encoded wire.channels.SignedRecord in force; empty until one was seen
    version: int = 0
    seen_at: int = 0  # when that state was last seen in the log
    counter: int = 0  # of what this device said there
    clock: int = 0  # the newest time that the owner or a moderator gave something
    removed: tuple[bytes, ...] = ()  # posts that the owner or a moderator removed, the newest last
    own_put: bytes = b""  # the owner's or my role's own capability to write
    refused: str = ""  # why a post of mine was not shown, last
    posted_at: int = 0  # when I posted last


class ChannelMember(Row, frozen=True):
    """A pseudonym that posted, has a role or is banned. `put` and `sealed` are its own capability, for the owner."""

    table: ClassVar[str] = "channel_member"
    key: ClassVar[tuple[str, ...]] = ("channel", "key_bytes")
    channel: bytes
    key_bytes: bytes
    name: str = ""
    role: int = 0  # wire.channels.ChannelRole
    banned: bool = False
    banned_at: int = 0  # the time of the word about that
    posted_at: int = 0  # the time that its newest post gave
    put: bytes = b""
    sealed: bytes = b""


class ChannelHeld(Row, frozen=True):
    """A record that came before any state: judged once there is one."""

    table: ClassVar[str] = "channel_held"
    key: ClassVar[tuple[str, ...]] = ("channel", "number")
    channel: bytes
    number: int
    record: bytes
