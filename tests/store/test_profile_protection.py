"""What protects a profile: passphrase, keyring or nothing, and changing it half-way."""

from __future__ import annotations

import base64
import errno
import json
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_support import PASSPHRASE, QUICK, SystemEntropy, child, code_of, make, next_line, reads, refusal

from roost.crypto import StretchParams, stretch, unwrap_secret
from roost.errors import RoostError
from roost.messaging.records import Changes, Setting
from roost.store import Keyring, Passphrase, Profile, ProfileFolder, Unprotected, durable
from roost.store.protection import decode


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that forgets everything at the end of the test."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


keyring.backend.KeyringBackend._classes.discard(MemoryKeyring)  # other tests shall not find it by themselves


@pytest.fixture
def backend() -> Iterator[MemoryKeyring]:
    before, backend = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


# --- passphrases -----------------------------------------------------------------------------------------------------


def test_only_the_passphrase_opens(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase(PASSPHRASE, QUICK), entropy)
    assert ProfileFolder.open(folder).needs_passphrase
    assert refusal(folder, entropy) == "passphrase_needed"
    for wrong in ("", "correct  horse", "Correct horse", "correct horse\n", "x" * 10_000):
        assert refusal(folder, entropy, wrong) == "wrong_passphrase"
    assert reads(folder, entropy, PASSPHRASE)


def test_the_same_letters_from_another_keyboard_open(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase("na\u00efve caf\u00e9", QUICK), entropy)
    assert reads(folder, entropy, "nai\u0308ve\u00a0cafe\u0301")


def test_an_empty_passphrase_is_refused_and_leaves_nothing(folder: Path, entropy: SystemEntropy) -> None:
    with pytest.raises(RoostError) as caught:
        ProfileFolder.create(folder, Passphrase(""), entropy)
    assert code_of(caught.value) == "empty_passphrase"
    make(folder, Unprotected(), entropy)


def test_the_cost_is_kept_beside_the_salt(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase(PASSPHRASE), entropy)
    written = json.loads((folder / "profile.json").read_text())["protection"]
    assert (written["memory_kib"], written["passes"]) == (65_536, 3)
    make(folder.with_name("other"), Passphrase(PASSPHRASE, StretchParams(64, 2)), entropy)
    assert reads(folder.with_name("other"), entropy, PASSPHRASE)


def test_the_key_file_opens_as_documented(folder: Path, profile: Profile) -> None:
    written = json.loads((folder / "profile.json").read_text())
    wrapping = stretch(PASSPHRASE, base64.b64decode(written["protection"]["salt"]), QUICK)
    keys = unwrap_secret(wrapping, base64.b64decode(written["keys"]))
    assert len(keys) == 64
    assert profile.account_key(PASSPHRASE) == keys[32:]


def test_the_account_key_asks_for_the_passphrase_each_time(profile: Profile) -> None:
    with pytest.raises(RoostError) as caught:
        profile.account_key()
    assert code_of(caught.value) == "passphrase_needed"
    with pytest.raises(RoostError) as caught:
        profile.account_key("wrong")
    assert code_of(caught.value) == "wrong_passphrase"


def test_changing_the_passphrase_keeps_both_keys(folder: Path, profile: Profile, entropy: SystemEntropy) -> None:
    account, database = profile.account_key(PASSPHRASE), (folder / "roost.db").read_bytes()
    profile.store.apply(Changes(put=(Setting("a", b"1"),)))
    with pytest.raises(RoostError) as caught:
        profile.protect(Passphrase("new", QUICK), "wrong")
    assert code_of(caught.value) == "wrong_passphrase"
    profile.protect(Passphrase("new", QUICK), PASSPHRASE)
    assert profile.account_key("new") == account
    assert (folder / "roost.db").read_bytes() == database  # nothing but the small file was written
    profile.close()
    assert refusal(folder, entropy, PASSPHRASE) == "wrong_passphrase"
    assert reads(folder, entropy, "new")


