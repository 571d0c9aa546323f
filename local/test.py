"""Starts private services in a folder of their own and runs the tests against them."""

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from local.compiled import install_proton
from local.services import private_services
from local.services.programs import Program, require
from local.stopping import stopping_on_signals
from local.supervisor import ROOT, TICK, PartFailed, Stopped
from local.terminal import tell

BROWSER = Program("chromium", "chromium")
URL_VARIABLES = {
    "database": "FRAUDSENSE_TEST_DATABASE_URL",
    "redis": "FRAUDSENSE_TEST_REDIS_URL",
    "rabbitmq": "FRAUDSENSE_TEST_RABBITMQ_URL",
}
FOLDER_VARIABLE = "FRAUDSENSE_TEST_DATA_DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows is pytest's."""
    parser.add_argument(
        "pytest_arguments", nargs="*", metavar="-- PYTEST ARGUMENTS", help="for example: -- -k alerts"
    )


def run(args: argparse.Namespace) -> int:
    """pytest's exit code; 130 where it was interrupted."""
    require([BROWSER], tell)
    install_proton(tell)
    return run_tests(args.pytest_arguments, test_folder())


def run_tests(pytest_arguments: list[str], folder: Path) -> int:
    """pytest's exit code, with services in `folder` for those that are not given; 130 where it was interrupted."""
    given = {name: os.environ[variable] for name, variable in URL_VARIABLES.items() if variable in os.environ}
    missing = [name for name in URL_VARIABLES if name not in given]
    with stopping_on_signals() as stopping:
        try:
            with private_services(folder, missing, stopping) as started:
                return _pytest(pytest_arguments, _environment(given | started), stopping)
        except Stopped:
            return 130
        except PartFailed as error:
            print(f"fraudsense: {error}", file=sys.stderr)
            return 1


def test_folder() -> Path:
    """Where the tests' services keep their data: apart from that of `run`, which may go on meanwhile."""
    return Path(os.environ.get(FOLDER_VARIABLE, ROOT / ".local-test"))


def _environment(urls: dict[str, str]) -> dict[str, str]:
    """Ours without the product's settings: the tests choose their own."""
    kept = {
        n: v for n, v in os.environ.items() if not n.startswith("FRAUDSENSE_") or n.startswith("FRAUDSENSE_TEST_")
    }
    return kept | {URL_VARIABLES[name]: url for name, url in urls.items()}


def _pytest(arguments: list[str], environment: dict[str, str], stopping: threading.Event) -> int:
    """Run pytest in a session of its own; when stopping, it is interrupted once and may tidy up."""
    command = [sys.executable, "-m", "pytest", "-rs", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as process:
        while process.poll() is None:
            if stopping.wait(TICK):
                process.send_signal(signal.SIGINT)
                process.wait(60)
                return 130
        return process.returncode
