"""Runs targets under atheris (libFuzzer), each in a process forked from one that has the instrumented code loaded."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from fuzz.tools import Target

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
WORK = HERE / ".work"  # what the fuzzer keeps between runs, and what it finds
INSTRUMENTED = ["roost", "websockets"]
_TIMEOUT_S = 20  # one input that takes as long is a finding


@dataclass(frozen=True)
class Outcome:
    """What one run did. `finding` is the fuzzer's last words where an input broke the property, else empty."""

    name: str
    seconds: int
    runs: int
    finding: str


def load() -> dict[str, Target]:
    """All targets, instrumented. Raises ImportError where atheris is not installed."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=INSTRUMENTED):  # it names every module
        from fuzz.targets import TARGETS
    return TARGETS


def run(target: Target, seconds: int, *, keep: bool, most: int = -1) -> Outcome:
    """Fuzz one target, with `most` inputs at most. `keep`: what it learns stays in fuzz/.work for the next run."""
    with _folder(target, keep) as folder:
        log = folder / "log"
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                _become_fuzzer(target, seconds, folder, log, keep, most)
            except BaseException:  # noqa: BLE001  # goes into the log
                traceback.print_exc()
            os._exit(1)  # or it would clear the folder away under its parent
        try:
            _, status = os.waitpid(child, 0)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise
        text = log.read_text(errors="replace")
        done = re.search(r"Done (\d+) runs in (\d+) second", text)
        runs, spent = (int(done[1]), int(done[2])) if done else (0, int(time.monotonic() - started))
        finding = "" if os.waitstatus_to_exitcode(status) == 0 else text[-6_000:]
    return Outcome(target.name, spent, runs, finding)


@contextmanager
def _folder(target: Target, keep: bool) -> Iterator[Path]:
    if keep:
        folder = WORK / target.name
        (folder / "learned").mkdir(parents=True, exist_ok=True)
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="roost-fuzz-"))
    try:
        (folder / "learned").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _become_fuzzer(target: Target, seconds: int, folder: Path, log: Path, keep: bool, most: int) -> None:
    """Never returns: libFuzzer ends the process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from fuzz.mutator import changed

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    flags = [
        f"-max_total_time={seconds}",
        f"-runs={most}",
        f"-max_len={target.max_size}",
        f"-timeout={_TIMEOUT_S}",
        f"-artifact_prefix={folder}/",
        "-rss_limit_mb=3000",
        "-print_final_stats=0",
    ]
    if not keep:
        flags.append("-seed=1")
    folders = [str(folder / "learned"), *([str(CORPUS / target.name)] if (CORPUS / target.name).is_dir() else [])]
    offset = target.structured

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        return changed(bytes(data), offset or 0, max_size, seed, lambda part, size: bytes(atheris.Mutate(part, size)))

    def one(data: bytes) -> None:
        try:
            target.run(bytes(data))
        except BaseException:
            name = f"finding-{hashlib.sha256(data).hexdigest()[:16]}"
            (folder / name).write_bytes(data)
            print(f"{name}: {data[:400].hex()}", flush=True)
            raise

    if offset is None:
        atheris.Setup([sys.argv[0], *flags, *folders], one)
    else:
        atheris.Setup([sys.argv[0], *flags, *folders], one, custom_mutator=mutated)
    atheris.Fuzz()
    os._exit(1)
