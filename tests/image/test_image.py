"""What is in the image, and what somebody who got into a container of it could do there."""

import json

import pytest

from tests.image.containers import GUARDED, VOLUMES, WWWROOT, Image

pytestmark = pytest.mark.image

IMPORT_ALL = """
import importlib, pkgutil, functions, ml.snapshot, shared
found = [each for top in (functions, shared) for each in pkgutil.walk_packages(top.__path__, top.__name__ + ".")]
names = [each.name for each in found if not each.name.endswith("__main__") and ".migrations." not in each.name]
print(len([importlib.import_module(name) for name in names]))
"""
NOT_IN_THE_IMAGE = ["tests", "local", "shared.testing", "pytest", "sklearn", "scipy", "joblib", "ruff", "mypy"]


def test_it_says_what_it_is_and_runs_as_a_numbered_user(image: Image) -> None:
    configuration = image.inspect()

    assert configuration["User"] == "10001:10001"
    assert configuration["WorkingDir"] == WWWROOT
    assert {"8080/tcp", "7072/tcp"} == set(configuration["ExposedPorts"])
    assert configuration["Labels"]["org.opencontainers.image.title"] == "FraudSense"


def test_a_container_of_it_can_change_nothing_but_its_volumes(image: Image) -> None:
    found = image.probe(*GUARDED)

    assert (found["user"], found["group"]) == (10001, 10001)
    assert set(found["writable"]) == set(VOLUMES)
    assert found["capabilities"] == 0
    assert not found["may_gain_privileges"]


def test_without_the_read_only_root_its_own_folders_stay_closed_to_it(image: Image) -> None:
    assert set(image.probe()["writable"]) == set(VOLUMES)


def test_the_probe_sees_root_and_a_writable_root(image: Image) -> None:
    found = image.probe("--user=0:0")

    assert found["user"] == 0
    assert found["capabilities"] > 0
    assert found["may_gain_privileges"]
    assert {"/", "/usr/bin", WWWROOT} <= set(found["writable"])


def test_no_program_in_it_compiles_or_changes_its_user(image: Image) -> None:
    found = image.probe("--user=0:0")

    assert found["compilers"] == []
    assert found["changing_user"] == []


def test_it_holds_the_product_and_nothing_else(image: Image) -> None:
    listed = image.run("python", "-c", "import json, os; print(json.dumps(sorted(os.listdir('.'))))")

    assert json.loads(listed.stdout) == [
        ".python_packages", "__pycache__", "function_app.py", "functions", "host.json", "ml", "shared",
    ]  # fmt: skip


@pytest.mark.parametrize("module", NOT_IN_THE_IMAGE)
def test_training_tests_and_the_local_build_are_not_in_it(image: Image, module: str) -> None:
    found = image.run("python", "-c", f"import {module}")

    assert "ModuleNotFoundError" in found.stderr


def test_it_has_the_packages_of_every_module_of_doors_and_jobs(image: Image) -> None:
    done = image.run("python", "-c", IMPORT_ALL)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize("group", ["ingest", "score"])
@pytest.mark.parametrize("broker", ["rabbitmq", "servicebus"])
def test_the_functions_host_finds_one_function_a_door(image: Image, group: str, broker: str) -> None:
    settings = {
        "FRAUDSENSE_FUNCTIONS": group,
        "FRAUDSENSE_BROKER": broker,
        "FRAUDSENSE_SERVICEBUS_CONNECTION__fullyQualifiedNamespace": "example.servicebus.windows.net",
    }
    names = "import function_app; print(*[each.get_function_name() for each in function_app.app.get_functions()])"

    assert image.run("python", "-c", names, environment=settings).stdout.split() == [group]


def test_nothing_of_it_is_compiled_at_the_start(image: Image) -> None:
    sources = f"import pathlib; print(*[p for p in pathlib.Path('{WWWROOT}').rglob('*.py')" + (
        " if '.python_packages' not in p.parts and not list((p.parent / '__pycache__').glob(p.stem + '.*.pyc'))])"
    )

    assert image.run("python", "-c", sources).stdout.split() == []
