"""What all tests share: hypothesis profiles, the independent vectors' folder, and no silent skips in CI.

`ROOST_VECTORS` names the folder of independent test vectors (docs/testing.md). `ROOST_REQUIRE_ALL=1` turns every skip
into a failure, so that a run which claims to be complete is.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Deadlines measure the machine rather than the code. `thorough` is for long runs by hand.
settings.register_profile("roost", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("roost"), max_examples=5_000)
settings.load_profile(os.environ.get("ROOST_HYPOTHESIS", "roost"))


# Every process that a test starts would compile all of Roost anew: a third of what a command costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Who runs the tests in the background may have them ignore Ctrl-C and a closed terminal, and so would all that they
# start. A signal that is handled here is not ignored there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def vectors_folder() -> Path | None:
    """The folder of independent vectors, or None where there is none."""
    folder = Path(os.environ.get("ROOST_VECTORS") or ROOT.parent / "shared" / "vectors")
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads one independent vector file, e.g. `vectors("wycheproof/x25519_test.json")`; skips where it is absent."""

    def read(name: str) -> Any:
        folder = vectors_folder()
        if folder is None or not (folder / name).is_file():
            pytest.skip(f"independent vectors {name} are not here; ROOST_VECTORS names their folder")
        return json.loads((folder / name).read_text())

    return read


def _must_not_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("ROOST_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped although ROOST_REQUIRE_ALL=1: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_not_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_not_skip(report)
    return report
