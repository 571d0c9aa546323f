"""Publishes a file of transactions straight to the queue, as another producer would."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.chosen import with_queue
from shared.broker.selection import publisher_for
from shared.command_line import UserError
from shared.csv_layouts import CsvFile
from shared.domain.errors import BrokerUnavailable
from shared.messages.envelope import ENVELOPE_VERSION, MAX_ENVELOPE_BYTES, MAX_ITEMS
from shared.messages.transaction_errors import InvalidTransaction
from shared.messages.transaction_in import parse_json
from shared.ports import EnvelopePublisher
from shared.settings import load_settings
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import read_transactions

JSON_LINES = {".jsonl", ".ndjson"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message for the queue and how many transactions it holds."""

    body: bytes
    transactions: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file and how to cut it into envelopes."""
    parser.add_argument("file", type=Path, help="CSV or CSV.gz with a header, or JSON lines (.jsonl, .ndjson)")
    parser.add_argument("--limit", type=_positive, metavar="N", help="take the first N transactions")
    parser.add_argument(
        "--batch", type=_positive, default=MAX_ITEMS, metavar="N", help=f"per envelope, at most {MAX_ITEMS}"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def run(args: argparse.Namespace) -> int:
    """Publish the file; raises UserError where it cannot be read or the queue does not confirm."""
    settings = with_queue(load_settings())
    envelopes = pack(_transactions(args.file, args.limit), min(args.batch, MAX_ITEMS))
    count, transactions = asyncio.run(_publish_all(publisher_for(settings), envelopes))
    summary = {"file": str(args.file), "transactions": transactions, "envelopes": count}
    print(json.dumps(summary) if args.json else f"{transactions} transactions published in {count} envelopes.")
    return 0


def pack(transactions: Iterable[dict[str, Any]], batch: int) -> Iterator[Envelope]:
    """Envelopes of at most `batch` transactions and the size every reader takes, in order."""
    items: list[bytes] = []
    room = _ROOM
    for number, transaction in enumerate(transactions, start=1):
        item = json.dumps({"transaction": transaction}, ensure_ascii=False, separators=(",", ":")).encode()
        if len(item) >= _ROOM:
            raise UserError(f"Transaction {number} of the file is too large for an envelope ({len(item)} bytes).")
        if len(items) == batch or len(item) >= room:
            yield _envelope(items)
            items, room = [], _ROOM
        items.append(item)
        room -= len(item) + 1
    if items:
        yield _envelope(items)


def _envelope(items: list[bytes]) -> Envelope:
    return Envelope(b"%b%b]}" % (_HEAD, b",".join(items)), len(items))


_HEAD = b'{"v":%d,"items":[' % ENVELOPE_VERSION
_ROOM = MAX_ENVELOPE_BYTES - len(_HEAD) - 2


async def _publish_all(publisher: EnvelopePublisher, envelopes: Iterable[Envelope]) -> tuple[int, int]:
    count = transactions = 0
    try:
        for envelope in envelopes:
            await publisher.publish(envelope.body, message_id=str(uuid4()))
            count, transactions = count + 1, transactions + envelope.transactions
    except BrokerUnavailable as error:
        raise UserError(
            f"{error} {transactions} transactions were published before; publishing them again is harmless."
        ) from error
    finally:
        await publisher.close()
    return count, transactions


def _transactions(path: Path, limit: int | None) -> Iterator[dict[str, Any]]:
    if path.suffix in JSON_LINES:
        return islice(_json_lines(path), limit)
    return _csv_rows(CsvFile(path), limit)


def _csv_rows(file: CsvFile, limit: int | None) -> Iterator[dict[str, Any]]:
    skipped = SkippedRows(str(file))
    yield from (row.posted for row in read_transactions(file, limit, skipped))
    skipped.finish()
    for sentence in skipped.sentences():
        print(sentence, file=sys.stderr)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _object(line, f"{path}, line {number}")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}.") from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = parse_json(line.encode())
    except InvalidTransaction as error:
        raise UserError(f"{where}: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{where}: a line must be one transaction, a JSON object.")
    return value


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
