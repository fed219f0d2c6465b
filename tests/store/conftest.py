"""What the store's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_support import KEY, PASSPHRASE, QUICK, SystemEntropy

from roost.store import FileStore, Passphrase, Profile, ProfileFolder, Store


@pytest.fixture
def entropy() -> SystemEntropy:
    return SystemEntropy()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "roost.db"


@pytest.fixture
def store(database: Path) -> Iterator[Store]:
    with Store.create(database, KEY) as store:
        yield store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "profile"


@pytest.fixture
def profile(folder: Path, entropy: SystemEntropy) -> Iterator[Profile]:
    """A finished profile with the passphrase PASSPHRASE."""
    with ProfileFolder.create(folder, Passphrase(PASSPHRASE, QUICK), entropy) as profile:
        profile.finish()
        yield profile


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of stored files."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def files(place: Path, entropy: SystemEntropy) -> FileStore:
    return FileStore(place, entropy)
