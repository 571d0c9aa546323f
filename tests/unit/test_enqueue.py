"""Cutting a file into envelopes, and the sentences for what cannot be published."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local import enqueue
from shared.command_line import UserError
from shared.messages.envelope import MAX_ENVELOPE_BYTES, decode_envelope
from tests.builders import a_posted_transaction


def posted(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [a_posted_transaction(transaction_id=f"t-{n}", **changes) for n in range(count)]


def read_back(envelopes: list[enqueue.Envelope]) -> list[list[str]]:
    decoded = [decode_envelope(each.body, now=datetime.now(UTC)) for each in envelopes]
    assert all(invalid == [] for _, invalid in decoded)
    return [[item.transaction.transaction_id for item in items] for items, _ in decoded]


def run(*argv: str) -> int:
    parser = ArgumentParser()
    enqueue.add_arguments(parser)
    return enqueue.run(parser.parse_args(argv))


def test_transactions_are_packed_in_order_and_the_last_envelope_may_be_short() -> None:
    envelopes = list(enqueue.pack(posted(5), 2))

    assert read_back(envelopes) == [["t-0", "t-1"], ["t-2", "t-3"], ["t-4"]]
    assert [each.transactions for each in envelopes] == [2, 2, 1]


def test_no_envelope_is_larger_than_a_reader_takes() -> None:
    envelopes = list(enqueue.pack(posted(40, note="x" * 10_000), 100))

    assert max(len(each.body) for each in envelopes) <= MAX_ENVELOPE_BYTES
    assert [each for ids in read_back(envelopes) for each in ids] == [f"t-{n}" for n in range(40)]
    assert len(envelopes) == 3


def test_nothing_to_publish_makes_no_envelope() -> None:
    assert list(enqueue.pack([], 100)) == []


def test_a_transaction_larger_than_an_envelope_is_named() -> None:
    with pytest.raises(UserError, match="Transaction 2 of the file is too large"):
        list(enqueue.pack([*posted(1), *posted(1, note="x" * MAX_ENVELOPE_BYTES)], 100))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{\n", "line 1"),
        ('{"a": NaN}\n', "line 1"),
        ('{"a": "\\ud800"}\n', "line 1"),
        ('{"a": 1}\n\n[1]\n', "line 3: a line must be one transaction"),
        (None, "No such file"),
    ],
)
def test_bad_json_lines_are_named_with_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, sentence: str
) -> None:
    monkeypatch.setenv("FRAUDSENSE_RABBITMQ_URL", "amqp://127.0.0.1:1/")
    path = tmp_path / "transactions.jsonl"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UserError, match=sentence):
        run(str(path))


def test_a_broker_that_is_away_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_RABBITMQ_URL", "amqp://127.0.0.1:1/")
    path = tmp_path / "transactions.jsonl"
    path.write_text(json.dumps(a_posted_transaction()))

    with pytest.raises(UserError, match="0 transactions were published before"):
        run(str(path))


def test_the_memory_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_BROKER", "memory")

    with pytest.raises(UserError, match="set rabbitmq or servicebus"):
        run("transactions.csv")


def test_where_nothing_runs_and_no_url_is_given_the_sentence_says_both_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRAUDSENSE_RABBITMQ_URL", raising=False)
    monkeypatch.setenv("FRAUDSENSE_DATA_DIR", str(tmp_path))

    with pytest.raises(UserError, match=r"start it with `make run`, or set FRAUDSENSE_RABBITMQ_URL"):
        run("transactions.csv")


def test_service_bus_without_a_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDSENSE_BROKER", "servicebus")

    with pytest.raises(UserError, match="needs FRAUDSENSE_SERVICEBUS_CONNECTION"):
        run("transactions.csv")
