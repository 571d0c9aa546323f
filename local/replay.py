"""`replay FILE`: post a CSV of transactions and wait until all are scored."""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import httpx

from local.data_folder import held_state
from local.replay_outcomes import OutcomeReader, PublicOutcomes, RecordedOutcomes, await_outcomes
from local.replay_posting import Poster
from local.replay_report import Summary, summarize
from local.replay_schedule import DueBatch, schedule
from local.replay_view import ReplayView
from shared.command_line import UserError
from shared.csv_layouts import add_reading, csv_file
from shared.database.engine import async_engine
from shared.database.outcomes import OutcomeRecords
from shared.settings import load_settings
from shared.skipped_rows import SkippedRows
from shared.transactions_csv import read_transactions

REQUEST_SECONDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FILE and how fast it is posted."""
    parser.add_argument("file", type=Path, help="CSV or CSV.gz of transactions")
    add_reading(parser)
    parser.add_argument("--url", help="where ingest answers (default: this machine's)")
    parser.add_argument("--rate", type=_positive, metavar="N", help="transactions a second (default: no limit)")
    parser.add_argument("--limit", type=_whole, metavar="N", help="only the file's first N transactions")
    parser.add_argument("--speedup", type=_positive, metavar="X", help="by the file's own clock, X times faster")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="give up on held-back transactions, or on scoring, after this long without progress (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="only the summary line, no table and no bars")


def run(args: argparse.Namespace) -> int:
    """Post, wait, print the summary as one JSON line; 0 if everything accepted was scored or rejected, else 1."""
    url = _address(args.url) if args.url else f"http://127.0.0.1:{load_settings().ingest_port}"
    try:
        summary = asyncio.run(_replay(args, url))
    except KeyboardInterrupt:
        raise UserError("Stopped. Run it again: what was already sent is recognised by its id.") from None
    print(json.dumps(asdict(summary)))
    return 0 if summary.complete else 1


async def _replay(args: argparse.Namespace, url: str) -> Summary:
    skipped = SkippedRows(str(args.file))
    total = sum(len(batch.rows) for batch in _batches(args, skipped))
    skipped.finish()  # a bad file is refused before anything is sent
    async with (
        httpx.AsyncClient(base_url=url, timeout=REQUEST_SECONDS) as client,
        _outcome_reader(client, url) as reader,
    ):
        await _require_ingest(client, url)
        with ReplayView(total, wait=args.wait, bars=not args.json) as view:
            view.read(skipped.sentences())
            summary = await _post_and_wait(args, client, reader, view)
        if not args.json:
            view.show(summary)
    return summary


async def _post_and_wait(
    args: argparse.Namespace, client: httpx.AsyncClient, reader: OutcomeReader, view: ReplayView
) -> Summary:
    start = time.monotonic()
    posted = await Poster(client, view, wait=args.wait).post(_batches(args, SkippedRows(str(args.file))))
    view.refused(posted.sentences)
    view.accepted(len(posted.accepted))
    ids = (row.transaction_id for row in posted.accepted)
    outcomes = await await_outcomes(ids, reader, view.ended, wait=args.wait)
    return summarize(posted, outcomes, time.monotonic() - start)


def _batches(args: argparse.Namespace, skipped: SkippedRows) -> Iterator[DueBatch]:
    rows = read_transactions(csv_file(args.file, args), args.limit, skipped)
    return schedule(rows, rate=args.rate, speedup=args.speedup)


@asynccontextmanager
async def _outcome_reader(client: httpx.AsyncClient, url: str) -> AsyncIterator[OutcomeReader]:
    """PostgreSQL where `run` on this machine started the ingest at `url`: ingest is spared a question per row."""
    urls = (held_state(load_settings().data_dir) or {}).get("urls", {})
    if urls.get("ingest", "").rstrip("/") != url:
        yield PublicOutcomes(client)
        return
    engine = async_engine(urls["database"])
    try:
        yield RecordedOutcomes(OutcomeRecords(engine), since=datetime.now(UTC))
    finally:
        await engine.dispose()


async def _require_ingest(client: httpx.AsyncClient, url: str) -> None:
    """Raises UserError where nothing, or something else, answers; an ingest that is not ready yet will do."""
    try:
        response = await client.get("/health")
    except httpx.TransportError as error:
        raise UserError(f"Ingest does not answer at {url}: start it with `make run`.") from error
    if response.status_code not in (200, 503):
        raise UserError(f"{url}/health answers {response.status_code}: give ingest's address with --url.")


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError(f"--url {text} is not an address such as http://127.0.0.1:7071.")
    return text.rstrip("/")


def _positive(text: str) -> float:
    value = float(text)
    if not (value > 0 and isfinite(value)):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value
