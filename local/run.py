"""Starts everything on this machine, keeps it running, and stops it on Ctrl-C or SIGTERM."""

import argparse
import json
import os
from functools import partial
from typing import Any

from local.data_folder import STATE, DataFolder
from local.parts import (
    alerts,
    environment_of_parts,
    function_group,
    python_module,
    sample_traffic,
    snapshot,
)
from local.session import declare_queue, start_services, supervise
from local.supervisor import Supervisor
from local.terminal import tell
from shared.settings import Settings, load_settings

PARTS = ("ingest", "score", "alerts", "postgres", "redis", "rabbitmq")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: the settings in the environment say it all."""


def run(_: argparse.Namespace) -> int:
    """Exit code 0 once stopped, 1 where a part does not start."""
    settings = load_settings()
    return supervise(settings, partial(_work, settings))


def _work(settings: Settings, folder: DataFolder, supervisor: Supervisor) -> None:
    urls = start_services(settings, folder, supervisor)
    _start_doors(settings, urls, supervisor)
    supervisor.wait_ready()
    _announce(settings, folder, supervisor, urls)
    supervisor.watch(lambda: folder.write_json(STATE, _state(settings, supervisor, urls)))


def _start_doors(settings: Settings, urls: dict[str, str], supervisor: Supervisor) -> None:
    """Bring database and queue up to date and start our own processes, those that others send to first."""
    environment = environment_of_parts(urls, settings)
    supervisor.wait_ready("postgres", "redis")
    supervisor.run_job("migrate", python_module("shared.database", "migrate"), environment)
    supervisor.start(alerts(settings, environment))
    declare_queue(settings, environment, supervisor)
    supervisor.start(function_group("score", settings.score_port, environment))
    supervisor.start(function_group("ingest", settings.ingest_port, environment))
    supervisor.start(snapshot(environment))
    if settings.sample_traffic == "on":
        supervisor.wait_ready("ingest")
        supervisor.start(sample_traffic(environment))


def _announce(settings: Settings, folder: DataFolder, supervisor: Supervisor, urls: dict[str, str]) -> None:
    state = _state(settings, supervisor, urls)
    folder.write_json(STATE, state)
    tell(f"Dashboard  {state['urls']['alerts']}/")
    tell(f"Ingest     {state['urls']['ingest']}/docs")
    tell(f"Logs       {folder.path / 'logs'}")
    tell("Ctrl-C stops everything")
    print(f"READY {json.dumps(state)}", flush=True)


def _state(settings: Settings, supervisor: Supervisor, urls: dict[str, str]) -> dict[str, Any]:
    """What runs where; a service that the user gave has no process id, one that is not used no URL."""
    doors = {name: f"http://127.0.0.1:{getattr(settings, f'{name}_port')}" for name in ("ingest", "alerts")}
    services = {name: urls.get(name) for name in ("database", "redis", "rabbitmq")}
    pids = supervisor.pids()
    return {"urls": doors | services, "pids": {"run": os.getpid()} | {name: pids.get(name) for name in PARTS}}
