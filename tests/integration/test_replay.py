"""`python -m local replay` against a small HTTP server that keeps ingest's contract."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.__main__ import COMMANDS
from local.data_folder import STATE, hold
from shared.command_line import main

HEADER = "transaction_id,account_id,amount,currency,timestamp,merchant_id,is_fraud"


class ToyIngest:
    """Takes transactions as ingest does and scores each when it is asked for the second time."""

    def __init__(self) -> None:
        self.posted: Counter[str] = Counter()
        self.taken: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.batch_sizes: list[int] = []
        self.outages = 0
        self.limit = 1_000
        self.limit_grows = 0
        self.scores = True
        self.app = Starlette(
            routes=[
                Route("/health", self.health),
                Route("/transactions/batch", self.batch, methods=["POST"]),
                Route("/transactions/{transaction_id}", self.find),
            ]
        )

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def batch(self, request: Request) -> Response:
        transactions = (await request.json())["transactions"]
        self.batch_sizes.append(len(transactions))
        if self.outages:
            self.outages -= 1
            document = {"status": 503, "detail": "The queue did not confirm."}
            return JSONResponse(document, 503, {"retry-after": "0"})
        return JSONResponse({"results": [self.take(n, posted) for n, posted in enumerate(transactions)]})

    def take(self, index: int, posted: dict[str, Any]) -> dict[str, Any]:
        id_, account = posted["transaction_id"], posted["account_id"]
        self.posted[id_] += 1
        of_account = sum(each["account_id"] == account for each in self.taken.values())
        if id_ in self.taken and self.taken[id_] != posted:
            return {"index": index, "problem": {"status": 409, "detail": "The id is known with other content."}}
        if posted["currency"] == "XXX":
            return {"index": index, "problem": {"status": 422, "detail": "Unknown currency."}}
        if id_ not in self.taken and of_account >= self.limit:
            self.limit += self.limit_grows
            return {"index": index, "problem": {"status": 429, "detail": "Too many.", "retry_after": 0}}
        self.taken[id_] = posted
        return {"index": index, "transaction_id": id_, "status": "queued"}

    async def find(self, request: Request) -> Response:
        id_ = request.path_params["transaction_id"]
        posted = self.taken[id_]
        self.asked[id_] += 1
        if self.asked[id_] < 2 or not self.scores:
            return JSONResponse({"status": "queued", "risk_label": None, "alert_id": None})
        if posted["merchant_id"] == "mer-unreadable":
            return JSONResponse({"status": "rejected", "risk_label": None, "alert_id": None})
        high = float(posted["amount"]) > 1_000
        return JSONResponse(
            {
                "status": "scored",
                "risk_label": "HIGH" if high else "LOW",
                "alert_id": "9b2c0d8e-0000-5000-8000-000000000000" if high else None,
            }
        )


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The URL of `app` under uvicorn, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def ingest() -> ToyIngest:
    return ToyIngest()


@pytest.fixture
def url(ingest: ToyIngest) -> Iterator[str]:
    with serving(ingest.app) as url:
        yield url


@dataclass(frozen=True)
class Run:
    """How one run of the command ended."""

    code: int
    summary: dict[str, Any]
    said: str


Replay = Callable[..., Run]


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Writes lines as a CSV below HEADER and replays it: `replay(lines, *options)`."""
    monkeypatch.setenv("FRAUDSENSE_DATA_DIR", str(tmp_path))

    def run(lines: list[str], *options: str) -> Run:
        file = tmp_path / "transactions.csv"
        file.write_text("\n".join([HEADER, *lines]) + "\n")
        try:
            code = main("python -m local", "", COMMANDS, ["replay", str(file), *options])
        except SystemExit as stopped:  # argparse ends so
            code = int(stopped.code or 0)
        written = capsys.readouterr()
        summary = json.loads(written.out.splitlines()[-1]) if written.out else {}
        return Run(code, summary, written.err)

    return run


