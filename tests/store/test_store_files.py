"""Attachments at rest: whole or not at all, unreadable without their keys, and back again byte for byte."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_support import SystemEntropy, child, next_line, refused

from roost.crypto import BLOB_PLAIN, BLOB_SIZE, AttachmentKey, blob_count
from roost.store import AddedFile, FileRef, FileStore
from roost.store import files as files_module
from roost.wire.sizes import MAX_FILE

SIZES = [0, 1, BLOB_PLAIN - 1, BLOB_PLAIN, BLOB_PLAIN + 1, 3 * BLOB_PLAIN]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(os.urandom(2 * BLOB_PLAIN + 1234))
    return path


@pytest.fixture
def added(files: FileStore, source: Path) -> AddedFile:
    return files.add(source)


# --- in and out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_back_again_byte_for_byte(size: int, files: FileStore, place: Path, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)
    seen: list[tuple[int, int]] = []
    added = files.add(tmp_path / "in", lambda done, total: seen.append((done, total)))
    assert added.ref.size == size
    assert added.digest == hashlib.blake2b(data, digest_size=32).digest()
    assert seen[-1] == (size, size)
    assert (place / added.ref.name).stat().st_size == blob_count(size) * BLOB_SIZE
    files.export(added.ref, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    assert b"".join(files.chunks(added.ref)) == data
    assert b"".join(files.blob(added.ref, index) for index in range(added.ref.blobs)) == data
    assert os.listdir(place) == [added.ref.name]


def test_every_copy_has_its_own_name_and_key_and_is_unreadable(files: FileStore, place: Path, source: Path) -> None:
    source.write_bytes(b"nightingale" * 20_000)
    first, second = files.add(source), files.add(source)
    assert first.digest == second.digest
    assert first.ref.name != second.ref.name
    assert first.ref.key.to_bytes() != second.ref.key.to_bytes()
    one, other = (place / first.ref.name).read_bytes(), (place / second.ref.name).read_bytes()
    assert one != other
    assert b"nightingale" not in one + other
    assert b"photo" not in "".join(os.listdir(place)).encode()
    assert (place / first.ref.name).stat().st_mode & 0o777 == 0o600


@given(data=st.data())
@settings(max_examples=40)
def test_ranges(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not _ranges:
        folder = tmp_path_factory.mktemp("ranges")
        plain = os.urandom(2 * BLOB_PLAIN + 77)
        (folder / "in").write_bytes(plain)
        (folder / "files").mkdir()
        store = FileStore(folder / "files", SystemEntropy())
        _ranges.append((store, store.add(folder / "in").ref, plain))
    store, ref, plain = _ranges[0]
    near = st.sampled_from([0, BLOB_PLAIN, 2 * BLOB_PLAIN, len(plain)]).flatmap(
        lambda edge: st.integers(max(0, edge - 2), edge + 2)
    )
    offset = data.draw(near | st.integers(0, len(plain)))
    length = data.draw(st.integers(0, 3) | st.integers(0, len(plain)))
    assert store.read(ref, offset, length) == plain[offset : offset + length]


_ranges: list[tuple[FileStore, FileRef, bytes]] = []


def test_memory_stays_one_blob(files: FileStore, tmp_path: Path) -> None:
    size = 200 * BLOB_PLAIN
    with (tmp_path / "large").open("wb") as large:
        large.truncate(size)
    tracemalloc.start()
    try:
        added = files.add(tmp_path / "large")
        files.export(added.ref, tmp_path / "out")
        with files.resume(added.ref) as download:
            assert download.done == 200
        assert tracemalloc.get_traced_memory()[1] < 20 * BLOB_SIZE
    finally:
        tracemalloc.stop()


def test_deleting(files: FileStore, added: AddedFile, place: Path) -> None:
    files.delete(added.ref.name)
    files.delete(added.ref.name)
    assert os.listdir(place) == []
    assert refused(lambda: files.read(added.ref, 0, 1)) == "file_damaged"


def test_sweeping_keeps_what_is_named(files: FileStore, source: Path, place: Path, entropy: SystemEntropy) -> None:
    kept, lost = files.add(source), files.add(source)
    partial = files.download(AttachmentKey(bytes(32)), 10)
    partial.close()
    forgotten = files.download(AttachmentKey(bytes(32)), 10)
    forgotten.close()
    (place / f"{'0' * 32}.new").write_bytes(b"of a process that died")
    restarted = FileStore(place, entropy)
    assert restarted.sweep({kept.ref.name, partial.ref.name}) == 3
    assert set(os.listdir(place)) == {kept.ref.name, f"{partial.ref.name}.part"}
    assert refused(lambda: files.blob(lost.ref, 0)) == "file_damaged"


def test_sweeping_leaves_what_the_database_does_not_know_yet(
    files: FileStore, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep while another thread adds a file, or between its adding and the commit of its row."""
    added = files.add(source, lambda done, total: assert_equal(files.sweep(()), 0))
    partial = files.download(AttachmentKey(bytes(32)), 10)
    partial.close()
    assert files.sweep(()) == 0
    assert files.read(added.ref, 0, 10) == source.read_bytes()[:10]
    assert files.sweep({added.ref.name}) == 0  # its row was seen: from now on the rows decide
    assert files.sweep(()) == 1
    later = time.monotonic() + 3_601
    monkeypatch.setattr("roost.store.files.time.monotonic", lambda: later)
    assert files.sweep(()) == 1
    assert os.listdir(place) == []


