"""What operators see of a batch: metrics and log lines."""

import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from functions.score.handler import Outcome
from shared.domain.alert import Alert
from shared.domain.decision import RejectedMessage
from shared.messages.envelope import trace_id
from shared.messages.transaction_in import Item
from shared.telemetry import metrics
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)


def tell(outcome: Outcome, took: timedelta) -> None:
    """Count and log one batch."""
    metrics.observe(metrics.BATCH, took.total_seconds())
    _tell_new(outcome)
    for message in (*outcome.books.rejected, *_conflicts(outcome)):
        _tell_rejected(message)
    for item, error in outcome.failures:
        _tell_failure(item, error)
    _tell_announcement(outcome)


def _tell_new(outcome: Outcome) -> None:
    for label, number in Counter(each.decision.label for each in outcome.books.new).items():
        metrics.count(metrics.PROCESSED, number, risk_label=str(label))
    if raised := sum(each.decision.raises_alert for each in outcome.books.new):
        metrics.count(metrics.ALERTS_CREATED, raised)
    for each in outcome.books.new:
        waited = outcome.recorded_at - each.received_at
        metrics.observe(metrics.PROCESSING, max(0.0, waited.total_seconds()))


def _conflicts(outcome: Outcome) -> list[RejectedMessage]:
    """With their traces, which the books do not know."""
    if not outcome.books.conflicts:
        return []
    traces = {each.item.payload: trace_id(each.item.traceparent) for each in outcome.books.scored}
    return [replace(message, trace_id=traces.get(message.body)) for message in outcome.books.conflicts]


def _tell_rejected(message: RejectedMessage) -> None:
    metrics.count(metrics.REJECTED, reason=message.reason)
    log(
        logger,
        logging.WARNING,
        Event.TRANSACTION_REJECTED,
        message.detail,
        trace_id=message.trace_id,
        account_id=message.account_id,
        transaction_id=message.transaction_id,
        reason=message.reason,
    )


def _tell_failure(item: Item, error: Exception) -> None:
    ids = {"transaction_id": item.transaction.transaction_id, "account_id": item.transaction.account_id}
    extra = {"event": str(Event.UNEXPECTED_ERROR), "trace_id": trace_id(item.traceparent), **ids}
    logger.error("The code failed for this transaction.", exc_info=error, extra=extra)


def _tell_announcement(outcome: Outcome) -> None:
    traces = {
        each.item.transaction.transaction_id: trace_id(each.item.traceparent) for each in outcome.books.scored
    }
    for alert in outcome.announced:
        _tell_alert(alert, traces.get(alert.transaction_id))
    if outcome.unannounced is not None:
        extra = {"event": str(Event.ANNOUNCEMENT_FAILED)}
        logger.warning("The sweeper will announce this batch's alerts.", exc_info=outcome.unannounced, extra=extra)


def _tell_alert(alert: Alert, trace: str | None) -> None:
    log(
        logger,
        logging.INFO,
        Event.ALERT_ANNOUNCED,
        trace_id=trace,
        transaction_id=alert.transaction_id,
        account_id=alert.account_id,
        seq=alert.seq,
        risk=alert.risk,
    )
