"""An onion node's packet keys on disk, and the list of packets that each has opened.

N.key    the packet key of period N, erased when its time is over
N.tags   8 bytes for each packet that it opened
run      which run of the machine this node works in; gone after a clean stop

A tag is with the operating system before its packet goes on, so a node that was killed accepts none twice. It is not
flushed to the disk, which would cost more than all the rest: after a power cut the keys are made anew instead, and the
node is of no use to others until the directory has told them (docs/decisions/0028).
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

from roost.crypto import Entropy, PacketSecret
from roost.errors import CryptoError, SurroundingsError
from roost.relay.core.onion_packets import TAG_SIZE, NodeKey, NodeKeys, is_over
from roost.relay.core.packets import TagSet
from roost.relay.files import erase, write_secret

_PIECE = 65_536
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class KeyFiles:
    """The folder with the keys of the node whose identity key is `own`. `open` gives what is in force."""

    def __init__(self, folder: Path, own: bytes, entropy: Entropy) -> None:
        self._folder = folder
        self._own = own
        self._entropy = entropy
        self._tags: dict[int, int] = {}  # descriptors by period

    def open(self, period: int) -> NodeKeys:
        """The keys of `period` and those that go with it. Raises SurroundingsError."""
        with _mapped():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._power_was_cut():
                for path in self._folder.glob("*.key"):
                    self._erase(int(path.stem))
            write_secret(self._folder / "run", _this_run())
            loaded = list(self._loaded(period))
        keys = NodeKeys(self._own, loaded, self._remember)
        self.rotate(keys, period)
        return keys

    def rotate(self, keys: NodeKeys, period: int) -> None:
        """Make the keys that are due and erase those whose time is over. Raises SurroundingsError."""
        with _mapped():
            for over in keys.retire(period):
                self._erase(over)
            for due in keys.due(period):
                secret = PacketSecret.generate(self._entropy)
                write_secret(self._folder / f"{due}.key", secret.to_bytes())
                keys.add(NodeKey(due, secret, TagSet()))

    def close(self) -> None:
        """Everything is on the disk when this returns."""
        with contextlib.suppress(OSError):
            for descriptor in self._tags.values():
                os.fsync(descriptor)
            (self._folder / "run").unlink(missing_ok=True)
        for descriptor in self._tags.values():
            os.close(descriptor)
        self._tags.clear()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _loaded(self, period: int) -> Iterator[NodeKey]:
        for path in sorted(self._folder.glob("*.key")):
            number = int(path.stem)
            try:
                if is_over(number, period):
                    raise CryptoError("its time is over")
                secret = PacketSecret.from_bytes(path.read_bytes())
            except CryptoError:
                self._erase(number)
                continue
            yield NodeKey(number, secret, TagSet(self._remembered(number)))

    def _remembered(self, period: int) -> Iterator[int]:
        """Piece by piece: it may be hundreds of megabytes."""
        with contextlib.suppress(FileNotFoundError), (self._folder / f"{period}.tags").open("rb") as file:
            while data := file.read(_PIECE):
                yield from array("Q", data[: len(data) // TAG_SIZE * TAG_SIZE])

    def _remember(self, period: int, tag: int) -> bool:
        try:
            if period not in self._tags:
                path = self._folder / f"{period}.tags"
                self._tags[period] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            return os.write(self._tags[period], array("Q", (tag,)).tobytes()) == TAG_SIZE
        except OSError:
            return False

    def _erase(self, period: int) -> None:
        descriptor = self._tags.pop(period, None)
        if descriptor is not None:
            os.close(descriptor)
        erase(self._folder / f"{period}.key")
        (self._folder / f"{period}.tags").unlink(missing_ok=True)

    def _power_was_cut(self) -> bool:
        """Whether the machine ended under a node that worked with these keys."""
        try:
            return (self._folder / "run").read_bytes() != _this_run()
        except FileNotFoundError:
            return False


def _this_run() -> bytes:
    """Differs after each start of the machine; where that cannot be told, each start of a node counts as one."""
    try:
        return _BOOT_ID.read_bytes()
    except OSError:
        return os.urandom(16)


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise SurroundingsError(
            "The node's packet keys cannot be kept.",
            code="data_unusable",
            hint="Check that the data directory belongs to this user and has free space.",
        ) from error