def line(
    id_: str, *, account: str = "acct-1", amount: str = "10", merchant: str = "mer-1", fraud: str = ""
) -> str:
    return f"{id_},{account},{amount},USD,2026-01-01T00:00:00Z,{merchant},{fraud}"


def counts(run: Run) -> tuple[int, ...]:
    return tuple(run.summary[name] for name in ("sent", "accepted", "refused", "scored", "rejected", "alerts"))


def test_a_file_is_posted_in_batches_and_awaited(ingest: ToyIngest, url: str, replay: Replay) -> None:
    run = replay([line(f"t-{n}") for n in range(250)], "--url", url)

    assert (run.code, counts(run)) == (0, (250, 250, 0, 250, 0, 0))
    assert sorted(ingest.batch_sizes) == [50, 100, 100]
    assert (run.summary["precision"], run.summary["recall"]) == (None, None)
    assert "tx per second" in run.said


def test_with_json_nothing_but_the_summary_line_is_written(url: str, replay: Replay) -> None:
    run = replay([line("t-1")], "--url", url, "--json")

    assert (run.code, run.said) == (0, "")


def test_a_limit_takes_the_first_rows_only(ingest: ToyIngest, url: str, replay: Replay) -> None:
    run = replay([line(f"t-{n}") for n in range(5)], "--url", url, "--limit", "2", "--json")

    assert counts(run)[:2] == (2, 2)
    assert set(ingest.taken) == {"t-0", "t-1"}


def test_labels_give_precision_and_recall_of_high(url: str, replay: Replay) -> None:
    lines = [
        line("hit", amount="5000", fraud="1"),
        line("miss", fraud="1"),
        line("false-1", amount="5000", fraud="0"),
        line("false-2", amount="5000", fraud="0"),
        line("fine", fraud="0"),
    ]
    run = replay(lines, "--url", url, "--json")

    assert counts(run) == (5, 5, 0, 5, 0, 3)
    assert (run.summary["precision"], run.summary["recall"]) == (0.3333, 0.5)


def test_a_second_run_of_the_same_file_counts_the_same(ingest: ToyIngest, url: str, replay: Replay) -> None:
    lines = [line("t-1"), line("t-2", merchant="mer-unreadable"), line("t-3", amount="9000")]

    first = replay(lines, "--url", url, "--json")
    second = replay(lines, "--url", url, "--json")

    assert counts(first) == counts(second) == (3, 3, 0, 2, 1, 1)
    assert ingest.posted == {"t-1": 2, "t-2": 2, "t-3": 2}


def test_rows_over_the_rate_limit_are_said_and_sent_again(ingest: ToyIngest, url: str, replay: Replay) -> None:
    ingest.limit, ingest.limit_grows = 3, 1

    run = replay([line(f"t-{n}") for n in range(8)], "--url", url)

    assert (run.code, counts(run)) == (0, (8, 8, 0, 8, 0, 0))
    assert "rate limit holds transactions back" in run.said
    assert "1 account is over ingest's limit" in run.said
    assert "FRAUDSENSE_RATE_LIMIT_PER_MINUTE=0 turns the limit off" in run.said


def test_rows_that_stay_over_the_rate_limit_are_refused(ingest: ToyIngest, url: str, replay: Replay) -> None:
    ingest.limit = 3
    lines = [line(f"t-{n}") for n in range(8)] + [line("other", account="acct-2")]

    run = replay(lines, "--url", url, "--wait", "0.5", "--json")

    assert (run.code, counts(run)) == (0, (9, 4, 5, 4, 0, 0))
    assert run.summary["refused_by_status"] == {"429": 5}
    assert "Refused with 429, for example: Too many. FRAUDSENSE_RATE_LIMIT_PER_MINUTE=0" in run.said


def test_an_outage_is_said_and_waited_for(ingest: ToyIngest, url: str, replay: Replay) -> None:
    ingest.outages = 3

    run = replay([line("t-1")], "--url", url)

    assert (run.code, counts(run)) == (0, (1, 1, 0, 1, 0, 0))
    assert "asked again: The queue did not confirm." in run.said


