"""`python -m ml evaluate` on small files: the report, the risks, which labels were known, and what it refuses."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ml.__main__ import COMMANDS
from ml.forest import load_scorer
from ml.manifest import BOTH
from ml.replay import after, no_labels, replayed
from ml.results import Report
from shared.command_line import main
from shared.csv_layouts import CsvFile
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import read_transactions
from tests.csv_files import Line, cut_short, lines, unsorted, written

SPLIT = {"--train-from": "2026-01-11", "--train-to": "2026-01-25", "--test-from": "2026-02-02"}
FEEDS = {"none": no_labels, "all": after(timedelta(days=7))}


def evaluate(data: Path, *options: str, **days: str) -> int:
    split = SPLIT | {f"--{name.replace('_', '-')}": day for name, day in days.items()}
    chosen = [word for pair in split.items() for word in pair]
    return main("python -m ml", "", COMMANDS, ["evaluate", "--data", str(data), "--seeds", "1", *chosen, *options])


def report(folder: Path, *options: str, rows: list[Line] | None = None) -> Report:
    data = written(folder / "transactions.csv", lines() if rows is None else rows)
    out = folder / "report.json"
    assert evaluate(data, "--out", str(out), *options) == 0
    return Report.model_validate_json(out.read_text())


def scores(folder: Path, *options: str, rows: list[Line] | None = None) -> dict[str, tuple[float, float]]:
    data, out = written(folder / "transactions.csv", lines() if rows is None else rows), folder / "scores.csv"
    assert evaluate(data, "--scores", str(out), *options) == 0
    with out.open(newline="") as file:
        return {
            line["transaction_id"]: (float(line["risk"]), float(line["anomaly"])) for line in csv.DictReader(file)
        }


def test_a_report_holds_figures_of_the_test_days(tmp_path: Path) -> None:
    found = report(tmp_path)

    assert (str(found.test.first), str(found.test.last), found.test.transactions) == (
        "2026-02-02",
        "2026-02-09",
        800,
    )
    assert found.test.frauds == 8
    assert found.labels.known == 0
    assert [seed.combiner for seed in found.seeds] == ["unlabelled"]
    assert found.figures is not None
    assert found.figures.ranking.auc > 0.9
    assert {rule.code for rule in found.figures.rules} >= {"amount_far_above_usual"}
    assert sum(each.transactions for each in found.figures.calibration) == 800


def test_what_shall_be_high_and_medium_can_be_chosen(tmp_path: Path) -> None:
    found = report(tmp_path, "--alerts-a-day", "1", "--medium-rate", "0.01")

    assert found.figures is not None
    assert (found.figures.high.target_rate, found.figures.medium.target_rate) == (0.01, 0.02)


def test_risks_are_given_under_the_ids_that_the_file_has(tmp_path: Path) -> None:
    ids = {0: "4111111111111111", 1: "odd id!", 2: "x" * 80}
    rows = [(ids.get(at - 3500, line[0]), *line[1:]) for at, line in enumerate(lines())]

    assert scores(tmp_path, rows=rows).keys() == {str(line[0]) for line in rows[-800:]}


@pytest.mark.parametrize("option", ["--out", "--html", "--scores"])
def test_the_folders_of_results_are_made(tmp_path: Path, option: str) -> None:
    path = tmp_path / "new" / "folder" / "result"

    assert evaluate(written(tmp_path / "transactions.csv", lines()), option, str(path)) == 0
    assert path.stat().st_size


@pytest.mark.parametrize("option", ["--out", "--html", "--scores"])
@pytest.mark.parametrize("place", ["a-folder", "a-file/result", "a-file/new/result"])
def test_where_nothing_can_be_written_is_told_before_the_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, place: str
) -> None:
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-file").touch()

    assert evaluate(tmp_path / "missing.csv", option, str(tmp_path / place)) == 2
    assert f"{place} cannot be written" in capsys.readouterr().err


def test_every_transaction_of_the_test_days_gets_its_risk(tmp_path: Path) -> None:
    found = scores(tmp_path)

    assert list(found) == [f"txn-{n}" for n in range(3200, 4000)]
    assert all(0 <= risk <= 1 and 0 < anomaly < 1 for risk, anomaly in found.values())


@pytest.mark.parametrize("until", [3500, 3550])
def test_a_risk_does_not_know_what_comes_after_it_on_its_day_and_later(tmp_path: Path, until: int) -> None:
    whole = scores(tmp_path, "--labels", "all")
    shorter = scores(tmp_path, "--labels", "all", rows=lines()[:until])

    assert {name: whole[name] for name in shorter} == shorter


@pytest.mark.parametrize("mode", ["none", "all", "first:5", "reviewed:2"])
def test_labels_of_the_test_days_do_not_change_its_first_days_risks(tmp_path: Path, mode: str) -> None:
    unlabelled = [(*line[:-1], "" if n >= 3200 else line[-1]) for n, line in enumerate(lines())]
    labelled = scores(tmp_path, "--labels", mode)
    blind = scores(tmp_path, "--labels", mode, rows=unlabelled)

    first_day = [f"txn-{n}" for n in range(3200, 3300)]
    assert [labelled[name] for name in first_day] == [blind[name] for name in first_day]


@pytest.mark.parametrize(
    ("options", "known", "frauds"),
    [
        (("--labels", "none"), 0, 0),
        (("--labels", "all"), 1500, 15),
        (("--labels", "all", "--label-delay", "14d"), 800, 8),
        (("--labels", "first:5"), 401, 5),
        (("--labels", "first:99"), 1500, 15),
    ],
)
def test_training_knows_the_labels_of_the_mode(
    tmp_path: Path, options: tuple[str, ...], known: int, frauds: int
) -> None:
    found = report(tmp_path, *options).labels

    assert (found.known, found.frauds) == (known, frauds)


@pytest.mark.parametrize(("mode", "said"), [("all", True), ("none", False)])
def test_why_labels_taught_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, said: bool
) -> None:
    report(tmp_path, "--labels", mode)

    assert ("nothing is learned from fewer than 25 labelled frauds" in capsys.readouterr().out) == said


def test_labels_that_taught_something_need_no_excuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(tmp_path, "--labels", "all", rows=lines(fraud=lambda n: int(n % 10 == 0)))

    assert "nothing is learned" not in capsys.readouterr().out


def test_the_forest_can_be_chosen(tmp_path: Path) -> None:
    found = report(tmp_path, "--trees", "20", "--max-samples", "128")

    assert (found.trees, found.max_samples) == (20, 128)
    assert found.figures != report(tmp_path).figures


def test_only_the_reviewed_cards_labels_are_known(tmp_path: Path) -> None:
    found = report(tmp_path, "--labels", "reviewed:1").labels

    assert 15 < found.known < 200
    assert found.frauds > 10


def test_enough_labels_teach_a_combiner(tmp_path: Path) -> None:
    found = report(tmp_path, "--labels", "all", rows=lines(fraud=lambda n: int(n % 10 == 0)))

    assert {seed.combiner for seed in found.seeds} <= set(BOTH.values())
    assert found.seeds[0].validation


def test_seeds_are_reported_with_their_spread(tmp_path: Path) -> None:
    found = report(tmp_path, "--seeds", "2")

    assert [seed.seed for seed in found.seeds] == [7, 8]
    assert found.spread is not None
    precision = found.spread["average_precision"]
    assert precision.min <= precision.mean <= precision.max


def test_a_seed_finds_the_same_beside_others_as_alone(tmp_path: Path) -> None:
    assert report(tmp_path, "--seeds", "2").seeds[0] == report(tmp_path, "--seeds", "1").seeds[0]


def test_a_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    data = written(tmp_path / "a<b.csv", lines())

    assert evaluate(data, "--html", str(tmp_path / "report.html")) == 0

    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "a&lt;b.csv" in page
    assert not any(outside in page for outside in ("http", "src=", "href=", "<script"))


def test_it_ends_with_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(written(tmp_path / "transactions.csv", lines()), "--json") == 0

    assert json.loads(capsys.readouterr().out)["test"]["frauds"] == 8


def test_without_labels_there_are_risks_but_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = ("transaction_id", "account_id", "amount", "currency", "timestamp", "merchant_id")
    data = written(tmp_path / "transactions.csv", [line[:-1] for line in lines()], header)

    assert evaluate(data, "--scores", str(tmp_path / "scores.csv"), "--html", str(tmp_path / "report.html")) == 0

    assert "lack labels" in capsys.readouterr().out
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 801


@pytest.mark.parametrize(("label", "sentence"), [(0, "hold no fraud"), (1, "hold only frauds")])
def test_labels_of_one_class_give_risks_and_say_why_there_are_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: int, sentence: str
) -> None:
    data = written(tmp_path / "transactions.csv", lines(fraud=lambda _: label))
    out = tmp_path / "report.json"

    written_to = "--out", str(out), "--scores", str(tmp_path / "scores.csv"), "--html", str(tmp_path / "page.html")
    assert evaluate(data, *written_to) == 0

    found = Report.model_validate_json(out.read_text())
    assert (found.figures, found.spread, found.seeds[0].ranking) == (None, None, None)
    assert sentence in (found.no_figures or "")
    assert sentence in capsys.readouterr().out
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 801


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _path: None, "cannot be read"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "only a header": (lambda path: written(path, []), "holds no transactions"),
    "ten rows": (lambda path: written(path, lines(10)), "a forest needs at least 1000"),
    "unsorted": (unsorted, "not in time order: transaction txn-20 is older"),
    "cut short": (cut_short, "damaged or cut short"),
    "no text": (lambda path: path.write_bytes(bytes(range(256)) * 9), "first line must name"),
    "ends before the test": (lambda path: written(path, lines()[:3100]), "ends on 2026-01-31, before the test"),
    "ends before training": (
        lambda path: written(path, lines()[:500]),
        "holds 2026-01-01 to 2026-01-05: no day of",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), FILES.values(), ids=FILES)
def test_a_file_is_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Any], sentence: str
) -> None:
    make(tmp_path / "transactions.csv")

    assert evaluate(tmp_path / "transactions.csv", "--out", str(tmp_path / "report.json")) == 2

    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ({"train_to": "2026-02-02"}, "not after the last training day"),
        ({"train_from": "2026-01-26"}, "before it begins"),
    ],
)
def test_senseless_days_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: dict[str, str], sentence: str
) -> None:
    assert evaluate(tmp_path / "any.csv", **days) == 2

    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--labels", "some"), "'some' is none of: none, all, reviewed:K"),
        (("--labels", "first:0"), "'first:0' is none of"),
        (("--labels", "all:3"), "'all:3' is none of"),
        (("--label-delay", "soon"), "write for example 7d"),
        (("--train-from", "yesterday"), "yesterday"),
    ],
)
def test_senseless_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        evaluate(tmp_path / "any.csv", *options)

    assert refused.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = written(tmp_path / "transactions.csv", lines())

    assert evaluate(data, "--out", str(data / "report.json")) == 2

    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["none", "all"])
def test_the_scorer_gives_the_same_risks_as_the_evaluation(tmp_path: Path, mode: str) -> None:
    rows = lines(fraud=lambda n: int(n % 50 == 0))
    evaluated = scores(tmp_path, "--labels", mode, rows=rows)
    data, model = tmp_path / "transactions.csv", tmp_path / "model"
    window = ["--from", SPLIT["--train-from"], "--to", SPLIT["--train-to"]]
    command = ["train", "--data", str(data), "--out", str(model), *window, "--labels", mode]
    assert main("python -m ml", "", COMMANDS, command) == 0

    scorer, served = load_scorer(model), {}
    for day in replayed(read_transactions(CsvFile(data)), SkippedRows("the file"), FEEDS[mode]):
        of_day = replace(scorer, signals=day[0].signals)
        decisions = of_day.decide([step.transaction for step in day], [step.history for step in day])
        pairs = zip(day, decisions, strict=True)
        served |= {step.transaction.transaction_id: (each.risk, each.anomaly) for step, each in pairs}

    for name, found in evaluated.items():
        assert served[name] == pytest.approx(found, abs=1e-9)
