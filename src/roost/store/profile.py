"""The profile's folder: everything of one account on one device. docs/protocol/profile-format.md.

`ProfileFolder` is a folder in which a profile is known to lie; it holds nothing open. `ProfileFolder.unlock` and
`create` give a `Profile`: lock held, database open. There is no other way to one; closing it releases everything.
Place: store's front; what it does not decide: where the folder lies, and who asks for the passphrase (apps), what a
running agent's socket means (agent).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from roost.crypto import Entropy
from roost.errors import CallerError
from roost.store import protection
from roost.store.database import KEY_SIZE
from roost.store.durable import OWNER_FOLDER, OWNER_ONLY, replace_file, sync_folder
from roost.store.failures import from_os, os_errors, profile_damaged
from roost.store.files import FileStore
from roost.store.lock import WAIT_S, ProfileLock
from roost.store.protection import KeyFile, ProfileKeys, Protection
from roost.store.store import Store

KEY_FILE: Final = "profile.json"
DATABASE: Final = "roost.db"
LOCK: Final = "lock"
FILES: Final = "files"
UNFINISHED: Final = "unfinished"  # there while a profile is being made; what stands beside it is worth nothing
SOCKET: Final = "agent.sock"
AGENT_FILE: Final = "agent.json"
_OURS: Final = frozenset(
    {KEY_FILE, KEY_FILE + ".new", DATABASE, DATABASE + "-wal", DATABASE + "-journal", DATABASE + "-shm"}
    | {LOCK, FILES, UNFINISHED, SOCKET, AGENT_FILE}
)
_MAX_KEY_FILE: Final = 16_384  # bytes; ours has a few hundred


@dataclass(frozen=True, slots=True)
class ProfileFolder:
    """A folder with a complete profile that this version can read."""

    path: Path
    key_file: KeyFile

    @classmethod
    def open(cls, path: Path) -> ProfileFolder:
        """Look, without locking or changing anything.

        Raises:
            CallerError: `no_profile`.
            SurroundingsError: `profile_too_new`, `profile_damaged`, `no_permission`.
        """
        path = path.absolute()
        return cls(path, _read_key_file(path))

    @property
    def protected_by(self) -> str:
        """`passphrase`, `keyring` or `none`."""
        return self.key_file.protected_by

    @property
    def needs_passphrase(self) -> bool:
        return self.key_file.needs_passphrase

    @property
    def socket_path(self) -> Path:
        """Where a running agent listens. Whoever holds the profile may take over what lies there."""
        return self.path / SOCKET

    @property
    def agent_file_path(self) -> Path:
        """What a running agent tells about itself."""
        return self.path / AGENT_FILE

    def unlock(self, entropy: Entropy, passphrase: str | None = None, *, wait_s: float = WAIT_S) -> Profile:
        """Take the lock (blocks the thread for at most `wait_s` seconds) and open the database.

        Raises:
            CallerError: `passphrase_needed`, `wrong_passphrase`, `no_profile`.
            SurroundingsError: `profile_busy`, `profile_damaged`, `profile_too_new`, `keyring_unavailable`,
                `keyring_entry_missing`, `no_permission`.
        """
        lock = ProfileLock(self.path / LOCK, wait_s)
        try:
            key_file = _read_key_file(self.path)  # again: it may have changed while we waited
            keys = protection.open_keys(key_file, passphrase)
            with os_errors():
                _restrict(self.path)
            if not (self.path / DATABASE).exists():
                raise profile_damaged()
            store = Store.open(self.path / DATABASE, keys.database)
            return Profile(self.path, key_file, lock, store, entropy)
        except BaseException:
            lock.release()
            raise

    @staticmethod
    def create(path: Path, chosen: Protection, entropy: Entropy, *, wait_s: float = WAIT_S) -> Profile:
        """Begin a new profile in `path`, which is made too or must be empty.

        It becomes one with `Profile.finish`; closed or killed before that, it is none and `create` may be repeated.

        Raises:
            CallerError: `profile_exists`, `folder_not_empty`, `empty_passphrase`.
            SurroundingsError: `profile_busy`, `disk_full`, `no_permission`, `keyring_unavailable`.
        """
        path = path.absolute()
        _check_free(path)
        with os_errors():
            path.mkdir(mode=OWNER_FOLDER, parents=True, exist_ok=True)
            _restrict(path)
        lock = ProfileLock(path / LOCK, wait_s)
        try:
            _check_free(path)  # again: somebody may have been faster
            with os_errors():
                _clear(path)
                (path / UNFINISHED).touch(OWNER_ONLY)
                (path / FILES).mkdir(OWNER_FOLDER)
                sync_folder(path)
            return _begin(path, chosen, lock, entropy)
        except BaseException:
            lock.release()
            raise


class Profile:
    """An unlocked profile: `store`, `files`, and the lock that makes them this process's alone."""

    def __init__(self, path: Path, key_file: KeyFile, lock: ProfileLock, store: Store, entropy: Entropy) -> None:
        """For ProfileFolder only."""
        self.path: Final = path
        self.store: Final = store
        self.files: Final = FileStore(path / FILES, entropy)
        self._key_file = key_file
        self._lock: Final = lock
        self._entropy: Final = entropy

    @property
    def folder(self) -> ProfileFolder:
        return ProfileFolder(self.path, self._key_file)

    def account_key(self, passphrase: str | None = None) -> bytes:
        """The 32-byte key that opens the account's signing key. Not kept: the passphrase is asked for each time.

        Raises CallerError `passphrase_needed`, `wrong_passphrase`.
        """
        return protection.open_keys(self._key_file, passphrase).account

    def finish(self) -> None:
        """What `ProfileFolder.create` began is complete, and from now on a profile. Harmless on any other."""
        with os_errors():
            (self.path / UNFINISHED).unlink(missing_ok=True)
            sync_folder(self.path)

    def protect(self, chosen: Protection, passphrase: str | None = None) -> None:
        """Change the passphrase, or what else protects the profile; `passphrase` is the one valid so far.

        Whenever the power fails, either the old or the new one opens the profile.

        Raises:
            CallerError: `passphrase_needed`, `wrong_passphrase`, `empty_passphrase`.
            SurroundingsError: `disk_full`, `keyring_unavailable`.
        """
        old = self._key_file
        new = protection.seal_keys(protection.open_keys(old, passphrase), chosen, self._entropy)
        try:
            with os_errors():
                replace_file(self.path / KEY_FILE, protection.encode(new))
        except BaseException:
            self._key_file = _parse_key_file(self.path)  # a failure after the renaming: the new one may be in force
            if self._key_file == old:
                protection.forget(new)
            raise
        self._key_file = new
        protection.forget(old)

    def close(self) -> None:
        """Release the database, then the lock; delete what was begun and not finished. Closing twice is harmless."""
        if not self._lock.held:
            return
        try:
            self.store.close()
            if (self.path / UNFINISHED).exists():
                protection.forget(self._key_file)
                with os_errors():
                    _clear(self.path)
        finally:
            self._lock.release()

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _begin(path: Path, chosen: Protection, lock: ProfileLock, entropy: Entropy) -> Profile:
    keys = ProfileKeys(entropy.bytes(KEY_SIZE), entropy.bytes(KEY_SIZE))
    key_file = protection.seal_keys(keys, chosen, entropy)
    try:
        with os_errors():
            replace_file(path / KEY_FILE, protection.encode(key_file))
        return Profile(path, key_file, lock, Store.create(path / DATABASE, keys.database), entropy)
    except BaseException:
        protection.forget(key_file)
        raise


