"""The smoke test of a deployment, run against the local build; and it must fail where a part does not work."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from infra_bicep.smoke_test import Failed, scored
from tests.end_to_end.stack import ROOT, Stack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def smoke_test(*more: str, ingest: str, alerts: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "infra_bicep" / "smoke_test.py")]
    urls = ["--ingest", ingest, "--alerts", alerts]
    return subprocess.run(
        [*command, *urls, *more, "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@contextmanager
def held(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_working_stack_passes_and_keeps_no_open_alert(stack: Stack) -> None:
    result = smoke_test(ingest=stack.urls["ingest"], alerts=stack.urls["alerts"])

    assert result.returncode == 0, result.stderr
    assert "its alert came over the stream" in result.stdout
    with psycopg.connect(stack.urls["database"]) as database:
        states = database.execute(
            "SELECT status, scores.risk_label FROM alerts JOIN scores USING (transaction_id)"
        )
        assert states.fetchall() == [("closed", "HIGH")]


@pytest.mark.parametrize(
    ("label", "alert_id", "complaint"),
    [("MEDIUM", "an-id", "scored MEDIUM, alert an-id"), ("HIGH", None, "scored HIGH, alert None")],
)
async def test_a_decision_that_is_not_high_with_an_alert_fails(
    label: str, alert_id: str | None, complaint: str
) -> None:
    found = {"status": "scored", "risk_label": label, "alert_id": alert_id}
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json=found))

    async with httpx.AsyncClient(transport=answers, base_url="http://ingest.invalid") as http:
        with pytest.raises(Failed, match=complaint):
            await scored(http, "smoke-1")


def test_a_stack_whose_scorer_hangs_fails_and_says_how_far_it_came(stack: Stack) -> None:
    with held(stack.pids["score"]):
        result = smoke_test(ingest=stack.urls["ingest"], alerts=stack.urls["alerts"], seconds=5)

    assert result.returncode == 1
    assert result.stderr.rstrip().endswith("is queued.")


@pytest.mark.parametrize(("wrong", "complaint"), [("ingest", "POST /transactions answered"), ("alerts", "stream")])
def test_a_url_that_leads_elsewhere_fails(stack: Stack, wrong: str, complaint: str) -> None:
    swapped = {"ingest": "alerts", "alerts": "ingest"}[wrong]
    urls = {name: stack.urls[swapped if name == wrong else name] for name in ("ingest", "alerts")}

    result = smoke_test(**urls, seconds=20)

    assert result.returncode == 1
    assert complaint in result.stderr


def test_a_forwarded_port_is_used_instead_of_the_urls_hosts(stack: Stack) -> None:
    address = stack.urls["alerts"].removeprefix("http://")
    urls = {"ingest": "http://ingest.invalid", "alerts": "http://alerts.invalid"}

    result = smoke_test("--through", address, **urls, seconds=20)

    assert "the stream is open" in result.stdout
    assert "POST /transactions answered 404" in result.stderr  # alerts alone is behind that address
