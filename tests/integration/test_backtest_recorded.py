"""`python -m ml backtest` on what PostgreSQL recorded finds what it finds in a file of the same transactions."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from ml.__main__ import COMMANDS
from ml.replay import valid
from ml.rule_tally import Backtest
from shared.command_line import main
from shared.csv_layouts import CsvFile
from shared.database.recorder import PostgresRecorder
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import read_transactions
from tests.builders import a_scored_transaction
from tests.contract.books import TABLES
from tests.unit.test_backtest import LARGE, a_rule
from tests.unit.test_train import lines, written

RULES = "rules:\n" + LARGE + a_rule("far", "amount_zscore >= 2") + a_rule("dear", "merchant_amount_zscore >= 1.5")


@pytest.fixture
def files(tmp_path: Path, database_url: str) -> Path:
    """A folder with rules and a file; the file's transactions and frauds are recorded."""
    (tmp_path / "rules.yaml").write_text(RULES)
    data = written(tmp_path / "data.csv", lines(800))
    labelled = list(valid(read_transactions(CsvFile(data)), SkippedRows("data")))
    scored = [
        a_scored_transaction(
            t.transaction_id,
            account_id=t.account_id,
            merchant_id=t.merchant_id,
            amount=t.amount,
            occurred_at=t.occurred_at,
        )
        for t, *_ in labelled
    ]
    frauds = [(t.transaction_id, t.occurred_at + timedelta(days=7)) for t, is_fraud, _ in labelled if is_fraud]
    recorder = PostgresRecorder(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        recorder.record(scored, [])
        connection.cursor().executemany(
            "INSERT INTO labels (transaction_id, source, label, labelled_at) VALUES (%s, 'bank', 'fraud', %s)",
            frauds,
        )
    recorder.close()
    return tmp_path


def test_both_find_the_same(
    files: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    rules, found = str(files / "rules.yaml"), []
    words = [
        "backtest",
        "--rules",
        rules,
        "--against",
        rules,
        "--from",
        "2026-02-01",
        "--to",
        "2026-02-08",
        "--json",
    ]
    for source in ([], ["--data", str(files / "data.csv")]):
        assert main("python -m ml", "", COMMANDS, [*words, *source]) == 0
        found.append(Backtest.model_validate_json(capsys.readouterr().out))

    assert found[0] == found[1]
    assert (found[0].transactions, found[0].labelled, found[0].frauds) == (160, 160, 1)
    assert all(rule.hits for rule in found[0].rules)


def test_days_without_transactions_are_told(
    files: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    words = ["backtest", "--rules", str(files / "rules.yaml"), "--from", "2020-01-01", "--to", "2020-01-02"]

    assert main("python -m ml", "", COMMANDS, words) == 2
    assert "PostgreSQL holds no transactions from 2020-01-01 to 2020-01-02" in capsys.readouterr().err