def assert_equal(one: object, other: object) -> None:
    assert one == other


@pytest.mark.parametrize("name", ["", "..", "../roost.db", "0" * 31, "0" * 33, "G" * 32, "0" * 32 + "\n", "A" * 32])
def test_names_never_lead_out_of_the_folder(name: str, files: FileStore) -> None:
    with pytest.raises(ValueError, match="name of a stored file"):
        FileRef(name, AttachmentKey(bytes(32)), 1)
    with pytest.raises(ValueError, match="name of a stored file"):
        files.delete(name)


# --- sources that cannot be used -------------------------------------------------------------------------------------


def test_sources_that_are_no_files(files: FileStore, place: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(MAX_FILE + 1)
    assert refused(lambda: files.add(tmp_path / "absent")) == "no_such_file"
    assert refused(lambda: files.add(tmp_path / "huge" / "below")) == "no_such_file"
    assert refused(lambda: files.add(tmp_path)) == "not_a_file"
    assert refused(lambda: files.add(tmp_path / "pipe")) == "not_a_file"
    assert refused(lambda: files.add(Path("/dev/zero"))) == "not_a_file"
    assert refused(lambda: files.add(tmp_path / "huge")) == "file_too_large"
    assert refused(lambda: files.add(tmp_path / ("x" * 300))) == "bad_file_name"
    assert os.listdir(place) == []


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _overwrite(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def _cut(path: Path) -> None:
    os.truncate(path, BLOB_PLAIN + 5)


def _replace(path: Path) -> None:
    path.with_name("other").write_bytes(b"another file")
    path.with_name("other").replace(path)


@pytest.mark.parametrize("happen", [_append, _overwrite, _cut, Path.unlink, _replace])
@pytest.mark.parametrize("at", [0, 1])
def test_a_source_that_changes_while_it_is_read(
    happen: Callable[[Path], None], at: int, files: FileStore, place: Path, source: Path
) -> None:
    def progress(done: int, total: int) -> None:
        if done == (at + 1) * BLOB_PLAIN:
            happen(source)

    assert refused(lambda: files.add(source, progress)) == "file_vanished"
    assert os.listdir(place) == []


def test_a_source_whose_medium_is_pulled_out(files: FileStore, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr("roost.store.intake.os.read", fail)
    assert refused(lambda: files.add(source)) == "file_vanished"


def test_interrupted_by_the_person(files: FileStore, place: Path, source: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.add(source, interrupt)
    assert os.listdir(place) == []


@pytest.mark.parametrize("step", ["write_all", "sync_file", "publish_file"])
def test_a_full_disk_leaves_nothing_behind(
    step: str, files: FileStore, added: AddedFile, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files_module, step, fail)
    assert refused(lambda: files.add(source)) == "disk_full"
    assert refused(lambda: files.export(added.ref, source.with_name("out"))) == "disk_full"
    assert os.listdir(place) == [added.ref.name]
    assert sorted(os.listdir(source.parent)) == ["files", "photo.jpg"]


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_replaces_only_when_asked(files: FileStore, added: AddedFile, source: Path) -> None:
    target = source.with_name("out")
    target.write_bytes(b"precious")
    assert refused(lambda: files.export(added.ref, target)) == "file_exists"
    assert target.read_bytes() == b"precious"
    files.export(added.ref, target, overwrite=True)
    assert target.read_bytes() == source.read_bytes()
    target.unlink()
    target.symlink_to("nowhere")
    assert refused(lambda: files.export(added.ref, target)) == "file_exists"
    files.export(added.ref, target, overwrite=True)
    assert not target.is_symlink()
    assert not source.with_name("nowhere").exists()


def test_export_to_places_that_do_not_take_it(files: FileStore, added: AddedFile, tmp_path: Path) -> None:
    assert refused(lambda: files.export(added.ref, tmp_path / "absent" / "out")) == "no_such_file"
    assert refused(lambda: files.export(added.ref, tmp_path / "files")) == "file_exists"
    assert refused(lambda: files.export(added.ref, tmp_path / "files", overwrite=True)) == "not_a_file"
    assert refused(lambda: files.export(added.ref, tmp_path / ("x" * 300))) == "bad_file_name"
    assert sorted(os.listdir(tmp_path)) == ["files", "photo.jpg"]


def test_somebody_takes_the_name_while_it_is_exported(files: FileStore, added: AddedFile, tmp_path: Path) -> None:
    target = tmp_path / "out"

    def take(done: int, total: int) -> None:
        target.write_bytes(b"faster")

    assert refused(lambda: files.export(added.ref, target, progress=take)) == "file_exists"
    assert target.read_bytes() == b"faster"


def test_export_where_there_are_no_hard_links(
    files: FileStore, added: AddedFile, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr("roost.store.durable.os.link", fail)
    files.export(added.ref, source.with_name("out"))
    assert source.with_name("out").read_bytes() == source.read_bytes()
    assert refused(lambda: files.export(added.ref, source.with_name("out"))) == "file_exists"
    assert sorted(os.listdir(source.parent)) == ["files", "out", "photo.jpg"]


@pytest.mark.parametrize("change", ["flip", "swap", "cut", "lengthen"])
def test_damage_at_rest_is_noticed_and_nothing_exported(
    change: str, files: FileStore, added: AddedFile, place: Path, tmp_path: Path
) -> None:
    stored = place / added.ref.name
    data = bytearray(stored.read_bytes())
    if change == "flip":
        data[BLOB_SIZE + 7] ^= 1
    elif change == "swap":
        data = data[BLOB_SIZE : 2 * BLOB_SIZE] + data[:BLOB_SIZE] + data[2 * BLOB_SIZE :]
    else:
        data = data[:-BLOB_SIZE] if change == "cut" else data + data[:BLOB_SIZE]
    stored.write_bytes(data)
    assert refused(lambda: files.export(added.ref, tmp_path / "out")) == "file_damaged"
    assert refused(lambda: list(files.chunks(added.ref))) == "file_damaged"
    assert sorted(os.listdir(tmp_path)) == ["files", "photo.jpg"]


# --- processes and threads -------------------------------------------------------------------------------------------


ADDER = """
import sys
from pathlib import Path
from store_support import SystemEntropy
from roost.store import FileStore

files = FileStore(Path(sys.argv[1]), SystemEntropy())
while True:
    print(files.add(Path(sys.argv[2])).ref.name, flush=True)
"""


def test_killed_while_adding(files: FileStore, place: Path, source: Path) -> None:
    with child(ADDER, place, source) as adder:
        names = [next_line(adder) for _ in range(5)]
        adder.kill()
        assert adder.stdout is not None
        names += adder.stdout.read().split()
    complete = {name for name in os.listdir(place) if "." not in name}
    assert set(names) <= complete
    assert len(complete) <= len(names) + 1
    assert all((place / name).stat().st_size == 3 * BLOB_SIZE for name in complete)
    files.sweep(names)
    assert set(os.listdir(place)) == set(names)


def test_many_threads(files: FileStore, source: Path, tmp_path: Path) -> None:
    def work(number: int) -> None:
        files.export(files.add(source).ref, tmp_path / f"out{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((tmp_path / f"out{number}").read_bytes() == source.read_bytes() for number in range(6))
