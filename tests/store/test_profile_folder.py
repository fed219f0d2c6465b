"""A profile's folder: made whole or not at all, opened by its passphrase only, by one process at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from store_support import PASSPHRASE, QUICK, SystemEntropy, child, code_of, make, next_line, reads, refusal

from roost.errors import RoostError
from roost.messaging.records import Changes, Setting
from roost.store import Passphrase, Profile, ProfileFolder, ProfileLock, Unprotected

# --- making ----------------------------------------------------------------------------------------------------------


def test_only_the_owner_may_read_anything(folder: Path, profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"hello")
    profile.files.add(tmp_path / "source")
    profile.store.apply(Changes(put=(Setting("a", b""),)))
    assert {path.name for path in folder.iterdir()} == {"profile.json", "roost.db", "roost.db-wal", "lock", "files"}
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_folder_that_others_may_enter_is_closed_to_them(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Unprotected(), entropy)
    folder.chmod(0o755)
    assert reads(folder, entropy)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_profile(tmp_path: Path, entropy: SystemEntropy) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in ("absent", ".", "file"):
        assert refusal(tmp_path / place, entropy) == "no_profile"


def test_a_profile_is_not_made_twice(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase(PASSPHRASE, QUICK), entropy)
    with pytest.raises(RoostError) as caught:
        ProfileFolder.create(folder, Unprotected(), entropy)
    assert code_of(caught.value) == "profile_exists"
    assert reads(folder, entropy, PASSPHRASE)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, entropy: SystemEntropy) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    mode = tmp_path.stat().st_mode
    with pytest.raises(RoostError) as caught:
        ProfileFolder.create(tmp_path, Unprotected(), entropy)
    assert code_of(caught.value) == "folder_not_empty"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode == mode


def test_what_was_not_finished_is_no_profile_and_can_be_begun_again(folder: Path, entropy: SystemEntropy) -> None:
    with ProfileFolder.create(folder, Unprotected(), entropy) as profile:
        profile.store.apply(Changes(put=(Setting("a", b"old"),)))
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert refusal(folder, entropy) == "no_profile"
    make(folder, Unprotected(), entropy)
    assert reads(folder, entropy)


CREATOR = """
import sys
from pathlib import Path
from store_support import SystemEntropy
from roost.messaging.records import Changes, Setting
from roost.store import ProfileFolder, Unprotected

profile = ProfileFolder.create(Path(sys.argv[1]), Unprotected(), SystemEntropy())
profile.store.apply(Changes(put=(Setting("a", b"old"),)))
print("begun", flush=True)
sys.stdin.read(1)
"""


def test_killed_while_it_was_made(folder: Path, entropy: SystemEntropy) -> None:
    with child(CREATOR, folder) as creator:
        next_line(creator)
        with pytest.raises(RoostError) as caught:
            ProfileFolder.create(folder, Unprotected(), entropy, wait_s=0)
        assert code_of(caught.value) == "profile_busy"
    assert (folder / "roost.db").exists()
    assert refusal(folder, entropy) == "no_profile"
    make(folder, Unprotected(), entropy)
    assert reads(folder, entropy)


def test_a_database_without_its_key_file_is_never_overwritten(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Unprotected(), entropy)
    kept = (folder / "profile.json").read_bytes()
    (folder / "profile.json").unlink()
    assert refusal(folder, entropy) == "profile_damaged"
    with pytest.raises(RoostError) as caught:
        ProfileFolder.create(folder, Unprotected(), entropy)
    assert code_of(caught.value) == "profile_exists"
    (folder / "profile.json").write_bytes(kept)
    assert reads(folder, entropy)


# --- the lock --------------------------------------------------------------------------------------------------------


def test_a_profile_in_use_is_busy_here_and_elsewhere(folder: Path, profile: Profile, entropy: SystemEntropy) -> None:
    assert refusal(folder, entropy, PASSPHRASE) == "profile_busy"
    profile.close()
    profile.close()
    ProfileFolder.open(folder).unlock(entropy, PASSPHRASE).close()


def test_a_wrong_passphrase_releases_the_lock(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase(PASSPHRASE, QUICK), entropy)
    assert refusal(folder, entropy, "wrong") == "wrong_passphrase"
    assert reads(folder, entropy, PASSPHRASE)


HOLDER = """
import sys, time
from pathlib import Path
from roost.store import ProfileLock

lock = ProfileLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read(1)
lock.release()
print("released", flush=True)
sys.stdin.read(1)
"""


def test_waits_for_the_other_process(tmp_path: Path) -> None:
    with child(HOLDER, tmp_path / "lock") as holder:
        next_line(holder)
        with pytest.raises(RoostError) as caught:
            ProfileLock(tmp_path / "lock", wait_s=0.1)
        assert code_of(caught.value) == "profile_busy"
        assert holder.stdin is not None
        holder.stdin.write("x")
        holder.stdin.flush()
        with ProfileLock(tmp_path / "lock", wait_s=10) as lock:
            assert lock.held
            assert next_line(holder) == "released"


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with child(HOLDER, tmp_path / "lock") as holder:
        next_line(holder)
        os.kill(holder.pid, 9)
        ProfileLock(tmp_path / "lock", wait_s=5).release()
