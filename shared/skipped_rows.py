"""The rows of a file that cannot be used: counted and told, and too many of them end the reading."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.command_line import UserError

MANY = 0.05
"""Share of the rows beyond which what is left out may change what is found: told as a warning."""

MOST = 0.5
"""Share of the rows beyond which the file is not what it is taken for."""

FEWEST_TO_JUDGE = 100
"""Rows from which on there is such a share."""

MOST_REASONS = 5
"""So many are told."""


@dataclass(slots=True)
class SkippedRows:
    """Counts the rows of the file called `source` while it is read: all, those left out, and what was adjusted.

    `reasons` counts those left out by reason, `first` is the line of the first of each, counted from 1.
    """

    source: str
    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    adjusted: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """How many were left out."""
        return self.reasons.total()

    def skip(self, line: int, reason: str, lines: int = 1) -> None:
        """Leave out the row that was just read, which ends on `line` and swallowed so many lines."""
        reason = reason.rstrip(".")
        self.read += lines - 1
        self.reasons[reason] += lines
        self.first.setdefault(reason, line)

    def finish(self) -> None:
        """The file is read; raises UserError where too many rows were left out, or all."""
        if self.rows and self.rows >= self.read:
            raise UserError(f"{self.source} holds no transactions that can be used: {self._told()}. Correct them.")
        if self._are_more_than(MOST):
            raise UserError(
                f"{self.source}: {self.rows:,} of {self.read:,} rows cannot be used, more than {MOST:.0%}: "
                f"{self._told()}. Correct the file, or name its columns with --columns."
            )

    def sentences(self) -> Iterator[str]:
        """What to tell the user of it; nothing where every row was taken as it is."""
        if self.rows:
            warning = "WARNING: " if self._are_more_than(MANY) else ""
            yield f"{warning}{self.source}: {self.rows:,} of {self.read:,} rows are left out: {self._told()}."
        for what, count in self.adjusted.items():
            yield f"{self.source}: {count:,} {what}."

    def _are_more_than(self, share: float) -> bool:
        return self.read >= FEWEST_TO_JUDGE and self.rows > share * self.read

    def _told(self) -> str:
        found = self.reasons.most_common(MOST_REASONS)
        return "; ".join(
            f"{count:,} times {reason} (first in line {self.first[reason]})" for reason, count in found
        )
