"""What `/metrics` shows and what a log line holds, each from a fresh process."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.domain.card_data import mask_card_data

ROOT = Path(__file__).parents[2]


def in_a_fresh_process(code: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=stdin, capture_output=True, text=True, check=True
    )


def metrics_after(code: str) -> str:
    prelude = "from shared.telemetry.metrics import *\nfrom shared.telemetry import metrics as m\n"
    return in_a_fresh_process(f"{prelude}{code}\nprint(render().decode())").stdout


def log_lines(code: str, stdin: str = "") -> list[dict[str, object]]:
    prelude = (
        "import logging, sys\nfrom shared.telemetry.logs import *\nconfigure_logs('score')\n"
        "logger = logging.getLogger('functions.score')\n"
    )
    lines = in_a_fresh_process(prelude + code, stdin).stderr.splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


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


def test_a_gauge_shows_its_last_value() -> None:
    shown = metrics_after("configure_metrics('ingest')\nshow(m.QUEUE_DEPTH, 7)\nshow(m.QUEUE_DEPTH, 3)")

    assert "\nqueue_depth_envelopes 3.0\n" in shown


def test_drivers_do_not_repeat_at_every_attempt_that_a_service_is_away() -> None:
    lines = log_lines(
        "for name in ('aiormq.connection', 'psycopg', 'aiormq.channel'):\n"
        "    logging.getLogger(name).warning('not reached')\n"
        "logging.getLogger('aiormq.connection').error('not reached')\n"
        "logging.getLogger('aiormq.channel').error('callback failed')"
    )

    assert [line["message"] for line in lines] == ["callback failed"]


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

    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line.pop("time")))
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


LOG_ALL_OF_STDIN = (
    "import json, sys\nfor value in json.load(sys.stdin):\n"
    "    log(logger, logging.INFO, Event.STARTED, f'{value}', value=value)\n"
    "    try:\n        raise ValueError(value)\n"
    "    except ValueError:\n        logger.exception('failed', extra={'nested': [{'value': value}]})"
)
anything = (
    st.floats() | st.text() | st.integers() | st.floats(1e12, 1e19)
    | st.from_regex(r"\A[0-9 -]{13,40}\Z") | st.dictionaries(st.text() | st.just("4111111111111111"), st.floats())
)  # fmt: skip


@settings(max_examples=5, deadline=None, phases=[Phase.generate])  # each example is a process: none to shrink
@given(st.lists(anything, min_size=100, max_size=200))
def test_every_line_is_json_without_card_numbers_whatever_is_logged(values: list[object]) -> None:
    lines = log_lines(LOG_ALL_OF_STDIN, json.dumps(values))

    assert len(lines) == 2 * len(values)
    shown = [[line["message"], line.get("value"), line.get("exc_info")] for line in lines]
    assert shown == mask_card_data(shown)


def test_a_long_fraction_stays_a_number_and_a_number_beyond_json_becomes_its_name() -> None:
    [line] = log_lines("log(logger, logging.INFO, Event.STARTED, risk=0.4111111111111111, x=float('nan'))")

    assert (line["risk"], line["x"]) == (0.4111111111111111, "NaN")


def test_the_lines_of_a_host_keep_their_way_out_and_name_the_group_that_wrote_them() -> None:
    lines = log_lines(
        "shown = logging.StreamHandler(sys.stderr)\nlogging.getLogger().handlers[:] = [shown]\n"
        "shape_logs('ingest,score', 'WARNING')\n"
        "for name in ('functions.ingest.posting', 'functions.score', 'shared.telemetry'):\n"
        "    logging.getLogger(name).info('dropped')\n"
        "    logging.getLogger(name).warning('4111111111111111')\n"
        "assert logging.getLogger().handlers == [shown]"
    )

    assert [line["component"] for line in lines] == ["ingest", "score", "ingest,score"]
    assert {line["message"] for line in lines} == {"****************"}


def test_libraries_below_warning_are_quiet() -> None:
    assert log_lines("logging.getLogger('aio_pika.connection').info('chatter')") == []
