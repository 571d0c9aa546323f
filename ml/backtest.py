"""`python -m ml backtest`: what rules would have hit, in a file or in what was recorded."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ml.manifest import RULES
from ml.rule_tally import Backtest, Hits, RuleHits, Tally
from ml.sources import add_source, expect_source, no_transactions, steps_of_days
from shared.command_line import UserError
from shared.domain.errors import RulesInvalid
from shared.domain.rules import RuleSet
from shared.rules_file import load_rules
from shared.settings import load_settings

TABLE_WIDTH = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `backtest`."""
    parser.add_argument(
        "--rules", type=Path, required=True, metavar="FILE", help="the rules to try, also those off"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="the present rules (those of FRAUDSENSE_MODEL_DIR)"
    )
    add_source(parser)
    parser.add_argument("--json", action="store_true", help="end with one JSON line instead of a table")


def run(args: argparse.Namespace) -> int:
    """Replay, count, and tell. Raises UserError."""
    expect_source(args)
    tally = Tally(_rules(args.rules), _rules(args.against or load_settings().model_dir / RULES))
    with steps_of_days(args) as wanted:
        for steps in wanted:
            tally.add(steps)
    found = tally.result()
    if found is None:
        raise no_transactions(args)
    if args.json:
        print(found.model_dump_json())
    else:
        _print(found)
    return 0


def _rules(path: Path) -> RuleSet:
    try:
        return load_rules(path)
    except RulesInvalid as error:
        raise UserError(str(error)) from error


def _print(found: Backtest) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(_table(found))
    print(
        f"{found.transactions:,} transactions, {found.first} to {found.last}; {found.labelled:,} have a label, "
        f"{found.frauds:,} of them fraud. `overlap` is the share of a rule's hits that other present rules hit as "
        "well, `new frauds` are those that they miss. Only a rule that always alerts raises one by itself."
    )


def _table(found: Backtest) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    for name in ("hits", "before", "a day", "precision", "recall", "value caught", "overlap", "new frauds"):
        table.add_column(name, justify="right", no_wrap=True)
    for rule in found.rules:
        name = rule.name if rule.on else f"{rule.name} (off)"
        table.add_row(Text(name), *_cells(rule), _percent(rule.overlap), f"{rule.new_frauds:,}")
    table.add_row("all that are on", *_cells(found.together), "", "")
    table.add_row("the present ones", *_cells(found.present), "", "")
    return table


def _cells(hits: Hits) -> tuple[str, ...]:
    before = hits.hits_before if isinstance(hits, RuleHits) else None
    return (
        f"{hits.hits:,}",
        "" if before is None else f"{before:,}",
        f"{hits.alerts_per_day:,.1f}",
        *map(_percent, (hits.precision, hits.recall, hits.value_caught)),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
