"""Structured logs: one JSON object a line, with trace_id, transaction_id, account_id and component."""

import logging
import sys
from enum import StrEnum

from pythonjsonlogger.json import JsonFormatter

from shared.domain.card_data import mask_card_numbers


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
    UNEXPECTED_ERROR = "unexpected_error"


def configure_logs(component: str, level: str = "INFO") -> None:
    """Send all logs of this process to stderr as JSON lines, once per process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _MaskingFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"component": component},
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # its command line gives them handlers and levels
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for chatty in ("aio_pika", "aiormq", "uvicorn.access", "azure"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _MaskingFormatter(JsonFormatter):
    """Nothing that looks like a card number leaves in a log line, wherever it came from."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_card_numbers(super().format(record).encode()).decode()


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
