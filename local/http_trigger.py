"""The HTTP trigger served without the Functions host: the function's own ASGI app under uvicorn."""

import logging
import signal
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import uvicorn

from shared.command_line import UserError
from shared.telemetry.logs import Event, log

BACKLOG = 2048

logger = logging.getLogger(__name__)


def serve(app: Callable[..., Any], port: int, grace: timedelta, port_setting: str) -> None:
    """Answer on 127.0.0.1 until SIGTERM or Ctrl-C, then finish the requests in hand within `grace`.

    Raises UserError where the port is taken.
    """
    listener = _listener(port, port_setting)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",  # the Functions host runs none either
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=int(grace.total_seconds()),
    )
    _end_quietly_on_signals()
    log(logger, logging.INFO, Event.STARTED)
    uvicorn.Server(config).run(sockets=[listener])


def _listener(port: int, port_setting: str) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        raise UserError(
            f"Port {port} cannot be used: {error.strerror}. Stop who has it, or set {port_setting}."
        ) from error


def _end_quietly_on_signals() -> None:
    """After its shutdown uvicorn raises the signal again for whoever handled it before; that must not kill us."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
