"""Every fuzzing target holds on its corpus, and for a moment under the fuzzer. `make fuzz` goes on for longer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.mutator import changed
from fuzz.runner import CORPUS
from fuzz.seeds import expected
from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1  # libFuzzer needs up to one more to notice that its time is over
INPUTS = 3_000  # which most targets are through with sooner
GROUPS = 2  # of targets; loading the instrumented code takes as long as half a dozen of them


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name: str) -> None:
    inputs = sorted((CORPUS / name).glob("*"))
    assert inputs
    for path in inputs:
        TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_cut_and_changed_inputs_hold(name: str) -> None:
    """A little of what the fuzzer does, for where it does not run: the same changes every time."""
    target = TARGETS[name]
    for path in sorted((CORPUS / name).glob("*"))[:6]:
        data = path.read_bytes()
        for size in {0, 1, 2, 3, len(data) // 2, len(data) - 1}:
            target.run(data[:size])
        for seed in range(12):
            other = changed(data, target.structured or 0, target.max_size, seed, _flipped)
            target.run(other)


def _flipped(data: bytes, size: int) -> bytes:
    middle = len(data) // 2
    return (data[:middle] + bytes(byte ^ 0x81 for byte in data[middle : middle + 1]) + data[middle + 1 :])[:size]


def test_fresh_seeds_hold() -> None:
    """What `python -m fuzz --seeds` would write now, though the corpus may be of an earlier version."""
    seeds = expected()
    assert {name for name, _ in seeds} == set(TARGETS)
    for name, data in seeds:
        TARGETS[name].run(data)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_moment_under_the_fuzzer(group: int) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not here: it exists for Python 3.11 on Linux x86-64")
    names = list(TARGETS)[group::GROUPS]
    command = [sys.executable, "-m", "fuzz", "--unlogged", "--seconds", str(SECONDS), "--inputs", str(INPUTS), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert done.stdout.count(" inputs in ") == len(names)