# --- the folder ------------------------------------------------------------------------------------------------------


def _read_key_file(path: Path) -> KeyFile:
    """The key file of a complete profile."""
    if (path / UNFINISHED).exists() or not (path / KEY_FILE).exists():
        if (path / DATABASE).exists() and not (path / UNFINISHED).exists():
            raise profile_damaged(f"{KEY_FILE} is missing: this profile")
        raise CallerError(
            "There is no profile here.", code="no_profile", hint="Make one with: roost init --name NAME --relay LINK"
        )
    return _parse_key_file(path)


def _parse_key_file(path: Path) -> KeyFile:
    with os_errors(), (path / KEY_FILE).open("rb") as file:
        data = file.read(_MAX_KEY_FILE)
    return protection.decode(data)


def _check_free(path: Path) -> None:
    """Nothing of value, and nothing that is not ours, is where a profile is to be made."""
    try:
        names = {entry.name for entry in path.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os(error) from error
    if UNFINISHED in names:
        names -= _OURS
    if KEY_FILE in names or DATABASE in names:
        raise CallerError(
            "There is a profile here already.", code="profile_exists", hint="Choose another folder with --profile DIR."
        )
    if names - {LOCK}:
        raise CallerError(
            "The folder for the new profile holds other files.",
            code="folder_not_empty",
            hint="Choose a folder that is empty or does not exist yet with --profile DIR.",
        )


def _clear(path: Path) -> None:
    """Delete what an unfinished profile consists of, the mark that it is unfinished last."""
    shutil.rmtree(path / FILES, ignore_errors=True)
    for name in sorted(_OURS - {FILES, LOCK, UNFINISHED}):
        (path / name).unlink(missing_ok=True)
    sync_folder(path)
    (path / UNFINISHED).unlink(missing_ok=True)


def _restrict(path: Path) -> None:
    """Nobody but the owner may enter."""
    if path.stat().st_mode & 0o777 != OWNER_FOLDER:
        path.chmod(OWNER_FOLDER)
