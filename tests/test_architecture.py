"""What import-linter cannot see of the architecture: clock and entropy inside pure rooms, who may use which
package, and the size of files and functions. The arrows between rooms are contracts in pyproject.toml.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "roost"
FILES = sorted(SOURCE.rglob("*.py"))
PURE_ROOMS = ("crypto", "wire", "messaging", "relay/core")

# Calls that read the clock, draw entropy, open something or ask the machine; matched by the end of a dotted name.
IMPURE_CALLS = {
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
    "getenv",
    "os.getrandom",
    "os.urandom",
    "utils.random",  # nacl.utils.random
    "nacl.utils.random",
    "uuid1",
    "uuid4",
    "sleep",
}
IMPURE_BUILTINS = {"open", "print", "input", "breakpoint"}
# Key generation of the libraries takes nothing and draws from the operating system; ours takes an Entropy.
GENERATORS = {"generate", "generate_key"}

MAX_FILE_LINES = 450
LONG_FILE_LINES = 370
MAX_FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 35
SHARE_OF_LONG_ONES = 0.10


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def in_room(path: Path, room: str) -> bool:
    return path.is_relative_to(SOURCE / room)


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every imported module's dotted name, wherever in the file the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def third_party(tree: ast.Module) -> set[str]:
    tops = {name.partition(".")[0] for name, _ in imports(tree)}
    return {top for top in tops if top not in sys.stdlib_module_names and top not in {"roost", "__future__"}}


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and length in lines of every function, decorators and docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            end = node.end_lineno or node.lineno
            start = body[0].lineno if body else end
            yield node.name, end - start + 1 + (node.body[0].lineno - node.lineno)


PURE_FILES = [path for path in FILES if any(in_room(path, room) for room in PURE_ROOMS)]


@pytest.mark.parametrize("path", PURE_FILES, ids=name_of)
def test_pure_rooms_take_clock_and_entropy_as_arguments(path: Path) -> None:
    found = [
        f"{name_of(path)}:{node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and _is_impure(node)
    ]
    assert not found


def _is_impure(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    if called.rpartition(".")[2] in GENERATORS and not call.args and not call.keywords:
        return True
    if called in IMPURE_BUILTINS:
        return True
    return any(called == name or called.endswith("." + name) for name in IMPURE_CALLS)


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("crypto", {"cryptography", "nacl"}),
        ("wire", {"msgspec"}),
        ("messaging", {"msgspec"}),
        ("relay/core", {"msgspec"}),
    ],
)
def test_pure_rooms_use_few_packages(room: str, allowed: set[str]) -> None:
    used = {package for path in FILES if in_room(path, room) for package in third_party(parsed(path))}
    assert used <= allowed


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for rs in project.get("optional-dependencies", {}).values() for r in rs),
    ]
    declared = {_import_name(requirement) for requirement in requirements}
    used = {package for path in FILES for package in third_party(parsed(path))}
    assert used <= declared, "imported but not declared"
    assert declared <= used | {"uvloop"}, "declared but imported nowhere"


def _import_name(requirement: str) -> str:
    name = requirement.partition(";")[0]
    for separator in "<>=!~[ ":
        name = name.partition(separator)[0]
    return {"PyNaCl": "nacl", "pillow": "PIL", "apsw-sqlite3mc": "apsw"}.get(name, name.replace("-", "_"))


def test_the_agent_uses_a_relays_rules_and_hosting_and_never_its_server() -> None:
    found = [
        f"{name_of(path)}:{line}: {name}"
        for path in FILES
        if in_room(path, "agent")
        for name, line in imports(parsed(path))
        if name.startswith("roost.relay") and not name.startswith(("roost.relay.core", "roost.relay.hosting"))
    ]
    assert not found


def test_every_file_opens_with_a_docstring() -> None:
    assert not [name_of(path) for path in FILES if parsed(path).body and not ast.get_docstring(parsed(path))]


def test_files_are_short() -> None:
    lines = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    assert not {name: count for name, count in lines.items() if count > MAX_FILE_LINES}
    assert sum(count > LONG_FILE_LINES for count in lines.values()) <= SHARE_OF_LONG_ONES * len(lines)


def test_functions_are_short() -> None:
    lengths = [(f"{name_of(path)}:{name}", length) for path in FILES for name, length in functions(parsed(path))]
    assert not [entry for entry in lengths if entry[1] > MAX_FUNCTION_LINES]
    assert sum(length > LONG_FUNCTION_LINES for _, length in lengths) <= SHARE_OF_LONG_ONES * len(lengths)
