"""What a replay ends with: how many rows went which way, and how good HIGH was where labels are present."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from local.replay_posting import Posted
from shared.database.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome of one replay; every number counts rows of the file.

    `refused_by_status` has the HTTP statuses of the refusals (429 and 503 once they were given up).
    `precision` and `recall` are those of HIGH over labelled, scored rows; None is a share of nothing.
    `seconds` runs from the first request to the last outcome.
    """

    sent: int
    accepted: int
    refused: int
    refused_by_status: dict[str, int]
    scored: int
    rejected: int
    alerts: int
    precision: float | None
    recall: float | None
    seconds: float
    tx_per_second: float

    @property
    def complete(self) -> bool:
        """Whether everything accepted has an outcome."""
        return self.scored + self.rejected == self.accepted


def summarize(posted: Posted, outcomes: Mapping[str, Outcome], seconds: float) -> Summary:
    """Count rows by outcome; `outcomes` is keyed by transaction id and lacks those without one."""
    ended = [(outcomes[row.transaction_id], row) for row in posted.accepted if row.transaction_id in outcomes]
    statuses = Counter(outcome.status for outcome, _ in ended)
    precision, recall = precision_and_recall(
        [
            (outcome.risk_label == "HIGH", row.is_fraud)
            for outcome, row in ended
            if outcome.status == "scored" and row.is_fraud is not None
        ]
    )
    accepted, refused = len(posted.accepted), posted.refused.total()
    return Summary(
        sent=accepted + refused,
        accepted=accepted,
        refused=refused,
        refused_by_status={str(status): count for status, count in sorted(posted.refused.items())},
        scored=statuses["scored"],
        rejected=statuses["rejected"],
        alerts=sum(outcome.alerted for outcome, _ in ended),
        precision=precision,
        recall=recall,
        seconds=round(seconds, 3),
        tx_per_second=round(accepted / seconds, 1) if seconds > 0 else 0.0,
    )


def precision_and_recall(pairs: Sequence[tuple[bool, bool]]) -> tuple[float | None, float | None]:
    """Precision and recall of (predicted, actual) pairs; None for a share of nothing."""
    hits = sum(predicted and actual for predicted, actual in pairs)
    predicted = sum(predicted for predicted, _ in pairs)
    actual = sum(actual for _, actual in pairs)
    return _share(hits, predicted), _share(hits, actual)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def table(summary: Summary) -> Table:
    """The summary for people."""
    lines = Table(show_header=False, title="Replay")
    for name, value in asdict(summary).items():
        lines.add_row(name.replace("_", " "), _shown(value))
    return lines


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count:,} with {status}" for status, count in value.items()) or "-"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)
