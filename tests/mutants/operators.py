"""Small changes of a module's code, each of which some test should notice.

A mutant is named by its module, function, the line as it was written and the change: the name outlives edits elsewhere.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """One change: `tree` is the whole module with it."""

    name: str
    line: int
    tree: ast.Module


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """All mutants of a module."""
    original = ast.parse(source)
    lines = source.splitlines()
    seen: dict[str, int] = {}
    places = list(_places(original))
    for number, (function, node, what, _) in enumerate(places):
        tree = copy.deepcopy(original)
        _, changed, _, change = list(_places(tree))[number]
        change(changed)
        name = f"{module}:{function}: `{lines[node.lineno - 1].strip()}`: {what}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name += f" ({seen[name]})"
        yield Mutant(name, node.lineno, ast.fix_missing_locations(tree))


Change = Callable[[ast.AST], None]
Place = tuple[str, "ast.expr | ast.stmt", str, Change]


def _places(tree: ast.Module) -> Iterator[Place]:
    yield from _within(tree, "module")


def _within(parent: ast.AST, function: str) -> Iterator[Place]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            if field == "decorator_list" or (field == "annotation" and not isinstance(parent, ast.AnnAssign)):
                continue
            if field in ("returns", "bases"):
                continue
        items = value if isinstance(value, list) else [value]
        for item in items:
            if not isinstance(item, ast.AST):
                continue
            name = item.name if isinstance(item, (ast.FunctionDef, ast.ClassDef)) else function
            yield from _changes(item, name)
            yield from _within(item, name)


def _changes(node: ast.AST, function: str) -> Iterator[Place]:
    if isinstance(node, ast.Compare):
        old, new = type(node.ops[0]), COMPARISONS[type(node.ops[0])]

        def compare(n: ast.AST) -> None:
            n.ops[0] = new()  # type: ignore[attr-defined]

        yield function, node, f"{old.__name__} becomes {new.__name__}", compare
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(node, function)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And

        def connect(n: ast.AST) -> None:
            n.op = other()  # type: ignore[attr-defined]

        yield function, node, f"becomes {other.__name__.lower()}", connect
    elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
        value = (not node.value) if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]

        def constant(n: ast.AST) -> None:
            n.value = value  # type: ignore[attr-defined]

        yield function, node, f"{node.value} becomes {value}", constant
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):

        def negate(n: ast.AST) -> None:
            n.test = ast.UnaryOp(ast.Not(), n.test)  # type: ignore[attr-defined]

        yield function, node, "the condition is turned round", negate
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):

        def extreme(n: ast.AST) -> None:
            n.func.id = "max" if n.func.id == "min" else "min"  # type: ignore[attr-defined]

        yield function, node, "min and max change places", extreme
    elif isinstance(node, (ast.Raise, ast.AugAssign)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield function, node, "the statement is left out", _left_out


def _left_out(node: ast.AST) -> None:
    """Turned into an expression statement without effect, whatever it was."""
    empty = ast.Expr(ast.Constant(None))
    node.__class__ = ast.Expr  # type: ignore[assignment]
    node.__dict__.update(value=empty.value)


def _arithmetic(node: ast.BinOp, function: str) -> Iterator[Place]:
    new = ARITHMETIC.get(type(node.op))
    if new is not None:

        def operate(n: ast.AST) -> None:
            n.op = new()  # type: ignore[attr-defined]

        yield function, node, f"{type(node.op).__name__} becomes {new.__name__}", operate
    elif isinstance(node.op, ast.Add):

        def swap(n: ast.AST) -> None:
            n.left, n.right = n.right, n.left  # type: ignore[attr-defined]

        numbers = any(map(_is_number, (node.left, node.right)))
        if numbers:

            def subtract(n: ast.AST) -> None:
                n.op = ast.Sub()  # type: ignore[attr-defined]

            yield function, node, "Add becomes Sub", subtract
        else:
            yield function, node, "the sides change places", swap


def _is_number(side: ast.expr) -> bool:
    """Whether this is a number by all appearances: then its place in a sum means nothing."""
    if isinstance(side, ast.Constant):
        return isinstance(side.value, int)
    if isinstance(side, ast.Call):
        return isinstance(side.func, ast.Name) and side.func.id in ("len", "int", "min", "max", "sum")
    name = side.id if isinstance(side, ast.Name) else side.attr if isinstance(side, ast.Attribute) else ""
    return name.lower().rpartition("_")[2] in ("size", "end", "start", "length", "index", "overhead", "skip", "chains")
