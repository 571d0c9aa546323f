"""The domain is pure: it imports nothing that reaches outside, and never asks what time it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "shared" / "domain").rglob("*.py"))
PURE = {
    "ast", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "difflib", "enum",
    "functools", "hashlib", "itertools", "json", "math", "operator", "re", "typing", "unicodedata",
}  # fmt: skip
"""Modules of the standard library that reach nothing outside; add a further one where it keeps to that."""

PURE_NAMES = {"uuid": {"UUID", "NAMESPACE_URL", "uuid5"}}
"""What may be taken of a module that also reaches outside."""

CLOCKS = {"now", "today", "utcnow", "fromtimestamp"}
BUILT_IN_DOORS = {"open", "print", "input", "__import__", "exec", "eval"}


def impurities(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if not _may_import(alias.name, set()))
        elif isinstance(node, ast.ImportFrom):
            name = f"{'.' * node.level}{node.module or ''}"
            if not _may_import(name, {alias.name for alias in node.names}):
                yield name
        elif isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            yield node.attr
        elif isinstance(node, ast.Name) and node.id in BUILT_IN_DOORS:
            yield node.id


def _may_import(module: str, names: set[str]) -> bool:
    ours = f"{module}.".startswith("shared.domain.")
    return ours or module in PURE or (bool(names) and names <= PURE_NAMES.get(module, set()))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_the_domain_reaches_nothing_outside_itself(path: Path) -> None:
    assert [*impurities(path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os, time, httpx", ["os", "time", "httpx"]),
        ("import os.path", ["os.path"]),
        ("from time import monotonic", ["time"]),
        ("from random import random as luck", ["random"]),
        ("from shared.settings import Settings", ["shared.settings"]),
        ("from shared import telemetry", ["shared"]),
        ("from . import risk", ["."]),
        ("from uuid import uuid4", ["uuid"]),
        ("from shared.domain_of_others import x", ["shared.domain_of_others"]),
        ("def f():\n    import socket", ["socket"]),
        ("from datetime import datetime\ndatetime.now()", ["now"]),
        ("import datetime\nclock = datetime.date.today", ["today"]),
        ("open('x')", ["open"]),
        ("import math, re\nfrom datetime import UTC, datetime\nfrom shared.domain.risk import x", []),
    ],
)
def test_what_reaches_outside_is_noticed(source: str, found: list[str]) -> None:
    assert [*impurities(source)] == found
