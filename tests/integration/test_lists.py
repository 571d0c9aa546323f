"""Block and trust lists in PostgreSQL: by command, and as the scorer reads them."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.database.connection import open_connection
from shared.database.listed import read_lists
from shared.domain.lists import Listed, ListedKind, Lists, Verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_listed(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE listed")


def lists(database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "lists", *words],
        cwd=ROOT,
        env=os.environ | {"FRAUDSENSE_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(database_url: str, *words: str, code: int = 0) -> dict[str, Any]:
    done = lists(database_url, *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def read(database_url: str) -> Lists:
    with open_connection(database_url) as connection:
        return read_lists(connection)


def test_what_is_added_is_listed_replaced_and_removed(database_url: str) -> None:
    added = answer(
        database_url, "add", "block", "merchant", "mer-1", "--until", "30d", "--by", "ada", "--note", "x"
    )
    changed = answer(database_url, "add", "trust", "merchant", "mer-1", "--by", "bob")
    kept = answer(database_url, "list")
    removed = answer(database_url, "remove", "merchant", "mer-1")

    assert (added["listed"]["verdict"], added["replaced"]) == ("block", None)
    assert changed["replaced"] == added["listed"]
    assert kept["listed"] == [changed["listed"]] == [removed["removed"]]
    assert answer(database_url, "list") == {"listed": []}
    assert answer(database_url, "remove", "merchant", "mer-1", code=1) == {"removed": None}


def test_the_scorer_reads_what_has_not_expired(database_url: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    for words in (("block", "device", "dev-1", "--until", soon.isoformat()), ("trust", "account", "acct-1")):
        assert lists(database_url, "add", *words, "--by", "ada").returncode == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO listed (kind, value, verdict, by, expires_at) VALUES ('device', 'o', 'block', 'x', now())"
        )

    assert read(database_url) == Lists.of(
        [
            Listed(ListedKind.DEVICE, "dev-1", Verdict.BLOCK, "ada", soon),
            Listed(ListedKind.ACCOUNT, "acct-1", Verdict.TRUST, "ada"),
        ]
    )
    assert [each["value"] for each in answer(database_url, "list")["listed"]] == ["acct-1", "dev-1"]
    everything = answer(database_url, "list", "--expired")["listed"]
    assert [(each["value"], each["expired"]) for each in everything] == [
        ("acct-1", False),
        ("dev-1", False),
        ("o", True),
    ]


def test_it_says_so_in_words(database_url: str) -> None:
    nothing = lists(database_url, "list")
    added = lists(database_url, "add", "block", "account", "acct-1", "--by", "ada", "--note", "chargebacks")
    shown = lists(database_url, "list")
    gone = lists(database_url, "remove", "account", "acct-1")

    assert nothing.stdout == "Nothing is blocked or trusted.\n"
    assert added.stdout == "account acct-1: blocked by ada (chargebacks).\n"
    assert shown.stdout.splitlines()[1].split() == ["account", "acct-1", "block", "ada", "chargebacks"]
    assert gone.stdout == "account acct-1: is not blocked by ada (chargebacks) any more.\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["account", "4111111111111111"], "Card numbers are never accepted; write the account id instead"),
        (["account", ""], "the id"),
        (["account", "acct-1", "--until", "2020-01-01T00:00Z"], "is past: give a moment ahead"),
        (["account", "acct-1", "--note", "card 4111 1111 1111 1111"], "--note: Card numbers are never accepted"),
    ],
)
def test_what_makes_no_sense_is_told(database_url: str, words: list[str], problem: str) -> None:
    done = lists(database_url, "add", "block", *words, "--by", "ada")

    assert done.returncode == 2
    assert problem in done.stderr
    assert read(database_url) == Lists()
