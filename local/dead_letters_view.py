"""How dead letters are shown, as tables or JSON: never with a card number, nor a control character."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.dead_letters_sources import Source
from shared.dead_letters import DeadLetter, Settled
from shared.domain.card_data import mask_card_numbers
from shared.domain.quarantine import without_card_data

LEFT_NAMED = 20
DETAIL_LENGTH = 40
TABLE_WIDTH = 140
_SHOWN = ("id", "source", "reason", "since", "times")


@dataclass
class Tally:
    """What became of the chosen letters; of those left the first few by id, under why they stay."""

    done: int = 0
    left: dict[str, list[str]] = field(default_factory=dict)
    left_count: int = 0
    seen: set[str] = field(default_factory=set)

    def count(self, step: Settled, named: frozenset[str]) -> None:
        """One more; of letters asked for by id it is noted which came."""
        self.seen |= named & {step.letter_id}
        if not step.left:
            self.done += 1
            return
        self.left_count += 1
        ids = self.left.setdefault(step.left, [])
        if len(ids) < LEFT_NAMED:
            ids.append(step.letter_id)


def summary_of(source: Source, letter: DeadLetter) -> dict[str, Any]:
    """A letter without its body."""
    return {
        "id": letter.letter_id,
        "source": source,
        "reason": _clean(letter.reason),
        "detail": _clean(letter.detail),
        "since": letter.since.isoformat() if letter.since else None,
        "times": letter.times,
        "bytes": len(letter.body),
        "transaction_id": letter.transaction_id,
        "redrivable": not letter.barred,
    }


def whole_of(source: Source, letter: DeadLetter) -> dict[str, Any]:
    """A letter with properties and body: `body` where it is text, else `body_hex`; card data masked."""
    body = without_card_data(letter.body)
    text = _text_of(body)
    properties = json.loads(mask_card_numbers(json.dumps(dict(letter.properties), default=str).encode()))
    shown = {"body": text} if text is not None else {"body_hex": body.hex()}
    return summary_of(source, letter) | {"why_not_redriven": letter.barred, "properties": properties} | shown


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """A row per letter, of at least one; a narrow terminal breaks lines, and no column is lost."""
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    console.print(_table(rows))


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in _SHOWN:
        table.add_column(name, no_wrap=True, min_width=max(len(_cell(row, name)) for row in rows))
    table.add_column("detail")
    for row in rows:
        table.add_row(*(Text(_cell(row, name)) for name in (*_SHOWN, "detail")))
    return table


def _cell(row: Mapping[str, Any], name: str) -> str:
    """Times to the minute; of a detail the beginning, as `show` has it whole."""
    text = "" if row[name] is None else str(row[name])
    if name == "since":
        return text[:16].replace("T", " ")
    return shorten(text, DETAIL_LENGTH, placeholder="…") if name == "detail" else text


def facts_of(letter: Mapping[str, Any]) -> str:
    """One letter for reading: a line per fact, the body last."""
    facts = {name: value for name, value in letter.items() if name not in ("body", "body_hex", "properties")}
    lines = [f"{name:16} {value}" for name, value in facts.items() if value not in (None, "")]
    lines += [f"{name:16} {_clean(str(value))}" for name, value in letter["properties"].items()]
    body = letter["body"] if "body" in letter else f"{letter['body_hex']} (hex)"
    return "\n".join([*lines, "", body])


def progress_bar(*, quiet: bool) -> Progress:
    """On a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal)


def _clean(text: str) -> str:
    masked = mask_card_numbers(text.encode()).decode()
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in masked)


def _text_of(body: bytes) -> str | None:
    """None where it is no text that a terminal can show."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character in "\n\t" for character in text) else None
