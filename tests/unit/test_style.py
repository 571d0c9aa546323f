"""House rules that must stay true of the product's code: small modules, small functions, said purposes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for folder in ("functions", "shared", "ml", "local")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / "function_app.py"]  # fmt: skip
LONGEST_MODULE, LONGEST_FUNCTION = 250, 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_in(source: str) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    source = path.read_text()
    too_long = [function.name for function in functions_in(source) if length(function) > LONGEST_FUNCTION]

    assert len(source.splitlines()) <= LONGEST_MODULE
    assert too_long == []
    assert ast.get_docstring(ast.parse(source)) or not source.strip()


def test_most_functions_are_short() -> None:
    lengths = sorted(length(function) for path in MODULES for function in functions_in(path.read_text()))

    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 30


def test_the_length_of_a_function_leaves_its_docstring_out() -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    a = 1\n    return a\n'

    assert [length(function) for function in functions_in(source)] == [2]


def test_public_functions_promise_something_in_a_docstring() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        if not ast.get_docstring(node)
    ]

    assert silent == []
