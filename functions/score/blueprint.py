"""Score's door in the Functions host: one queue trigger, of the broker that the settings name.

The model is loaded while the app is indexed, so that a missing or altered one stops the process before it takes a
message. Everything else is made by the first message, or by `start_status`.
"""

import logging
from collections.abc import Callable
from typing import Any, List  # noqa: UP035 - see _service_bus

import azure.functions as func

from functions.score.invocation import Invocations
from functions.score.status import StatusPortTaken, StatusServer, serve_status
from functions.score.stopping import Stop
from functions.score.wiring import once, scorer_for, wire
from shared.domain.errors import FraudSenseError
from shared.settings import Settings
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)

Run = Callable[[list[bytes]], None]
Function = Callable[..., None]
Trigger = Callable[..., Any]


class NoQueue(FraudSenseError):
    """FRAUDSENSE_BROKER=memory keeps the queue inside ingest's process: set rabbitmq or servicebus for score."""


def blueprint(settings: Settings) -> func.Blueprint:
    """The function `score`.

    Its attribute `start_status()` starts health and metrics before the first message; under the real host, where
    nobody calls it, FRAUDSENSE_SCORE_STATUS=at_start does. `stop()` makes a batch that waits, for a service or for
    poison to end, raise Stopping at once.

    Raises ModelInvalid where there is no valid model, and NoQueue.
    """
    if settings.broker not in _TRIGGERS:
        raise NoQueue
    stop = Stop()
    run, start_status = _invocations(settings, stop)
    if settings.score_status == "at_start":
        _start_or_tell(start_status)
    group = func.Blueprint()  # type: ignore[no-untyped-call]
    score, trigger = _TRIGGERS[settings.broker](group, settings, run)
    score.start_status = start_status  # type: ignore[attr-defined]
    score.stop = stop.ask  # type: ignore[attr-defined]
    group.function_name("score")(trigger(score))
    return group


def _invocations(settings: Settings, stop: Stop) -> tuple[Run, Callable[[], StatusServer]]:
    scorer = scorer_for(settings)
    parts = once(lambda: wire(settings, scorer, stop.sleep))
    invocations = once(lambda: Invocations(parts()))
    start_status = once(lambda: serve_status(parts().health, settings.score_host, settings.score_port))
    started = once(lambda: _start_or_tell(start_status))

    def run(messages: list[bytes]) -> None:
        started()
        invocations().run(messages)

    return run, start_status


def _start_or_tell(start_status: Callable[[], StatusServer]) -> None:
    """Scoring goes on without health and metrics, but not in silence."""
    try:
        start_status()
    except StatusPortTaken as error:
        log(logger, logging.ERROR, Event.UNEXPECTED_ERROR, str(error))


def _rabbitmq(group: func.Blueprint, settings: Settings, run: Run) -> tuple[Function, Trigger]:
    def score(message: bytes) -> None:
        run([message])

    trigger = group.generic_trigger(
        arg_name="message",
        type="rabbitMQTrigger",
        # As text, bytes that are not UTF-8 could not be quarantined whole.
        data_type=func.DataType.BINARY,
        queueName=settings.queue_name,
        connectionStringSetting="FRAUDSENSE_RABBITMQ_URL",
    )
    return score, trigger


def _service_bus(group: func.Blueprint, settings: Settings, run: Run) -> tuple[Function, Trigger]:
    # With list[...] the worker refuses to index the app.
    def score(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
        run([message.get_body() for message in messages])

    trigger = group.service_bus_queue_trigger(
        arg_name="messages",
        connection="FRAUDSENSE_SERVICEBUS_CONNECTION",
        queue_name=settings.queue_name,
        cardinality=func.Cardinality.MANY,
        data_type=func.DataType.BINARY,  # as above
    )
    return score, trigger


_TRIGGERS = {"rabbitmq": _rabbitmq, "servicebus": _service_bus}
