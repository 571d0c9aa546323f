"""`python -m ml simulate`: reproducible files that the door takes, with every kind of attack labelled."""

import csv
import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.__main__ import COMMANDS
from ml.simulation.attacks import ATTACKS, impossible_travel
from ml.simulation.customers import DAY_SECONDS, customer
from ml.simulation.row import posted
from ml.simulation.world import world
from shared.command_line import main
from shared.csv_layouts import CsvFile
from shared.messages.transaction_in import parse_transaction
from shared.transactions_csv import read_transactions
from tests.simulated import payments_of

Rows = list[dict[str, str]]
NOW = datetime(2026, 1, 15, tzinfo=UTC)


def simulate(out: Path, *options: str) -> int:
    return main("python -m ml", "", COMMANDS, ["simulate", "--out", str(out), *options])


@pytest.fixture(scope="module")
def frauds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The frauds of a simulation with the default options, by attack."""
    out = tmp_path_factory.mktemp("simulated") / "out.csv"
    assert simulate(out) == 0
    found: dict[str, Rows] = defaultdict(list)
    with out.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["attack"]:
                found[row["attack"]].append(row)
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.csv.gz" for name in ("one", "again", "other")}
    for name, seed in (("one", "1"), ("again", "1"), ("other", "2")):
        assert simulate(files[name], "--days", "5", "--seed", seed) == 0

    assert files["one"].read_bytes() == files["again"].read_bytes()
    assert gzip.decompress(files["one"].read_bytes()) != gzip.decompress(files["other"].read_bytes())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), customers=st.integers(1, 30), days=st.integers(1, 40))
def test_every_row_is_valid_at_the_door_and_none_comes_before_an_earlier_one(
    seed: int, customers: int, days: int
) -> None:
    payments = payments_of(seed=seed, customers=customers, days=days, fraud_share=0.05)
    for number, payment in enumerate(payments):
        at = datetime.fromtimestamp(payment.at, UTC)
        transaction = parse_transaction(posted(payment, f"sim-{number}", at), now=NOW).transaction
        assert transaction.occurred_at == at

    times = [payment.at for payment in payments]
    assert times == sorted(times)


def test_the_file_is_read_as_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path / "out.csv.gz", "--json") == 0

    said = json.loads(capsys.readouterr().out)
    rows = list(read_transactions(CsvFile(tmp_path / "out.csv.gz")))
    ids = {row.posted["transaction_id"] for row in rows}
    assert len(ids) == len(rows) == said["transactions"]
    assert sum(bool(row.is_fraud) for row in rows) == said["frauds"] == sum(said["attacks"].values())


@pytest.mark.parametrize("share", [0.003, 0.01, 0.1])
def test_the_share_of_fraud_is_near_what_was_asked_for(share: float) -> None:
    payments = payments_of(seed=3, fraud_share=share)

    assert sum(payment.attack is not None for payment in payments) / len(payments) == pytest.approx(
        share, rel=0.25
    )


def test_without_fraud_nothing_is_labelled() -> None:
    assert not any(payment.attack for payment in payments_of(days=10, fraud_share=0.0))


def test_each_kind_of_attack_occurs_and_frauds_are_labelled(frauds: dict[str, Rows]) -> None:
    assert set(frauds) == set(ATTACKS)
    assert {row["is_fraud"] for rows in frauds.values() for row in rows} == {"1"}


def test_a_compromised_merchant_serves_many_accounts_over_weeks(frauds: dict[str, Rows]) -> None:
    rows = frauds["compromised_merchant"]
    merchant = rows[0]["merchant_id"]
    there = [row for row in rows if row["merchant_id"] == merchant]
    days = {row["timestamp"][:10] for row in there}

    assert len({row["account_id"] for row in there}) >= 5
    assert len(days) >= 14


def test_a_bust_out_comes_from_the_customers_own_device_and_other_attacks_from_another(
    frauds: dict[str, Rows],
) -> None:
    by_account: dict[tuple[str, str], Rows] = defaultdict(list)
    for name in ("card_testing", "account_takeover", "bust_out"):
        for row in frauds[name]:
            by_account[name, row["account_id"]].append(row)

    for (name, _), rows in by_account.items():
        devices = {row["device_id"].startswith("dev-acct") for row in rows}
        assert devices == {name == "bust_out"}
        assert len(rows) >= 4


def test_some_customers_pay_in_two_currencies_and_some_travel() -> None:
    payments = payments_of(fraud_share=0.0)
    everyone, currencies = {payment.who.account_id for payment in payments}, defaultdict(set)
    for payment in payments:
        currencies[payment.who.account_id].add(payment.currency)
    abroad = {
        payment.who.account_id
        for payment in payments
        if payment.place and payment.place.distance_km(payment.who.home) > 500
    }

    assert 0.05 < sum(len(each) > 1 for each in currencies.values()) / len(everyone) < 0.3
    assert 0.05 < len(abroad) / len(everyone) < 0.4


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_keeps_its_order_its_days_and_its_size(name: str) -> None:
    attack, within = ATTACKS[name], world(7, 20)
    sizes = []
    for number in range(50):
        victim = customer(within, "acct-1", Random(number))
        payments = [*attack.course([victim] * attack.victims, within, 0.0, Random(number))]
        times = [payment.at for payment in payments]
        assert times == sorted(times)
        assert times[-1] < attack.days * DAY_SECONDS
        sizes.append(sum(payment.attack == name for payment in payments))

    assert sum(sizes) / len(sizes) == pytest.approx(attack.frauds, rel=0.15)


def test_an_impossible_journey_is_one() -> None:
    within = world(7, 20)
    for number in range(50):
        victim = customer(within, "acct-1", Random(number))
        home, away = [*impossible_travel([victim], within, 0.0, Random(number))][:2]
        kilometres = home.place.distance_km(away.place) if home.place and away.place else 0

        assert home.attack is None
        assert kilometres / (away.at - home.at) * 3600 > 2000


def test_days_that_are_not_over_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path / "out.csv", "--from", "2999-01-01") == 2

    assert "Give an earlier --from or fewer --days." in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file" / "out.csv"):
        assert simulate(out, "--days", "1") == 2
        assert "Give another --out." in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [("--customers", "0"), ("--days", "-1"), ("--fraud-share", "0.9"), ("--fraud-share", "nan")]
)
def test_senseless_options_are_refused(tmp_path: Path, options: tuple[str, str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        simulate(tmp_path / "out.csv", *options)
