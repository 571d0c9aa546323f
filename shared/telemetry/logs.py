"""Structured logs: one JSON object a line, with trace_id, transaction_id, account_id and component."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

from pythonjsonlogger.core import LogData
from pythonjsonlogger.json import JsonFormatter

from shared.domain.card_data import mask_card_data


class Event(StrEnum):
    """Every log event, declared once; the value is the `event` field."""

    STARTED = "started"
    STOPPED = "stopped"
    TRANSACTION_REJECTED = "transaction_rejected"
    ALERT_ANNOUNCED = "alert_announced"
    ANNOUNCEMENT_FAILED = "announcement_failed"
    SERVICE_AWAY = "service_away"
    SERVICE_BACK = "service_back"
    ENVELOPE_PUT_BACK = "envelope_put_back"
    POISON_PAUSE = "poison_pause"
    MODELS_CHANGED = "models_changed"
    RELOAD_FAILED = "reload_failed"
    DRIFT_UNKNOWN = "drift_unknown"
    UNEXPECTED_ERROR = "unexpected_error"


_LIBRARIES = {
    "aio_pika": logging.WARNING,
    "aiormq": logging.ERROR,
    "aiormq.connection": logging.CRITICAL,
    "psycopg": logging.ERROR,
    "uvicorn.access": logging.WARNING,
    "azure.core": logging.WARNING,
    "azure.identity": logging.WARNING,
    "azure.servicebus": logging.WARNING,
}
"""Least severe level of each. Our events say once that a service is away, the drivers at every attempt."""


def configure_logs(component: str, level: str = "INFO") -> None:
    """Send all logs of this process to stderr as JSON lines, once per process."""
    logging.basicConfig(handlers=[logging.StreamHandler(sys.stderr)], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # its command line gives them handlers and levels
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    shape_logs(component, level)


def shape_logs(component: str, level: str) -> None:
    """Make JSON lines of what goes to the root logger's handlers, such as the Functions worker's; adds no output.

    A line's `component` is the group whose logger wrote it, else the given one.
    """
    root = logging.getLogger()
    root.setLevel(level)
    for handler in root.handlers:
        handler.setFormatter(_MaskingFormatter(component))
    for library, least in _LIBRARIES.items():
        logging.getLogger(library).setLevel(least)


class _MaskingFormatter(JsonFormatter):
    """JSON lines in which nothing looks like a card number, wherever it came from."""

    def __init__(self, component: str) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
        self._component = component

    def formatTime(self, record: logging.LogRecord, _datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """RFC 3339 in UTC, to the millisecond."""
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: LogData) -> LogData:
        """Name the component."""
        package, _, rest = str(log_data["logger"]).partition(".")
        group = rest.partition(".")[0] if package == "functions" else ""
        return log_data | {"component": group or self._component}

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Masked value by value: in the finished text a mask could stand where JSON wants a number."""
        shown = json.loads(super().jsonify_log_record(log_data), parse_constant=str)
        return json.dumps(mask_card_data(shown), allow_nan=False)


def log(
    logger: logging.Logger,
    level: int,
    event: Event,
    message: str = "",
    *,
    trace_id: str | None = None,
    transaction_id: str | None = None,
    account_id: str | None = None,
    **fields: object,
) -> None:
    """Log one event; absent identifiers are left out of the line."""
    known = {"trace_id": trace_id, "transaction_id": transaction_id, "account_id": account_id}
    extra = {"event": str(event), **{k: v for k, v in known.items() if v is not None}, **fields}
    logger.log(level, message or str(event), extra=extra)
