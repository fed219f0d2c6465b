"""What names and opens one stored file. Place: store, under files.py and download.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from roost.crypto import BLOB_PLAIN, AttachmentKey, blob_count
from roost.errors import CryptoError

NAME_SIZE: Final = 16  # random bytes, written in hexadecimal
DIGEST_SIZE: Final = 32
_NAME: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A stored file: its name in the folder, what opens it, its size in plain bytes.

    Raises ValueError for a name that FileStore does not make (it may never lead out of the folder), or a size out of
    bounds.
    """

    name: str
    key: AttachmentKey
    size: int

    def __post_init__(self) -> None:
        check_name(self.name)
        blob_count(self.size)

    @property
    def blobs(self) -> int:
        """How many blobs it has; at least one."""
        return blob_count(self.size)

    def plain_size(self, index: int) -> int:
        """How many plain bytes blob `index` holds."""
        return min(BLOB_PLAIN, self.size - index * BLOB_PLAIN)

    def open_blob(self, index: int, blob: bytes) -> bytes:
        """The plain bytes of blob `index`, verified against its place and the file's size. Raises CryptoError."""
        plain = self.key.open_blob(index, blob, last=index == self.blobs - 1)
        if len(plain) != self.plain_size(index):
            raise CryptoError("the attachment is not as long as announced", code="truncated")
        return plain


def check_name(name: str) -> str:
    """`name` if FileStore may have made it. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a stored file")
    return name
