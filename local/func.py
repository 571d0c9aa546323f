"""Starts services, the functions under Core Tools (`func start`), and the dashboard."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from local.data_folder import DataFolder
from local.parts import alerts, environment_of_parts, is_healthy, python_module
from local.session import declare_queue, start_services, supervise
from local.supervisor import Part, Supervisor
from local.terminal import tell
from shared.command_line import UserError
from shared.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: the settings in the environment say it all."""


def run(_: argparse.Namespace) -> int:
    """Exit code 0 once stopped, 1 where a part does not start. Raises UserError without Core Tools."""
    program = shutil.which("func")
    if program is None:
        raise UserError(
            "Azure Functions Core Tools are not on PATH: install azure-functions-core-tools-4, or use `make run`."
        )
    settings = load_settings()
    return supervise(settings, partial(_work, program, settings))


def _work(program: str, settings: Settings, folder: DataFolder, supervisor: Supervisor) -> None:
    urls = start_services(settings, folder, supervisor)
    environment = environment_of_parts(urls, settings)
    supervisor.wait_ready()
    supervisor.run_job("migrate", python_module("shared.database", "migrate"), environment)
    declare_queue(settings, environment, supervisor)
    functions = Part(
        name="functions",
        command=(program, "start", "--port", str(settings.ingest_port)),
        ready=partial(is_healthy, settings.ingest_port),
        environment=_of_core_tools(environment),
        stop_seconds=30,
    )
    supervisor.start(alerts(settings, environment), functions)
    supervisor.wait_ready()
    tell(f"Dashboard  http://127.0.0.1:{settings.alerts_port}/")
    tell(f"Ingest     http://127.0.0.1:{settings.ingest_port}/docs")
    tell(f"Logs       {folder.path / 'logs'}")
    supervisor.watch(lambda: None)


def _of_core_tools(environment: Mapping[str, str]) -> dict[str, str]:
    """Core Tools run the `python` that they find on PATH as the worker: it must be ours."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    own = {"FRAUDSENSE_FUNCTIONS": "ingest,score", "FUNCTIONS_WORKER_RUNTIME": "python", "PATH": path}
    return {**environment, **own}
