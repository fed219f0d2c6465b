"""Who a member is in Roost: a basic credential of account key and device signing key (docs/protocol/mls.md).

The core takes any credential; this module is the one convention that Roost's groups follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.keys import VerifyKey
from roost.crypto.mls.epoch import Member
from roost.crypto.mls.errors import InvalidChange
from roost.crypto.mls.leaf import BASIC, Credential

_KEY_SIZE: Final = 32


@dataclass(frozen=True)
class DeviceIdentity:
    """A device of an account. That the account's device list certifies it is for the caller to check."""

    account: VerifyKey
    device: VerifyKey

    def credential(self) -> Credential:
        """64 bytes of identity: account key, device signing key."""
        return Credential.basic(self.account.raw + self.device.raw)

    @classmethod
    def of(cls, member: Member) -> DeviceIdentity:
        """Raises InvalidChange unless the credential is Roost's and names the key that signs for the member."""
        identity = member.credential.value
        if member.credential.type != BASIC or len(identity) != 2 * _KEY_SIZE:
            raise InvalidChange("a member's credential is none of Roost's")
        if identity[_KEY_SIZE:] != member.signature_key:
            raise InvalidChange("a member's credential names another key")
        return cls(VerifyKey(identity[:_KEY_SIZE]), VerifyKey(identity[_KEY_SIZE:]))
