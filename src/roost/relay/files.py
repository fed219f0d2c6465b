"""The relay's data directory: made with owner-only rights, used by one process, its secrets in files of their own.

relay.key           the identity: 32-byte Ed25519 seed in hex; losing it changes the relay's link
access              the access secret that was made because none was given
home.key            of a relay that is met over carriers: link key, meeting and the seed of its onion service, in hex
tor/                what the tor of such a relay keeps
tls.crt, tls.key    the self-made certificate
onion/              of a node or authority of an onion network (relay.onion)
packet-keys/N.key   the packet key of week N since 1970, erased when its time is over
relay.db*           mailboxes, blobs and cards
relay.reserve       room that is given up on a full disk, so that mail can still be fetched and deleted
lock                held while a relay runs
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from roost.crypto import AgreementSecret, Entropy, PacketSecret, SigningKey
from roost.errors import CryptoError, SurroundingsError
from roost.wire.sizes import MEETING_SIZE

_ACCESS_BYTES = 16
_HOME_SIZE = 32 + MEETING_SIZE + 32
_LOCK_S = 1.0  # the writer of a relay that was killed finishes its transaction first


def write_secret(path: Path, data: bytes) -> None:
    """Write `data` to a file that only the owner may read; all of it or nothing is there after a power cut."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    _sync_directory(path.parent)


def erase(path: Path) -> None:
    """Overwrite and delete. On a drive that moves blocks about or a file system that copies, old bytes may survive."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class HomeKeys:
    """What a relay that is met over carriers is known by: its link key, the meeting in its link (16 bytes), and the
    seed of its onion service (32 bytes)."""

    link: AgreementSecret
    meeting: bytes
    onion_seed: bytes

    def __repr__(self) -> str:
        return "HomeKeys()"


class DataDirectory:
    """The directory of one relay. A context manager that holds its lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Raises SurroundingsError: cannot be made or written, or another relay uses it."""
        with _mapped():
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._path / "packet-keys").mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + _LOCK_S
        while not self._locked():
            if time.monotonic() > until:
                os.close(self._lock)
                raise SurroundingsError(
                    "Another relay already runs on this data directory.",
                    code="data_in_use",
                    hint="Stop it first, or give this one another --data directory.",
                )
            time.sleep(_LOCK_S / 50)
        return self

    def _locked(self) -> bool:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    @property
    def held(self) -> tuple[int, ...]:
        """The lock's descriptor, for processes that belong to this relay and may outlive it for a moment."""
        return () if self._lock is None else (self._lock,)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def database(self) -> Path:
        return self._path / "relay.db"

    @property
    def carriers(self) -> Path:
        """What programs that carriers use keep, in folders named like the carriers."""
        return self._path

    @property
    def onion(self) -> Path:
        """What the relay keeps as a node, or an authority, of an onion network."""
        return self._path / "onion"

    @property
    def certificate(self) -> Path:
        return self._path / "tls.crt"

    @property
    def certificate_key(self) -> Path:
        return self._path / "tls.key"

    def identity(self, entropy: Entropy) -> SigningKey:
        """The relay's identity key, made at the first start."""
        try:
            return SigningKey.from_seed(self._kept("relay.key", 32, entropy))
        except (ValueError, CryptoError) as error:
            raise _damaged("relay.key") from error

    def home(self, entropy: Entropy) -> HomeKeys:
        """What the relay is known by over carriers, made when it first has any."""
        try:
            kept = self._kept("home.key", _HOME_SIZE, entropy)
            link, rest = kept[:32], kept[32:]
            return HomeKeys(AgreementSecret.from_bytes(link), rest[:MEETING_SIZE], rest[MEETING_SIZE:])
        except (ValueError, CryptoError) as error:
            raise _damaged("home.key") from error

    def _kept(self, name: str, size: int, entropy: Entropy) -> bytes:
        """Random bytes in a file of their own, made at the first time. Raises ValueError when they are damaged."""
        path = self._path / name
        with _mapped():
            if not path.exists():
                write_secret(path, entropy.bytes(size).hex().encode() + b"\n")
            text = path.read_text()
        secret = bytes.fromhex(text.strip())
        if len(secret) != size:
            raise ValueError("a secret of another size")
        return secret

    def access(self, entropy: Entropy) -> str:
        """The access secret made for this relay, at the first start without one."""
        path = self._path / "access"
        with _mapped():
            if not path.exists():
                write_secret(path, entropy.bytes(_ACCESS_BYTES).hex().encode() + b"\n")
            return path.read_text().strip()

    def packet_secrets(self) -> Iterator[tuple[int, PacketSecret]]:
        """The packet keys on disk by period; damaged ones are erased."""
        for path in sorted((self._path / "packet-keys").glob("*.key")):
            try:
                yield int(path.stem), PacketSecret.from_bytes(path.read_bytes())
            except (ValueError, CryptoError):
                erase(path)

    def keep_packet_secret(self, period: int, secret: PacketSecret) -> None:
        with _mapped():
            write_secret(self._packet_path(period), secret.to_bytes())

    def erase_packet_secret(self, period: int) -> None:
        with _mapped():
            erase(self._packet_path(period))

    def _packet_path(self, period: int) -> Path:
        return self._path / "packet-keys" / f"{period}.key"


def _damaged(name: str) -> SurroundingsError:
    return SurroundingsError(
        f"The file {name} in the data directory is damaged.",
        code="bad_identity",
        hint="Restore it from a backup; a new one changes the relay's link.",
    )


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SurroundingsError(
            "The relay's data directory cannot be used.",
            code="data_unusable",
            hint="Check that it can be made, belongs to this user and has free space.",
        ) from error
