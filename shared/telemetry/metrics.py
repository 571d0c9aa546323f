"""Every metric, declared once; `/metrics` shows them to Prometheus, another exporter can be added beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation, _Gauge
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY, generate_latest


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as Prometheus shows it: counters end in `_total`, histograms in `_seconds`, gauges in their unit.

    `starts_at` are values of its only label that are shown as 0 from the start, so that a first event is a rise.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    description: str
    labels: tuple[str, ...] = ()
    starts_at: tuple[str, ...] = ()


INGESTED = Metric("transactions_ingested_total", "counter", "Transactions answered 202 or queued in a batch")
REFUSED = Metric(
    "transactions_refused_total", "counter", "Transactions refused at the HTTP door", ("reason",),
    ("card_data", "conflict", "too_large", "media_type", "invalid", "rate_limited", "queue_full", "backlog",
     "unconfirmed"),
)  # fmt: skip
PROCESSED = Metric(
    "transactions_processed_total", "counter", "Transactions scored and recorded", ("risk_label",),
    ("LOW", "MEDIUM", "HIGH"),
)  # fmt: skip
REJECTED = Metric(
    "messages_rejected_total", "counter", "Messages or items quarantined", ("reason",),
    ("unreadable", "id_conflict", "scoring_failed", "unrecordable"),
)  # fmt: skip
ALERTS_CREATED = Metric("alerts_created_total", "counter", "Alerts recorded by the scorer, announced or not")
PROCESSING = Metric(
    "transaction_processing_seconds", "histogram", "Receipt of a transaction to its recorded decision"
)
BATCH = Metric("score_batch_seconds", "histogram", "One batch through all six steps")
RETRIES = Metric(
    "score_retries_total", "counter", "Waits for a service that was away", ("service",), ("redis", "postgres")
)
POISON_PAUSES = Metric("score_poison_pauses_total", "counter", "Pauses of score for too large a share of poison")
RELOAD_FAILURES = Metric(
    "score_reload_failures_total", "counter", "Failed readings of models, lists and signals; what ran goes on"
)
SHADOW_FAILURES = Metric(
    "score_shadow_failures_total",
    "counter",
    "Batches that a shadow failed for, or could not be kept for",
)
DRIFT = Metric(
    "score_drift_psi", "gauge",
    "Population stability index of each feature and of `risk`: 24 hours of a scorer against its training window",
    ("feature",),
)  # fmt: skip
PUT_BACK = Metric("envelopes_put_back_total", "counter", "Messages that score gave back to the queue")
LATE = Metric("history_late_total", "counter", "Transactions older than the account's kept history")
HISTORY_LOADED = Metric(
    "history_loaded_total", "counter", "Accounts with a past that were loaded from PostgreSQL into Redis"
)
UNLIMITED = Metric("rate_limit_unavailable_total", "counter", "Transactions admitted because Redis was away")
NO_RECEIPT = Metric("receipts_unavailable_total", "counter", "Receipts not read or written because Redis was away")
QUEUE_DEPTH = Metric("queue_depth_envelopes", "gauge", "Envelopes in the queue, as ingest last read it")
QUEUE_DEPTH_UNKNOWN = Metric("queue_depth_unknown_total", "counter", "Failed readings of the queue's depth")
DELIVERED = Metric("alert_frames_sent_total", "counter", "Alert frames sent to WebSocket clients")
SLOW_CLIENTS = Metric("alert_clients_dropped_total", "counter", "WebSocket clients closed as too slow")
SWEPT = Metric("alerts_swept_total", "counter", "Alerts announced by the sweeper")
LABELLED = Metric("labels_posted_total", "counter", "Labels posted to alerts, by what they did", ("effect",))
ALERTS_RETRIES = Metric("alerts_retries_total", "counter", "Failed turns of alerts' background tasks", ("task",))

METRICS = (
    INGESTED, REFUSED, PROCESSED, REJECTED, ALERTS_CREATED, PROCESSING, BATCH, RETRIES, POISON_PAUSES,
    RELOAD_FAILURES, SHADOW_FAILURES, DRIFT, PUT_BACK, LATE, HISTORY_LOADED, UNLIMITED, NO_RECEIPT, QUEUE_DEPTH,
    QUEUE_DEPTH_UNKNOWN, DELIVERED, SLOW_CLIENTS, SWEPT, LABELLED, ALERTS_RETRIES,
)  # fmt: skip

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


def configure_metrics(component: str) -> None:
    """Start collecting; later calls change nothing. Without it counting costs next to nothing and goes nowhere."""
    if isinstance(metrics.get_meter_provider(), MeterProvider):
        return
    by_seconds = View(instrument_name="*_seconds", aggregation=ExplicitBucketHistogramAggregation(_BUCKETS))
    resource = Resource.create({"service.name": f"fraudsense-{component}"})
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False)
    metrics.set_meter_provider(MeterProvider([reader], resource, views=[by_seconds]))
    for metric in METRICS:
        _start(metric)


def count(metric: Metric, amount: int = 1, **labels: str) -> None:
    """Add to a counter."""
    _counter(metric).add(amount, labels)


def observe(metric: Metric, seconds: float, **labels: str) -> None:
    """Note one duration in seconds."""
    _histogram(metric).record(seconds, labels)


def show(metric: Metric, value: float, **labels: str) -> None:
    """Set a gauge."""
    _gauge(metric).set(value, labels)


def show_from(metric: Metric, read: Callable[[], Mapping[str, float]]) -> None:
    """A gauge that is `read` whenever somebody looks: its values by that of its only label; those left out vanish.

    Of several readers of a metric the last one counts.
    """
    _readers(metric)[:] = [read]


def render() -> bytes:
    """What `/metrics` answers, in Prometheus' text format (`CONTENT_TYPE_LATEST`); unused metrics included."""
    shown = generate_latest(REGISTRY)
    unused = [metric for metric in METRICS if b"# TYPE %b " % metric.name.encode() not in shown]
    return shown + "".join(f"# HELP {m.name} {m.description}\n# TYPE {m.name} {m.kind}\n" for m in unused).encode()


def _start(metric: Metric) -> None:
    if metric.kind == "counter" and not metric.labels:
        count(metric, 0)
    for value in metric.starts_at:
        count(metric, 0, **{metric.labels[0]: value})


@cache
def _counter(metric: Metric) -> Counter:
    return metrics.get_meter("fraudsense").create_counter(metric.name, description=metric.description)


@cache
def _histogram(metric: Metric) -> Histogram:
    return metrics.get_meter("fraudsense").create_histogram(metric.name, description=metric.description)


@cache
def _readers(metric: Metric) -> list[Callable[[], Mapping[str, float]]]:
    readers: list[Callable[[], Mapping[str, float]]] = []

    def read(_options: CallbackOptions) -> list[Observation]:
        values = {value: each for read in readers for value, each in read().items()}
        return [Observation(each, {metric.labels[0]: value}) for value, each in values.items()]

    meter = metrics.get_meter("fraudsense")
    meter.create_observable_gauge(metric.name, callbacks=[read], description=metric.description)
    return readers


@cache
def _gauge(metric: Metric) -> _Gauge:
    return metrics.get_meter("fraudsense").create_gauge(metric.name, description=metric.description)