def test_conflicts_and_invalid_rows_are_refused_with_a_sentence(url: str, replay: Replay) -> None:
    lines = [line("t-1"), line("t-1", amount="11"), line("t-2").replace("USD", "XXX")]

    run = replay(lines, "--url", url, "--json")

    assert (run.code, counts(run)) == (0, (3, 1, 2, 1, 0, 0))
    assert run.summary["refused_by_status"] == {"409": 1, "422": 1}
    assert "Refused with 409, for example: The id is known with other content." in run.said


def test_what_is_never_scored_ends_with_exit_code_1(ingest: ToyIngest, url: str, replay: Replay) -> None:
    ingest.scores = False

    run = replay([line("t-1")], "--url", url, "--wait", "0.3", "--json")

    assert (run.code, counts(run)) == (1, (1, 1, 0, 0, 0, 0))


def test_without_an_ingest_it_says_how_to_start_one(replay: Replay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]

    run = replay([line("t-1")], "--url", f"http://127.0.0.1:{port}")

    assert run.code == 2
    assert f"Ingest does not answer at http://127.0.0.1:{port}: start it with `make run`." in run.said


def test_another_server_is_not_taken_for_ingest(replay: Replay) -> None:
    with serving(Starlette()) as url:
        run = replay([line("t-1")], "--url", url)

    assert run.code == 2
    assert "/health answers 404: give ingest's address with --url." in run.said


@pytest.mark.parametrize("address", ["127.0.0.1:7071", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_said(address: str, replay: Replay) -> None:
    run = replay([line("t-1")], "--url", address)

    assert run.code == 2
    assert f"--url {address} is not an address such as http://127.0.0.1:7071." in run.said


def test_a_bad_line_is_left_out_and_told(ingest: ToyIngest, url: str, replay: Replay) -> None:
    run = replay([line(f"t-{n}") for n in range(300)] + ["cut,short"], "--url", url)

    assert run.code == 0
    assert len(ingest.posted) == 300
    assert "line 302" in run.said


def test_a_file_of_bad_lines_is_refused_before_anything_is_posted(
    ingest: ToyIngest, url: str, replay: Replay
) -> None:
    run = replay([line(f"t-{n}") for n in range(300)] + ["cut,short"] * 301, "--url", url)

    assert run.code == 2
    assert "301 of 601 rows cannot be used" in run.said
    assert not ingest.posted


@pytest.mark.parametrize("options", [["--rate", "0"], ["--speedup", "-1"], ["--limit", "-1"], ["--wait", "nan"]])
def test_a_number_without_sense_is_refused(options: list[str], replay: Replay) -> None:
    run = replay([line("t-1")], *options)

    assert run.code == 2
    assert options[0] in run.said


def test_outcomes_come_from_the_database_of_this_machines_build(
    ingest: ToyIngest, url: str, replay: Replay, tmp_path: Path, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(
            "INSERT INTO scores (transaction_id, model_version, score, anomaly, risk_label, reasons)"
            " VALUES ('db-1', 'm', 0.1, 0.4, 'LOW', '[]'), ('db-2', 'm', 0.9, 0.7, 'HIGH', '[]')"
        )
        database.execute(
            "INSERT INTO rejected_messages (transaction_id, digest, reason, detail, body, last_seen)"
            " VALUES ('db-2', 'd2', 'id_conflict', '', '', now() + interval '1 hour'),"
            " ('db-3', 'd3', 'missing', '', '', now() + interval '1 hour')"
        )
    with hold(tmp_path) as folder:
        folder.write_json(STATE, {"urls": {"ingest": url, "database": database_url}})
        run = replay([line(f"db-{n}", fraud="1") for n in (1, 2, 3)], "--url", url, "--json")

    assert (run.code, counts(run)) == (0, (3, 3, 0, 2, 1, 0))
    assert run.summary["recall"] == 0.5
    assert not ingest.asked
