"""`python -m ml backtest` on files: what rules would have hit, and what it refuses."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ml.__main__ import COMMANDS
from ml.replay import Step
from ml.rule_tally import Backtest, Tally
from shared.command_line import main
from shared.domain.features import feature_row
from shared.domain.history import History
from shared.domain.rules import RuleSet
from shared.domain.signals import NO_SIGNALS
from shared.rules_file import parsed_rules
from tests.builders import NOON, a_transaction
from tests.csv_files import HEADER, START, Line, lines, written


def a_rule(name: str, when: str, **more: Any) -> str:
    said = {"name": name, "when": when, "weight": 0.5, "text": "T", "observed": "money", "usual_text": "-"} | more
    return f"  - {json.dumps(said)}\n"


def rules(*each: str) -> RuleSet:
    return parsed_rules(("rules:\n" + "".join(each)).encode(), "rules.yaml")


def a_step(amount: int, is_fraud: bool | None = None, days: int = 0) -> Step:
    transaction = a_transaction(amount=Decimal(amount), occurred_at=NOON.replace(day=1 + days))
    row = feature_row(transaction, History(), NO_SIGNALS)
    return Step(transaction, History(), NO_SIGNALS, row, is_fraud, transaction.transaction_id)


def tallied(tried: RuleSet, present: RuleSet, *days: list[Step]) -> Backtest:
    tally = Tally(tried, present)
    for day in days:
        tally.add(day)
    found = tally.result()
    assert found is not None
    return found


LARGE, HUGE = a_rule("large", "amount >= 100"), a_rule("huge", "amount >= 1000")
SMALL_OFF = a_rule("small", "amount < 10", on=False)


def test_a_rules_hits_are_counted_by_day_and_by_what_is_known_of_them() -> None:
    first = [a_step(100, True), a_step(300, False), a_step(50, True), a_step(400, None)]

    found = tallied(rules(LARGE), rules(HUGE), first, [a_step(20, False, days=3)])
    (large,) = found.rules

    assert (found.transactions, found.labelled, found.frauds) == (5, 4, 2)
    assert (large.hits, large.share, large.alerts_per_day) == (3, 3 / 5, 3 / 4)
    assert (large.labelled, large.frauds) == (2, 1)
    assert (large.precision, large.recall, large.value_caught) == (1 / 2, 1 / 2, 100 / 150)


def test_overlap_is_with_the_other_present_rules() -> None:
    steps = [a_step(100, True), a_step(2000, True), a_step(3000, False), a_step(50, False)]

    large, huge = tallied(rules(LARGE, HUGE), rules(HUGE, a_rule("never", "amount < 0")), steps).rules

    assert (large.overlap, large.new_frauds, large.hits_before) == (2 / 3, 1, None)
    assert (huge.overlap, huge.new_frauds, huge.hits_before) == (0, 1, 2)


def test_a_rule_that_is_off_is_tried_but_not_among_those_together() -> None:
    found = tallied(rules(LARGE, SMALL_OFF), rules(HUGE), [a_step(5), a_step(200), a_step(5000)])

    assert [(rule.name, rule.on, rule.hits) for rule in found.rules] == [("large", True, 2), ("small", False, 1)]
    assert (found.together.hits, found.present.hits) == (2, 1)


def test_without_labels_there_is_no_precision() -> None:
    found = tallied(rules(LARGE), rules(HUGE), [a_step(200), a_step(5)])

    assert (found.rules[0].precision, found.rules[0].recall, found.rules[0].value_caught) == (None, None, None)


def test_a_present_rule_that_is_off_does_not_count() -> None:
    found = tallied(rules(LARGE), rules(a_rule("huge", "amount >= 1000", on=False)), [a_step(5000)])

    assert (found.present.hits, found.rules[0].overlap) == (0, 0)


def backtest(tmp_path: Path, *options: str, file: list[Line] | None = None, tried: str = LARGE) -> int:
    data = written(tmp_path / "data.csv", lines() if file is None else file)
    (tmp_path / "tried.yaml").write_text("rules:\n" + tried)
    (tmp_path / "present.yaml").write_text("rules:\n" + HUGE)
    chosen = ["--rules", str(tmp_path / "tried.yaml"), "--against", str(tmp_path / "present.yaml")]
    return main("python -m ml", "", COMMANDS, ["backtest", *chosen, "--data", str(data), *options])


def test_it_counts_what_a_file_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = sum(float(line[2]) >= 100 for line in lines())

    assert backtest(tmp_path, "--json") == 0
    found = Backtest.model_validate_json(capsys.readouterr().out)

    assert (found.transactions, found.labelled, found.frauds) == (4000, 4000, 40)
    assert found.rules[0].hits == expected > 0
    assert found.rules[0].alerts_per_day == expected / 40


def test_only_the_chosen_days_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(tmp_path, "--json", "--from", "2026-01-11", "--to", "2026-01-20") == 0
    found = Backtest.model_validate_json(capsys.readouterr().out)

    assert (found.first.day, found.last.day, found.transactions) == (11, 20, 1000)


def test_it_says_so_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(tmp_path, tried=LARGE + SMALL_OFF) == 0
    said = capsys.readouterr().out

    assert {"large", "small (off)", "all that are on", "the present ones"} <= {
        line[:18].rsplit("  ")[0].strip() for line in said.splitlines()
    }
    assert "4,000 transactions, 2026-01-01 to 2026-02-09; 4,000 have a label, 40 of them fraud" in said


@pytest.mark.parametrize(
    ("options", "file", "problem"),
    [
        (("--from", "2030-01-01"), None, "holds no transactions from 2030-01-01 to its end"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), None, "--to 2026-01-01 is before --from"),
        ((), [], "holds no transactions from its start to its end"),
        ((), list(reversed(lines(20))), "is not in time order"),
        (
            (),
            [("t", "a", "x", "USD", START.isoformat(), "m", 1)],
            "1 times column amount: is no number",
        ),
    ],
)
def test_a_file_that_makes_no_sense_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    file: list[Line] | None,
    problem: str,
) -> None:
    assert backtest(tmp_path, *options, file=file) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tried", "problem"),
    [
        (a_rule("large", "amuont > 5"), "tried.yaml, line 2: rule large: when, column 1: there is no feature"),
        ("", "tried.yaml, line 1: rules must be a list"),
    ],
)
def test_so_are_rules_that_make_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tried: str, problem: str
) -> None:
    assert backtest(tmp_path, tried=tried) == 2
    assert problem in capsys.readouterr().err


def test_a_file_of_ten_rows_and_one_without_labels_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unlabelled = [(*line[:-1], "") for line in lines(10)]

    assert backtest(tmp_path, "--json", file=unlabelled) == 0
    found = Backtest.model_validate_json(capsys.readouterr().out)

    assert (found.transactions, found.labelled, len(HEADER)) == (10, 0, 7)
    assert found.rules[0].recall is None


def test_without_data_days_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tried.yaml").write_text("rules:\n" + LARGE)

    assert main("python -m ml", "", COMMANDS, ["backtest", "--rules", str(tmp_path / "tried.yaml")]) == 2
    assert "Give --data FILE, or --from and --to" in capsys.readouterr().err
