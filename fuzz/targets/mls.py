"""Targets of the MLS structures (RFC 9420): messages as they travel, and what lies inside them."""

from __future__ import annotations

from typing import Any

from fuzz.tools import Choices, Target, insist, only
from roost.crypto.mls.codec import Structure
from roost.crypto.mls.framing import AuthenticatedContent, FramedContent, MlsMessage, PrivateMessage, PublicMessage
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import LeafNode
from roost.crypto.mls.welcome import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from roost.errors import CryptoError

KINDS: tuple[type[Structure], ...] = (
    MlsMessage,
    PublicMessage,
    PrivateMessage,
    KeyPackage,
    LeafNode,
    Welcome,
    GroupInfo,
    GroupSecrets,
    EncryptedGroupSecrets,
    FramedContent,
    AuthenticatedContent,
)


def structure(data: bytes) -> None:
    """The first byte names the kind, the others are its encoding."""
    choices = Choices(data)
    kind: Any = KINDS[choices.below(len(KINDS))]
    encoded = choices.rest()
    with only(CryptoError):
        value = kind.decode(encoded)
        insist(value.encode() == encoded, "another encoding was accepted")
        insist(kind.decode(value.encode()) == value, "what is encoded does not come back")


TARGETS = (Target("mls-structures", structure, "every structure has one encoding; else CryptoError"),)
