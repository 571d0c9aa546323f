"""Stands in for the Functions host: runs one group of function_app.py by the triggers that it registers."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.command_line import UserError
from shared.domain.errors import FraudSenseError
from shared.settings import GROUPS, Settings, load_settings
from shared.telemetry.logs import Event, configure_logs, log

ROOT = Path(__file__).parents[1]
GRACE = timedelta(seconds=25)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """One function as the app registers it: the plain function, and its trigger's properties."""

    call: Callable[..., Any]
    trigger: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Host:
    """What the host knows beside the function: app settings, host.json, and the group's port."""

    app_settings: Mapping[str, str]
    host_json: Mapping[str, Any]
    port: int
    port_setting: str


def registered(app: Any) -> list[Registered]:
    """The functions of a FunctionApp, with the bindings as they are sent to the real host."""
    return [
        Registered(
            function.get_user_function(), next(filter(_is_trigger, map(json.loads, function.get_raw_bindings())))
        )
        for function in app.get_functions()
    ]


def _is_trigger(binding: Mapping[str, Any]) -> bool:
    return str(binding["type"]).endswith("Trigger")


def run_http(function: Registered, host: Host) -> None:
    """Serve the function's `asgi_app`."""
    from local.http_trigger import serve  # noqa: PLC0415 - score starts without a web server

    app = getattr(function.call, "asgi_app", None)
    if app is None:
        raise UserError("The HTTP function has no attribute 'asgi_app'; this host serves nothing else.")
    serve(app, host.port, GRACE, host.port_setting)


def run_rabbitmq(function: Registered, host: Host) -> None:
    """Consume the trigger's queue until SIGTERM or Ctrl-C."""
    from local.rabbitmq_trigger import RabbitMQTrigger  # noqa: PLC0415 - ingest starts without a consumer

    if function.trigger.get("dataType") != "BINARY":
        raise UserError("The RabbitMQ trigger must have data_type='binary'; text would lose undecodable bytes.")
    _start(function)
    name = str(function.trigger["name"])
    trigger = RabbitMQTrigger(
        _app_setting(host, str(function.trigger["connectionStringSetting"])),
        _resolved(host, str(function.trigger["queueName"])),
        int(host.host_json["extensions"]["rabbitMQ"]["prefetchCount"]),
        lambda body: function.call(**{name: body}),
    )
    asyncio.run(_until_stopped(trigger.run, getattr(function.call, "stop", _nothing)))


def run_service_bus(function: Registered, host: Host) -> None:
    """Receive from the trigger's queue until SIGTERM or Ctrl-C."""
    from local.service_bus_trigger import ServiceBusTrigger  # noqa: PLC0415 - as above
    from shared.broker.service_bus_access import ServiceBusAccess  # noqa: PLC0415

    if (function.trigger.get("dataType"), function.trigger.get("cardinality")) != ("BINARY", "MANY"):
        raise UserError("The Service Bus trigger must have data_type='binary' and cardinality='many'.")
    name, connection = str(function.trigger["name"]), str(function.trigger["connection"])
    access = ServiceBusAccess(
        _resolved(host, str(function.trigger["queueName"])),
        host.app_settings.get(connection, ""),
        host.app_settings.get(f"{connection}__fullyQualifiedNamespace", ""),
    )
    _start(function)
    trigger = ServiceBusTrigger(
        access,
        int(host.host_json["extensions"]["serviceBus"]["maxMessageBatchSize"]),
        lambda batch: function.call(**{name: batch}),
    )
    asyncio.run(_until_stopped(trigger.run, getattr(function.call, "stop", _nothing)))


def _start(function: Registered) -> None:
    getattr(function.call, "start_status", _nothing)()
    log(logger, logging.INFO, Event.STARTED)


def _nothing() -> None:
    """What a function does that has no `start_status()` or `stop()`."""


RUNNERS: Mapping[str, Callable[[Registered, Host], None]] = {
    "httpTrigger": run_http,
    "rabbitMQTrigger": run_rabbitmq,
    "serviceBusTrigger": run_service_bus,
}


def main(argv: Sequence[str]) -> int:
    """Run one group until it is told to stop: 0, or 2 where the user must mend something first."""
    args = _arguments(argv)
    _set_environment(args.group, args.port)
    try:
        settings = load_settings()
        configure_logs(args.group, settings.log_level)
        _refuse_memory(settings, args.group)
        function = _only_function(import_module(args.app).app, args.group)
        RUNNERS[function.trigger["type"]](function, _host(settings, args.group))
    except FraudSenseError as error:
        print(f"functions_host: {error}", file=sys.stderr)
        return 2
    log(logger, logging.INFO, Event.STOPPED)
    return 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description=__doc__)
    parser.add_argument("--group", choices=GROUPS, required=True, help="which functions to run")
    parser.add_argument("--port", type=int, metavar="N", help="instead of FRAUDSENSE_<GROUP>_PORT")
    parser.add_argument(
        "--app", default="function_app", metavar="MODULE", help="module with the FunctionApp `app`"
    )
    return parser.parse_args(argv)


def _set_environment(group: str, port: int | None) -> None:
    """function_app.py reads its settings from the environment when it is imported."""
    os.environ["FRAUDSENSE_FUNCTIONS"] = group
    if port is not None:
        os.environ[f"FRAUDSENSE_{group.upper()}_PORT"] = str(port)


def _refuse_memory(settings: Settings, group: str) -> None:
    if settings.broker != "memory":
        return
    explanation = (
        "FRAUDSENSE_BROKER=memory keeps the queue inside one process: score never sees what ingest takes."
    )
    if group == "score":
        raise UserError(f"{explanation} Set FRAUDSENSE_BROKER=rabbitmq.")
    print(f"functions_host: {explanation}", file=sys.stderr)


def _only_function(app: Any, group: str) -> Registered:
    functions = registered(app)
    if len(functions) != 1:
        raise UserError(f"The group '{group}' must register exactly one function; it registers {len(functions)}.")
    return functions[0]


def _host(settings: Settings, group: str) -> Host:
    declared = {f"FRAUDSENSE_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    return Host(
        app_settings=declared | os.environ,
        host_json=json.loads((ROOT / "host.json").read_text(encoding="utf-8")),
        port=int(getattr(settings, f"{group}_port")),
        port_setting=f"FRAUDSENSE_{group.upper()}_PORT",
    )


def _resolved(host: Host, text: str) -> str:
    """`%NAME%` in a binding stands for the app setting NAME."""
    return _app_setting(host, text.strip("%")) if text.startswith("%") else text


def _app_setting(host: Host, name: str) -> str:
    value = host.app_settings.get(name)
    if not value:
        raise UserError(f"The trigger names the app setting {name}, which is not set.")
    return value


async def _until_stopped(run: Callable[[asyncio.Event], Any], stop_function: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; then the function is asked to stop, and what is in hand has GRACE to finish."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def begin_to_stop() -> None:
        stop.set()
        stop_function()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin_to_stop)
    running = asyncio.ensure_future(run(stop))
    await asyncio.wait({running, asyncio.ensure_future(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    done, _ = await asyncio.wait({running}, timeout=GRACE.total_seconds())
    if not done:
        log(logger, logging.WARNING, Event.STOPPED, "The message in hand goes back to the queue.")
        os._exit(0)  # the function's thread cannot be ended; its message was never acknowledged
    running.result()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
