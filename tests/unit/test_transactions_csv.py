"""Reading CSV files of transactions: known columns and others, cells made to fit, bad rows and bad files."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.command_line import UserError
from shared.csv_cells import EPOCH_SECONDS, HALF_PLACES, ROUNDED, ZONELESS, as_identifier
from shared.csv_layouts import CsvFile
from shared.messages.transaction_in import parse_transaction
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import Row, read_transactions

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
HANDBOOK = (
    ",TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,"
    "TX_FRAUD_SCENARIO\n0,0,2018-04-01 00:00:31,596,3156,57.16,31,0,0,0\n"
)


def a_file(folder: Path, text: str, name: str = "transactions.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_own_columns_are_posted_under_their_names_and_the_label_is_kept_apart(tmp_path: Path) -> None:
    first, second = read_transactions(CsvFile(a_file(tmp_path, OWN)))

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
    (row,) = read_transactions(CsvFile(a_file(tmp_path, KAGGLE)))

    assert row.posted["account_id"].startswith("acct-")
    assert row.posted["merchant_id"].startswith("fraud_Rippin-Kub-and-Mann-")
    assert row.posted["timestamp"] == "2019-01-01T00:00:18Z"
    assert row.posted["geo_lat"] == 36.011293
    assert row.posted["home_lat"] == 36.0788
    assert row.posted["currency"] == "USD"
    assert "2703186189652095" not in str(row.posted)
    assert "Jennifer" not in str(row.posted)


def test_the_handbooks_columns_are_renamed(tmp_path: Path) -> None:
    skipped = SkippedRows("the file")

    (row,) = read_transactions(CsvFile(a_file(tmp_path, HANDBOOK), currency="EUR"), skipped=skipped)

    assert row == Row(
        {
            "transaction_id": "0",
            "account_id": "596",
            "amount": "57.16",
            "timestamp": "2018-04-01T00:00:31Z",
            "merchant_id": "3156",
            "currency": "EUR",
        },
        is_fraud=False,
        line=2,
        written_id="0",
    )
    assert skipped.adjusted == {ZONELESS: 1, "amounts have no currency and are read as EUR": 1}


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = OWN.replace("account_id", "card").replace("is_fraud", "chargeback").replace("currency", "money")
    names = {"account_id": "card", "is_fraud": "chargeback", "currency": "money"}

    named = list(read_transactions(CsvFile(a_file(tmp_path, text), names)))

    assert named == list(read_transactions(CsvFile(a_file(tmp_path, OWN, "own.csv"))))


def test_unknown_columns_and_currencies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no acount_id\. There are transaction_id, account_id"):
        CsvFile(tmp_path, {"acount_id": "card"})
    with pytest.raises(UserError, match="usd is no ISO 4217 code"):
        CsvFile(tmp_path, currency="usd")
    with pytest.raises(UserError, match="lacks the column\\(s\\) card"):
        list(read_transactions(CsvFile(a_file(tmp_path, OWN), {"account_id": "card"})))


@pytest.mark.parametrize(
    ("cell", "posted", "adjusted"),
    [
        ("118.0300000", "118.03", 0),
        ("57.159999", "57.16", 1),
        ("1.00005", "1", 1),
        ("4.97e1", "49.7", 0),
        ("+3", "3", 0),
        ("100", "100", 0),
    ],
)
def test_an_amount_is_written_as_the_api_takes_it(tmp_path: Path, cell: str, posted: str, adjusted: int) -> None:
    skipped = SkippedRows("the file")

    first, _ = read_transactions(CsvFile(a_file(tmp_path, OWN.replace("118.03", cell))), skipped=skipped)

    assert first.posted["amount"] == posted
    assert skipped.adjusted[ROUNDED] == adjusted


def test_a_time_may_be_in_seconds_since_1970(tmp_path: Path) -> None:
    text, skipped = OWN.replace("2019-01-01T00:03:38Z", "1546301018.5"), SkippedRows("the file")

    first, _ = read_transactions(CsvFile(a_file(tmp_path, text)), skipped=skipped)

    assert first.posted["timestamp"] == "2019-01-01T00:03:38.500000Z"
    assert skipped.adjusted == {EPOCH_SECONDS: 1}


@pytest.mark.parametrize(
    ("cell", "posted", "adjusted"),
    [
        ("2019-01-01T00:03:38", "2019-01-01T00:03:38Z", 1),
        ("2019-01-01 00:03:38.5", "2019-01-01T00:03:38.500000Z", 1),
        ("2019-01-01", "2019-01-01T00:00:00Z", 1),
        ("2019-01-01 01:03:38+01:00", "2019-01-01T01:03:38+01:00", 0),
    ],
)
def test_a_time_is_written_as_the_api_takes_it(tmp_path: Path, cell: str, posted: str, adjusted: int) -> None:
    skipped, text = SkippedRows("the file"), OWN.replace("2019-01-01T00:03:38Z", cell)

    first, _ = read_transactions(CsvFile(a_file(tmp_path, text)), skipped=skipped)

    assert first.posted["timestamp"] == posted
    assert skipped.adjusted[ZONELESS] == adjusted


@pytest.mark.parametrize("text", [OWN, KAGGLE, HANDBOOK, OWN.replace("acct-1", "4111 1111 1111 1111")])
def test_what_is_read_is_valid_at_the_door(tmp_path: Path, text: str) -> None:
    rows = list(read_transactions(CsvFile(a_file(tmp_path, text))))
    items = [parse_transaction(row.posted, now=datetime.now(UTC)) for row in rows]
    assert items
    assert [i.transaction.transaction_id for i in items] == [row.posted["transaction_id"] for row in rows]


def test_gzip_is_known_by_its_first_bytes_and_the_limit_holds(tmp_path: Path) -> None:
    path = tmp_path / "any-name"
    path.write_bytes(gzip.compress(OWN.encode("utf-8-sig").replace(b"\n", b"\r\n")))

    assert [row.posted["transaction_id"] for row in read_transactions(CsvFile(path), 1)] == ["t-1"]


@pytest.mark.parametrize(
    ("cell", "instead", "lost", "adjusted"),
    [
        ("USD", "", {"currency"}, "amounts have no currency and are read as EUR"),
        ("USD", "NaN", {"currency"}, "amounts have no currency and are read as EUR"),
        ("39.37", "", {"geo_lat", "geo_lon"}, HALF_PLACES),
        ("39.37", "nan", {"geo_lat", "geo_lon"}, HALF_PLACES),
        ("39.37", "north", {"geo_lat", "geo_lon"}, "cells are taken for empty: column geo_lat is no number"),
        (
            "-80.73",
            "-180.5",
            {"home_lat", "home_lon"},
            "cells are taken for empty: column home_lon is not between -180 and 180 degrees",
        ),
        ("grocery_pos", "", {"merchant_category"}, None),
        ("grocery_pos", "None", {"merchant_category"}, None),
        (
            "grocery_pos",
            "x" * 65,
            {"merchant_category"},
            "cells are taken for empty: column merchant_category is longer than 64 characters or holds control "
            "characters",
        ),
        (
            "grocery_pos",
            "4111 1111 1111 1111",
            {"merchant_category"},
            "cells are taken for empty: column merchant_category holds a card number",
        ),
    ],
)
def test_an_optional_cell_that_is_no_good_costs_no_row(
    tmp_path: Path, cell: str, instead: str, lost: set[str], adjusted: str | None
) -> None:
    (whole, _), skipped = read_transactions(CsvFile(a_file(tmp_path, OWN))), SkippedRows("the file")
    path = a_file(tmp_path, OWN.replace(f",{cell},", f",{instead},", 1), "less.csv")

    row, _ = read_transactions(CsvFile(path, currency="EUR"), skipped=skipped)

    kept = {name: value for name, value in whole.posted.items() if name not in lost}
    assert row.posted == ({"currency": "EUR"} | kept)
    assert parse_transaction(row.posted, now=datetime.now(UTC))
    assert skipped.rows == 0
    assert skipped.adjusted[adjusted or ""] == (adjusted is not None)


def test_a_label_that_pandas_left_out_is_unknown(tmp_path: Path) -> None:
    path = a_file(tmp_path, OWN.replace("-80.73,0", "-80.73,nan"))

    assert [row.is_fraud for row in read_transactions(CsvFile(path))] == [None, True]


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
        (OWN.encode("utf-16"), "is not text in UTF-8"),
        ('transaction_id,"amount" x\n', "line 1"),
    ],
)
def test_a_file_without_columns_that_make_sense_is_refused(
    tmp_path: Path, text: str | bytes, sentence: str
) -> None:
    path = tmp_path / "transactions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(UserError, match=sentence):
        list(read_transactions(CsvFile(path)))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (OWN.replace("118.03", ""), 2, "column amount: is empty"),
        (OWN.replace("118.03", "much"), 2, "column amount: is no number, or too large a one"),
        (OWN.replace("118.03", "1e99"), 2, "column amount: is no number, or too large a one"),
        (OWN.replace("t-2,", ""), 3, "11 cells where the header names 12 columns"),
        (OWN.replace(",,,,,,1", ",,,,,,maybe"), 3, "column is_fraud: must be 0, 1 or empty"),
        (OWN.replace(",mer-1,gro", ',"mer-1" x,gro'), 2, "',' expected after '\"'"),
        (OWN + '"t-3', 4, "unexpected end of data"),
        (
            KAGGLE.replace("2019-01-01 00:00:18", "yesterday"),
            2,
            "column trans_date_trans_time: is no time",
        ),
        (OWN.replace("grocery_pos", "\udcff"), 2, "is not text in UTF-8"),
    ],
)
def test_a_bad_row_is_left_out_with_its_line_and_what_is_wrong(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path, skipped = tmp_path / "transactions.csv", SkippedRows("the file")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    rows = list(read_transactions(CsvFile(path), skipped=skipped))

    assert skipped.read == len(rows) + 1
    ((found, first_line),) = skipped.first.items()
    assert (first_line, found[: len(reason)]) == (line, reason)


def test_a_stray_quote_costs_the_lines_that_it_swallows(tmp_path: Path) -> None:
    header, *rows = OWN.splitlines(keepends=True)
    text = header + rows[0].replace("grocery", '"grocery') + rows[1] * 3 + rows[0].replace("t-1", 't-3"') + rows[1]
    skipped = SkippedRows("the file")

    kept = list(read_transactions(CsvFile(a_file(tmp_path, text)), skipped=skipped))

    assert (len(kept), skipped.rows, skipped.read) == (1, 5, 6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(OWN.encode())[:-20], "damaged or cut short"),
        (b"\x1f\x8bnot gzip at all", "damaged or cut short"),
    ],
)
def test_damaged_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "transactions.csv.gz"
    path.write_bytes(content)

    with pytest.raises(UserError, match=sentence):
        list(read_transactions(CsvFile(path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.csv cannot be read: No such file"):
        list(read_transactions(CsvFile(tmp_path / "nothing.csv")))
