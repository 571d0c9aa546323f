"""What `/metrics` shows and what a log line holds, each from a fresh process."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def in_a_fresh_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


def metrics_after(code: str) -> str:
    prelude = "from shared.telemetry.metrics import *\nfrom shared.telemetry import metrics as m\n"
    return in_a_fresh_process(f"{prelude}{code}\nprint(render().decode())").stdout


def log_lines(code: str) -> list[dict[str, object]]:
    prelude = (
        "import logging\nfrom shared.telemetry.logs import *\nconfigure_logs('score')\n"
        "logger = logging.getLogger('functions.score')\n"
    )
    return [json.loads(line) for line in in_a_fresh_process(prelude + code).stderr.splitlines()]


def test_a_counter_shows_under_its_declared_name_with_its_labels() -> None:
    shown = metrics_after("configure_metrics('score')\ncount(m.PROCESSED, 2, risk_label='HIGH')")

    assert 'risk_label="HIGH"' in shown
    assert any(
        line.startswith("transactions_processed_total{") and line.endswith(" 2.0") for line in shown.splitlines()
    )
    assert "# HELP transactions_processed_total" in shown


def test_a_duration_shows_as_a_histogram_in_seconds() -> None:
    shown = metrics_after("configure_metrics('score')\nobserve(m.PROCESSING, 0.3)")

    buckets = {
        line.split('le="')[1].split('"')[0]: float(line.split()[-1])
        for line in shown.splitlines()
        if line.startswith("transaction_processing_seconds_bucket")
    }
    assert (buckets["0.25"], buckets["0.5"]) == (0, 1)
    assert "transaction_processing_seconds_sum" in shown


def test_every_declared_metric_keeps_its_name() -> None:
    shown = metrics_after(
        "configure_metrics('ingest')\n"
        "for metric in METRICS:\n"
        "    labels = dict.fromkeys(metric.labels, 'x')\n"
        "    (count if metric.kind == 'counter' else observe)(metric, 1, **labels)\n"
        "print([metric.name for metric in METRICS])"
    )
    names = json.loads(shown.splitlines()[0].replace("'", '"'))
    for name in names:
        assert f"# TYPE {name} " in shown
        assert shown.count(f"# HELP {name} ") == 1


def test_counting_without_configuration_goes_nowhere() -> None:
    shown = metrics_after("count(m.INGESTED)").splitlines()
    assert not [line for line in shown if line.startswith("transactions_ingested_total")]


def test_every_port_shows_every_metric_from_the_start() -> None:
    shown = metrics_after("configure_metrics('alerts')")
    assert "# TYPE transaction_processing_seconds histogram" in shown
    assert "\ntransactions_ingested_total 0.0\n" in shown
    assert '\ntransactions_processed_total{risk_label="HIGH"} 0.0\n' in shown
    assert '\ntransactions_refused_total{reason="rate_limited"} 0.0\n' in shown


def test_a_log_line_is_json_with_component_event_and_ids() -> None:
    [line] = log_lines(
        "log(logger, logging.INFO, Event.TRANSACTION_REJECTED, 'Cannot be read.',"
        " trace_id='t1', transaction_id='txn-1', account_id='acct-1', reason='invalid_json')"
    )

    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "functions.score",
        "message": "Cannot be read.",
        "component": "score",
        "event": "transaction_rejected",
        "trace_id": "t1",
        "transaction_id": "txn-1",
        "account_id": "acct-1",
        "reason": "invalid_json",
    }


def test_absent_ids_are_left_out() -> None:
    [line] = log_lines("log(logger, logging.INFO, Event.STARTED)")

    assert not {"trace_id", "transaction_id", "account_id"} & set(line)
    assert line["message"] == "started"


def test_card_numbers_are_masked_wherever_they_stand() -> None:
    lines = log_lines(
        "logger.warning('paid with 4111 1111 1111 1111')\n"
        "log(logger, logging.INFO, Event.STARTED, detail={'note': '4111-1111-1111-1111'})\n"
        "try:\n    raise ValueError('5500005555555559')\n"
        "except ValueError:\n    logger.exception('failed')"
    )

    text = json.dumps(lines)
    assert lines[0]["message"] == "paid with **** **** **** ****"
    assert not any(number in text for number in ("1111", "5500005555555559"))
    assert "Traceback" in str(lines[2]["exc_info"])


def test_libraries_below_warning_are_quiet() -> None:
    assert log_lines("logging.getLogger('aio_pika.connection').info('chatter')") == []