@pytest.mark.parametrize("step", ["write_all", "sync_file", "replace", "sync_folder"])
def test_changing_the_passphrase_fails_half_way(
    step: str, folder: Path, profile: Profile, entropy: SystemEntropy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    profile.store.apply(Changes(put=(Setting("a", b"1"),)))
    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace", fail) if step == "replace" else (durable, step, fail)))
        with pytest.raises(RoostError) as caught:
            profile.protect(Passphrase("new", QUICK), PASSPHRASE)
    assert code_of(caught.value) == "disk_full"
    in_force = "new" if step == "sync_folder" else PASSPHRASE
    assert profile.account_key(in_force)
    profile.close()
    assert not (folder / "profile.json.new").exists()
    assert reads(folder, entropy, in_force)


CHANGER = """
import sys
from pathlib import Path
from store_support import QUICK, SystemEntropy
from roost.store import Passphrase, ProfileFolder

profile = ProfileFolder.open(Path(sys.argv[1])).unlock(SystemEntropy(), sys.argv[2])
print("go", flush=True)
for number in range(int(sys.argv[2]) + 1, 100000):
    profile.protect(Passphrase(str(number), QUICK), str(number - 1))
    print(number, flush=True)
"""


def test_killed_while_the_passphrase_changes(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase("0", QUICK), entropy)
    current = 0
    for wait_s in (0.001, 0.0043, 0.0097):
        with child(CHANGER, folder, current) as changer:
            next_line(changer)
            time.sleep(wait_s)
            changer.kill()
            assert changer.stdout is not None
            lines = changer.stdout.read().split()
            current = int(lines[-1]) if lines else current
        current += refusal_or_none(folder, entropy, str(current)) == "wrong_passphrase"  # changed, not yet printed
        assert reads(folder, entropy, str(current))


def refusal_or_none(folder: Path, entropy: SystemEntropy, passphrase: str) -> str | None:
    try:
        ProfileFolder.open(folder).unlock(entropy, passphrase).close()
    except RoostError as error:
        return error.code
    return None


# --- keyring ---------------------------------------------------------------------------------------------------------


def test_the_keyring_opens_without_asking(folder: Path, entropy: SystemEntropy, backend: MemoryKeyring) -> None:
    make(folder, Keyring(), entropy)
    assert ProfileFolder.open(folder).protected_by == "keyring"
    assert reads(folder, entropy)
    (((service, _), secret),) = backend.entries.items()
    assert service == "roost"
    assert secret not in (folder / "profile.json").read_text()
    backend.entries.clear()
    assert refusal(folder, entropy) == "keyring_entry_missing"


def test_changing_to_and_from_the_keyring(folder: Path, profile: Profile, backend: MemoryKeyring) -> None:
    account = profile.account_key(PASSPHRASE)
    profile.protect(Keyring(), PASSPHRASE)
    assert len(backend.entries) == 1
    assert profile.account_key() == account
    profile.protect(Passphrase("again", QUICK))
    assert backend.entries == {}
    assert profile.account_key("again") == account


def test_an_unfinished_profile_leaves_no_entry(folder: Path, entropy: SystemEntropy, backend: MemoryKeyring) -> None:
    ProfileFolder.create(folder, Keyring(), entropy).close()
    assert backend.entries == {}


@pytest.mark.parametrize("broken", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def test_no_usable_keyring(
    broken: type[keyring.backend.KeyringBackend], folder: Path, entropy: SystemEntropy, backend: MemoryKeyring
) -> None:
    keyring.set_keyring(broken())
    with pytest.raises(RoostError) as caught:
        ProfileFolder.create(folder, Keyring(), entropy)
    assert code_of(caught.value) == "keyring_unavailable"
    make(folder, Unprotected(), entropy)


# --- what profile.json may say ---------------------------------------------------------------------------------------


def test_a_newer_profile_is_refused_and_left_alone(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Unprotected(), entropy)
    newer = b'{"version": 2, "protection": {"by": "retina"}}'
    (folder / "profile.json").write_bytes(newer)
    assert refusal(folder, entropy) == "profile_too_new"
    assert (folder / "profile.json").read_bytes() == newer


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 0), ("version", "1"), ("keys", "AAAA"), ("keys", 5), ("extra", 1), ("protection.by", "hope"),
        ("protection.salt", "AAAA"), ("protection.memory_kib", 2**40), ("protection.passes", 10**9),
        ("protection.passes", -1), ("protection.key", "AAAA"),
    ],
)  # fmt: skip
def test_a_damaged_key_file(path: str, value: object, folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Passphrase(PASSPHRASE, QUICK), entropy)
    written = json.loads((folder / "profile.json").read_text())
    target, name = (written["protection"], path[11:]) if path.startswith("protection.") else (written, path)
    target[name] = value
    (folder / "profile.json").write_text(json.dumps(written))
    assert refusal(folder, entropy, PASSPHRASE) == "profile_damaged"


def test_a_lost_database_is_damage(folder: Path, entropy: SystemEntropy) -> None:
    make(folder, Unprotected(), entropy)
    (folder / "roost.db").unlink()
    assert refusal(folder, entropy) == "profile_damaged"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_key_file_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except RoostError as error:
        assert error.code in ("profile_damaged", "profile_too_new")  # noqa: PT017


def test_secrets_do_not_print_themselves(folder: Path, profile: Profile, entropy: SystemEntropy) -> None:
    profile.protect(Unprotected(), PASSPHRASE)
    key_file = profile.folder.key_file
    shown = repr([key_file, Passphrase("hunter2"), profile, profile.folder])
    assert "hunter2" not in shown
    assert repr(key_file.protection.key) not in shown  # type: ignore[union-attr]
