"""Each package asked for is named in requirements.in (or a file it includes) and really used."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("function_app.py", "functions", "shared", "ml", "local")
TESTS = ("tests",)
OURS = {place.removesuffix(".py") for place in (*PRODUCT, *TESTS, "infra_bicep")}

USED_NOW = [
    ("azure-functions", "azure.functions", PRODUCT),
    ("azure-servicebus", "azure.servicebus", PRODUCT),
    ("azure-identity", "azure.identity", PRODUCT),
    ("fastapi", "fastapi", PRODUCT),
    ("sqlalchemy", "sqlalchemy", PRODUCT),
    ("psycopg[binary]", "psycopg", PRODUCT),
    ("redis", "redis", PRODUCT),
    ("scikit-learn", "sklearn", PRODUCT),
    ("numpy", "numpy", PRODUCT),
    ("joblib", "joblib", PRODUCT),
    ("pytest", "pytest", TESTS),
]
USED_LATER = [
    ("opencensus-ext-azure", "opencensus.ext.azure", "comes with the choice of telemetry exporters"),
]


def requirements(path: Path) -> Iterator[str]:
    """Names with extras, as written, of a requirements file and those it includes."""
    for line in path.read_text().splitlines():
        if included := re.match(r"-r\s+(\S+)", line):
            yield from requirements(path.parent / included[1])
        elif named := re.match(r"[A-Za-z0-9._-]+(\[[^\]]*\])?", line):
            yield named[0].lower()


def packages(names: Iterator[str]) -> set[str]:
    """Each requirement with and without its extras."""
    return {form for name in names for form in (name, name.split("[")[0])}


def sources(place: str) -> list[Path]:
    """Python files of a place; tests/deploy has packages, and a virtual environment, of its own."""
    if place.endswith(".py"):
        return [ROOT / place]
    apart = ROOT / "tests" / "deploy"
    return [path for path in (ROOT / place).rglob("*.py") if not path.is_relative_to(apart)]


def imported(places: tuple[str, ...]) -> set[str]:
    """Every module imported in these places, with its parents."""
    modules = {module for place in places for path in sources(place) for module in _imports(path.read_text())}
    return {module.rsplit(".", cut)[0] for module in modules for cut in range(module.count(".") + 1)}


def installed() -> Mapping[str, str]:
    """Each installed file or folder and one package that it belongs to."""
    return {
        str(path): name
        for each in distributions()
        for name in [normalized(each.name)]
        for file in each.files or []
        for path in (file, *file.parents)
    }


def normalized(name: str) -> str:
    """The package's name as its index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def package_of(module: str, files: Mapping[str, str]) -> str | None:
    """The package of a module, or of a name in it; None for a namespace that several packages share.

    What is not installed here is taken to be named like its module.
    """
    path = module.replace(".", "/")
    for candidate in (path, path.rpartition("/")[0]):
        for ending in (".py", "/__init__.py"):
            if candidate + ending in files:
                return files[candidate + ending]
    return None if path in files else normalized(module.split(".", maxsplit=1)[0])


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", [package for package, *_ in [*USED_NOW, *USED_LATER]])
def test_the_package_is_required(package: str) -> None:
    assert package in packages(requirements(ROOT / "requirements.in"))


@pytest.mark.parametrize(("package", "module", "places"), USED_NOW)
def test_the_package_is_used(package: str, module: str, places: tuple[str, ...]) -> None:
    assert module in imported(places), f"{package} is required but nobody imports {module}"


@pytest.mark.parametrize(
    ("package", "module"),
    [
        pytest.param(package, module, marks=pytest.mark.xfail(reason=reason, strict=True))
        for package, module, reason in USED_LATER
    ],
)
def test_the_package_is_used_later(package: str, module: str) -> None:
    assert module in imported(PRODUCT), f"{package} is required but nobody imports {module}"


@pytest.mark.parametrize(("package", "_module", "_places"), USED_NOW)
def test_the_package_is_pinned_with_hashes(package: str, _module: str, _places: object) -> None:
    name = package.split("[", maxsplit=1)[0]
    pinned = re.findall(
        rf"^{re.escape(name)}(?:\[\w+\])?==\S+[^\n]*\\\n    --hash=sha256:",
        (ROOT / "requirements.txt").read_text(),
        re.MULTILINE | re.IGNORECASE,
    )
    assert pinned


@pytest.mark.parametrize(
    ("places", "files"),
    [
        (PRODUCT, ["requirements.in"]),
        (("function_app.py", "functions", "shared"), ["requirements-image.in"]),
        (TESTS, ["requirements.in", "requirements-dev.in", "requirements-servicebus.in"]),
    ],
)
def test_every_package_that_is_imported_is_named(places: tuple[str, ...], files: list[str]) -> None:
    named = {normalized(name) for each in files for name in packages(requirements(ROOT / each))}
    found = installed()
    foreign = {
        module
        for place in places
        for path in sources(place)
        for module in _imports(path.read_text())
        if module.split(".")[0] not in OURS | sys.stdlib_module_names
    }

    assert {package_of(module, found) for module in foreign} - named - {None} == set()


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested, shipped = (pins(ROOT / name) for name in ("requirements.txt", "requirements-image.txt"))

    assert shipped
    assert shipped - tested == set()


def test_the_image_has_neither_training_nor_test_packages() -> None:
    shipped = {line.split("==")[0] for line in pins(ROOT / "requirements-image.txt")}

    unwanted = {"scikit-learn", "scipy", "joblib", "pytest", "ruff", "mypy", "hypothesis", "playwright"}

    assert shipped & unwanted == set()


def pins(path: Path) -> set[str]:
    """`name==version` of each package in a lock file."""
    return set(re.findall(r"^[a-z0-9._-]+==[^ ;\\]+", path.read_text(), re.MULTILINE))
