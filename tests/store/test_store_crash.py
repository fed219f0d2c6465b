"""Processes killed in the middle of writing, and logs cut off anywhere: what was committed is there, whole."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from store_support import KEY, child, code_of, message, next_line

from roost.messaging.records import Changes, Message, SessionRow, Setting
from roost.store import Store

WRITER = """
import sys
from pathlib import Path
from store_support import KEY, message, session
from roost.messaging.records import Changes, Setting
from roost.store import Store

store = Store.open(Path(sys.argv[1]), KEY)
counter = store.get(Setting, "counter")
number = int(counter.value) if counter else 0
while True:
    number += 1
    with store.transaction():  # three applies that belong together
        store.apply(Changes(put=(message(number, f"word{number}", content=bytes(number * 37 % 9000)),)))
        store.apply(Changes(put=(session(number % 50, acked=number),)))
        store.apply(Changes(put=(Setting("counter", str(number).encode()),)))
    print(number, flush=True)
"""


def check_whole(store: Store, at_least: int) -> int:
    """The number of the last transaction, after checking that all up to it are there completely."""
    counter = store.get(Setting, "counter")
    last = int(counter.value) if counter else 0
    assert last >= at_least
    assert [row.counter for row in store.find(Message, order="position")] == list(range(1, last + 1))
    newest = {number % 50: number for number in range(1, last + 1)}
    assert sorted(row.acked for row in store.find(SessionRow)) == sorted(newest.values())
    if last:
        assert store.search(f"word{last}")[0] == message(last).id
    assert len(store.search("word", limit=last + 10)) == last
    store.check()
    return last


def test_killed_in_the_middle_of_many_transactions(database: Path) -> None:
    Store.create(database, KEY).close()
    chance, committed = random.Random(7), 0
    for _ in range(6):
        with child(WRITER, database) as writer:
            wanted = committed + chance.randrange(1, 60)
            while committed < wanted:
                committed = int(next_line(writer))
            time.sleep(chance.random() * 0.003)  # so that the kill does not always follow a commit
            writer.kill()
            assert writer.stdout is not None
            seen = writer.stdout.read().split()
        with Store.open(database, KEY) as store:
            committed = check_whole(store, at_least=int(seen[-1]) if seen else committed)


def test_a_log_cut_off_anywhere_gives_a_state_that_was_committed(database: Path, tmp_path: Path) -> None:
    """As after a power cut: of the log, which is synced at each commit, only a beginning may have arrived."""
    Store.create(database, KEY).close()
    with child(WRITER, database) as writer:
        while int(next_line(writer)) < 40:
            pass
    log = database.with_name("roost.db-wal").read_bytes()
    lasts, chance = [], random.Random(8)
    for cut in sorted(chance.randrange(len(log)) for _ in range(25)):
        copy = tmp_path / f"cut{cut}" / "roost.db"
        copy.parent.mkdir()
        shutil.copy(database, copy)
        copy.with_name("roost.db-wal").write_bytes(log[:cut] + bytes(chance.randrange(2) * 5000))
        with Store.open(copy, KEY) as store:
            lasts.append(check_whole(store, at_least=0))
    assert lasts == sorted(lasts)
    assert lasts[-1] > 20


def test_a_killed_process_leaves_no_lock(database: Path) -> None:
    Store.create(database, KEY).close()
    with child(WRITER, database) as holder:
        next_line(holder)
        with pytest.raises(Exception, match="Another Roost process") as caught:
            Store.open(database, KEY)
        assert code_of(caught.value) == "profile_busy"
    Store.open(database, KEY).close()


FILLER = """
import resource, sys
from pathlib import Path
from store_support import KEY, code_of, message, next_line
from roost.messaging.records import Changes, Message
from roost.store import Store
from roost.errors import RoostError

store = Store.open(Path(sys.argv[1]), KEY)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
number = 0
try:
    while True:
        with store.transaction():
            for part in range(3):
                store.apply(Changes(put=(message(number + part, "word", content=bytes(20_000)),)))
        number += 3
except RoostError as error:
    print(code_of(error), number)
assert len(store.find(Message)) == number
try:
    store.apply(Changes(put=(message(10_000, content=bytes(600_000)),)))
except RoostError as error:
    print(code_of(error))
print(len(store.find(Message)))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.apply(Changes(put=(message(10_000, "room again"),)))  # goes on in the same process
print(len(store.find(Message)))
store.check()
"""


def test_a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room(database: Path) -> None:
    Store.create(database, KEY).close()
    with child(FILLER, database) as filler:
        first, second, before, after = (next_line(filler) for _ in range(4))
        assert filler.wait(timeout=60) == 0
    code, number = first.split()
    assert (code, second) == ("disk_full", "disk_full")
    assert int(number) > 3
    assert int(number) == int(before) == int(after) - 1
    with Store.open(database, KEY) as store:
        assert len(store.find(Message)) == int(after)
        assert len(store.search("word", 1000)) == int(number)


def test_a_database_that_may_not_grow_is_a_full_disk(store: Store) -> None:
    pages = store._database.rows("PRAGMA page_count")[0][0]
    store._database.rows(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(Exception, match="no space left") as caught:
        store.apply(Changes(put=(message(1, "kept?", content=bytes(100_000)),)))
    assert code_of(caught.value) == "disk_full"
    assert store.find(Message) == []
    assert store.search("kept") == []
    store._database.rows("PRAGMA max_page_count = 1000000")
    store.apply(Changes(put=(message(1, "kept", content=bytes(100_000)),)))


def test_a_full_file_system(tmp_path: Path) -> None:
    """A real one of 2 MiB, where this process may mount it; the two tests above need no privilege."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        return
    try:
        with Store.create(place / "roost.db", KEY) as store:
            number = 0
            with pytest.raises(Exception, match="no space left") as caught:  # noqa: PT012
                while True:
                    store.apply(Changes(put=(message(number, "word", content=bytes(20_000)),)))
                    number += 1
            assert code_of(caught.value) == "disk_full"
            assert len(store.find(Message)) == number > 3
            store.check()
        with Store.open(place / "roost.db", KEY) as store:
            assert len(store.search("word", 1000)) == number
    finally:
        subprocess.run(["umount", str(place)], check=True)
