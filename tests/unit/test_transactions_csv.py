"""Reading CSV files of transactions: both column sets, and a sentence for each way a file can be wrong."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.command_line import UserError
from shared.messages.transaction_in import parse_transaction
from shared.transactions_csv import as_identifier, read_transactions

OWN = (
    "transaction_id,account_id,amount,currency,timestamp,merchant_id,merchant_category,"
    "geo_lat,geo_lon,home_lat,home_lon,is_fraud\n"
    "t-1,acct-1,118.03,USD,2019-01-01T00:03:38Z,mer-1,grocery_pos,39.37,-80.5,39.98,-80.73,0\n"
    "t-2,acct-1,9.10,USD,2019-01-01T00:04:38Z,mer-1,,,,,,1\n"
)
KAGGLE = (
    ",trans_date_trans_time,cc_num,merchant,category,amt,first,lat,long,dob,trans_num,unix_time,"
    "merch_lat,merch_long,is_fraud\n"
    '0,2019-01-01 00:00:18,2703186189652095,"fraud_Rippin, Kub and Mann",misc_net,4.97,Jennifer,36.0788,-81.1781,'
    "1988-03-09,0b242abb623afc578575680df30655b9,1325376018,36.011293,-82.048315,0\n"
)


def a_file(folder: Path, text: str, name: str = "transactions.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_own_columns_are_posted_under_their_names_and_the_label_is_kept_apart(tmp_path: Path) -> None:
    first, second = read_transactions(a_file(tmp_path, OWN))

    assert first.posted == {
        "transaction_id": "t-1",
        "account_id": "acct-1",
        "amount": "118.03",
        "currency": "USD",
        "timestamp": "2019-01-01T00:03:38Z",
        "merchant_id": "mer-1",
        "merchant_category": "grocery_pos",
        "geo_lat": 39.37,
        "geo_lon": -80.5,
        "home_lat": 39.98,
        "home_lon": -80.73,
    }
    assert (first.is_fraud, second.is_fraud) == (False, True)
    assert "geo_lat" not in second.posted


def test_kaggles_columns_are_renamed_and_the_card_number_becomes_a_token(tmp_path: Path) -> None:
    (row,) = read_transactions(a_file(tmp_path, KAGGLE))

    assert row.posted["account_id"].startswith("acct-")
    assert row.posted["merchant_id"].startswith("fraud_Rippin-Kub-and-Mann-")
    assert row.posted["timestamp"] == "2019-01-01T00:00:18Z"
    assert row.posted["geo_lat"] == 36.011293
    assert row.posted["home_lat"] == 36.0788
    assert row.posted["currency"] == "USD"
    assert "2703186189652095" not in str(row.posted)
    assert "Jennifer" not in str(row.posted)


@pytest.mark.parametrize("text", [OWN, KAGGLE])
def test_what_is_read_is_valid_at_the_door(tmp_path: Path, text: str) -> None:
    rows = list(read_transactions(a_file(tmp_path, text)))
    items = [parse_transaction(row.posted, now=datetime.now(UTC)) for row in rows]
    assert items
    assert [i.transaction.transaction_id for i in items] == [row.posted["transaction_id"] for row in rows]


def test_gzip_is_known_by_its_first_bytes_and_the_limit_holds(tmp_path: Path) -> None:
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(OWN.encode("utf-8-sig").replace(b"\n", b"\r\n")))

    assert [row.posted["transaction_id"] for row in read_transactions(path, 1)] == ["t-1"]


def test_an_identifier_the_api_would_refuse_is_made_to_fit_and_stays_distinct() -> None:
    long = "x" * 80

    assert as_identifier("txn:1") == "txn:1"
    assert as_identifier("a b") != as_identifier("a-b")
    assert as_identifier("a b") != as_identifier("a  b")
    assert len(as_identifier(long)) == 64
    assert as_identifier(long) != as_identifier(long + "x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        (OWN.replace("merchant_category", "amount"), "names the column\\(s\\) amount more than once"),
        ("a,b\n1,2\n", "lacks the column"),
        (OWN.replace("118.03", ""), "line 2: column amount: is empty"),
        (OWN.replace("39.37", "north"), "line 2: column geo_lat"),
        (OWN.replace("39.37", "nan"), "line 2: column geo_lat"),
        (OWN.replace("t-2,", ""), "line 3: 11 cells where the header names 12 columns"),
        (OWN.replace(",,,,,,1", ",,,,,,maybe"), "line 3: column is_fraud"),
        (OWN.replace(",mer-1,gro", ',"mer-1" x,gro'), "line 2"),
        (KAGGLE.replace("2019-01-01 00:00:18", "yesterday"), "line 2: column trans_date_trans_time"),
    ],
)
def test_a_bad_file_is_refused_with_the_line_and_what_is_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        list(read_transactions(a_file(tmp_path, text)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(OWN.encode())[:-20], "damaged or cut short"),
        (b"\x1f\x8bnot gzip at all", "damaged or cut short"),
        (OWN.encode() + b"\xff\xfe,,,,", "not text in UTF-8"),
    ],
)
def test_damaged_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "transactions.csv.gz"
    path.write_bytes(content)

    with pytest.raises(UserError, match=sentence):
        list(read_transactions(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.csv cannot be read: No such file"):
        list(read_transactions(tmp_path / "nothing.csv"))
