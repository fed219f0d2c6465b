"""The documents keep their promises: links lead somewhere, and the code and tests that they name exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
CODE_PATH = re.compile(r"`((?:src|tests|docs|benchmarks|examples|packaging|requirements)/[\w./-]+)(?:::(\w+))?`")


def without_code_blocks(text: str) -> str:
    return re.sub(r"^(```.*?^```$|    .*?$)", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(without_code_blocks(document.read_text(encoding="utf-8")))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert not [target for target in local if not (document.parent / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_and_tests_that_are_named_exist(document: Path) -> None:
    missing = []
    for path, function in CODE_PATH.findall(document.read_text(encoding="utf-8")):
        target = ROOT / path
        if not target.exists() or (function and function not in functions(target)):
            missing.append(f"{path}::{function}" if function else path)
    assert not missing


def test_every_line_of_the_threat_model_names_a_test_or_says_that_none_can() -> None:
    """In the tables of the threat model the last column names a test, or says why none can show it."""
    rows = re.findall(
        r"^\| (?:cannot|can) \|(.*)\|$",
        (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert len(rows) > 30
    assert not [row for row in rows if not re.search(r"tests/[\w./]+::test_\w+|\(no test: [^)]+\)", row)]


def test_every_protocol_document_is_in_the_reading_order() -> None:
    order = (ROOT / "docs" / "protocol" / "README.md").read_text(encoding="utf-8")
    here = {path.name for path in (ROOT / "docs" / "protocol").glob("*.md")} - {"README.md"}
    assert here == set(re.findall(r"\]\(([\w-]+\.md)\)", order))


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert len({name[:4] for name in records}) == len(records), "two records share a number"
    assert not [name for name in records if f"({name})" not in listed]
