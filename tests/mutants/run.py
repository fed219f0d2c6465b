"""Runs the fast tests of a room against one mutant: in a process forked from one that has the libraries loaded, where
an import hook gives out the changed module. No file is touched."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.mutants.operators import Mutant

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "roost"
TIMEOUT_S = 240
# The pinned and fast ones first: most mutants end there. Slow ones (models, every structure, Wycheproof) are left out.
TESTS = {
    "crypto": (
        "test_crypto_vectors",
        "test_onion_vectors",
        "test_onion_packets",
        "test_crypto_session",
        "test_crypto_session_state",
        "test_crypto_handshake",
        "test_crypto_keys",
        "test_crypto_attachment",
        "test_crypto_cards_and_packets",
        "test_crypto_people",
        "test_crypto_chains",
        "test_crypto_logs_and_channels",
        "test_crypto_peer_vectors",
        "test_crypto_peer_records",
        "test_crypto_peer_handshake",
        "test_crypto_meetings",
    ),
    "wire": (
        "test_wire_vectors",
        "test_wire_links",
        "test_wire_hosts",
        "test_wire_bounds",
        "test_wire_frames",
        "test_wire_padding",
        "test_wire_calls",
        "test_wire_contents",
        "test_wire_immutable",
        "test_wire_logs",
    ),
}


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the one changed module."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(compile(self._tree, str(self._path), "exec"), module.__dict__)


def prepare() -> None:
    """Load what the tests need except Roost itself, and let hypothesis try few examples."""
    import cryptography.hazmat.primitives.hpke
    import hypothesis
    import msgspec
    import nacl.bindings
    import pytest

    loaded = (cryptography, hypothesis, msgspec, nacl, pytest)
    assert all(loaded)
    assert not [name for name in sys.modules if name.split(".")[0] == "roost"]
    hypothesis.settings.register_profile(
        "mutants",
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    os.environ["ROOST_HYPOTHESIS"] = "mutants"


def survives(module: str, mutant: Mutant | None) -> bool:
    """Whether the tests of `module`'s room pass with this change (None: with none)."""
    child = os.fork()
    if child == 0:
        _run_tests(module, mutant)
    until = time.monotonic() + TIMEOUT_S
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        if time.monotonic() > until:  # an endless loop is noticed, too
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.02)


def _run_tests(module: str, mutant: Mutant | None) -> None:
    """Never returns."""
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        import pytest

        if mutant is not None:
            name = "roost." + module.removesuffix(".py").replace("/", ".")
            sys.meta_path.insert(0, _Changed(name, SOURCE / module, mutant.tree))
        room = module.partition("/")[0]
        files = [str(ROOT / "tests" / room / f"{test}.py") for test in TESTS[room]]
        files = [path for path in files if Path(path).exists()]
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore", *files]))
    finally:
        os._exit(code)
