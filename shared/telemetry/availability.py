"""Whether a service answers, logged when that changes and not at every call."""

import logging

from shared.telemetry.logs import Event, log

_logger = logging.getLogger(__name__)


class Availability:
    """What is known of one service, from the calls made to it."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._away = False

    def failed(self, error: Exception) -> None:
        """A call failed."""
        if not self._away:
            reason = str(error) or type(error).__name__
            log(_logger, logging.WARNING, Event.SERVICE_AWAY, f"{self._service}: {reason}")
        self._away = True

    def answered(self) -> None:
        """A call went well."""
        if self._away:
            log(_logger, logging.INFO, Event.SERVICE_BACK, self._service)
        self._away = False
