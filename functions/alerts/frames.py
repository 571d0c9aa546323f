"""The frames of the WebSocket stream: `ready`, `alert`, `ping`. An alert is encoded once for all clients."""

import json
from dataclasses import dataclass

from pydantic import ValidationError

from shared.domain.alert import Alert
from shared.messages.alert_out import AlertOut, alert_out

PING = '{"type": "ping"}'


@dataclass(frozen=True, slots=True)
class Frame:
    """An alert frame as it is sent to every client."""

    seq: int
    text: str


def ready(seq: int) -> str:
    """The first frame of a stream: the highest sequence number at that moment."""
    return json.dumps({"type": "ready", "seq": seq})


def recorded(alert: Alert) -> Frame:
    """The frame of a recorded alert."""
    return _frame(alert_out(alert))


def announced(message: bytes) -> Frame | None:
    """The frame of a message of the live feed, or None where it is no alert."""
    try:
        return _frame(AlertOut.model_validate_json(message))
    except ValidationError:
        return None


def _frame(alert: AlertOut) -> Frame:
    text = f'{{"type": "alert", "seq": {alert.seq}, "alert": {alert.model_dump_json()}}}'
    return Frame(alert.seq, text)
