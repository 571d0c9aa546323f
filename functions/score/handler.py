"""One batch of messages through score: decode, observe, decide, record, announce."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.score.decode import Received, decode, rejected_message
from functions.score.fault import InjectedFault, Reach, Step, no_fault
from functions.score.isolation import Parted, isolate
from functions.score.patience import Patience
from shared.domain.alert import Alert
from shared.domain.books import SCORING_FAILED, UNRECORDABLE, first_of_each_id
from shared.domain.decision import RejectedMessage, ScoredTransaction
from shared.domain.errors import FraudSenseError
from shared.domain.history import History
from shared.messages.envelope import trace_id
from shared.messages.transaction_in import Item
from shared.ports import AlertAnnouncer, DecisionRecorder, HistoryStore, Recorded, Scorer


@dataclass(frozen=True, slots=True)
class Scored:
    """An item with its decision."""

    item: Item
    transaction: ScoredTransaction


@dataclass(frozen=True, slots=True)
class Books:
    """What recording left.

    `scored` were recorded now or before; `new` are those recorded for the first time, one of each id; `conflicts`
    are known ids with other content; `failed` are items that the database refuses.
    """

    scored: Sequence[Scored]
    new: Sequence[ScoredTransaction]
    rejected: Sequence[RejectedMessage]
    conflicts: Sequence[RejectedMessage]
    failed: Sequence[tuple[Scored, Exception]] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch.

    `failures` are the errors behind the rejections for which the code is to blame; `poison` is the share of each
    message that was rejected or failed, 0 to 1; `newer` are messages for a newer reader, untouched; `unannounced`
    is why alerts were left to the sweeper, if they were.
    """

    books: Books
    failures: Sequence[tuple[Item, Exception]]
    poison: Sequence[float]
    recorded_at: datetime
    announced: Sequence[Alert]
    unannounced: Exception | None
    newer: Sequence[bytes]


def score(
    messages: Sequence[bytes],
    *,
    history: HistoryStore,
    scorer: Scorer,
    recorder: DecisionRecorder,
    announcer: AlertAnnouncer,
    patience: Patience,
    now: Callable[[], datetime],
    reach: Reach = no_fault,
) -> Outcome:
    """Score and record every readable transaction of `messages`; harmless to repeat.

    Raises HistoryUnavailable or DatabaseUnavailable where waiting did not help; nothing is lost by repeating it.
    """
    reach(Step.DECODE)
    received = decode(messages, now=now())
    reach(Step.OBSERVE)
    observed = isolate(received.items, lambda items: observe(items, history, patience))
    reach(Step.DECIDE)
    decided = isolate(observed.done, lambda pasts: decide(pasts, scorer))
    failures = [*observed.failed, *((item, error) for (item, _), error in decided.failed)]
    rejected = [*received.rejected, *(_quarantined(SCORING_FAILED, *failure) for failure in failures)]
    reach(Step.RECORD)
    books = record(decided.done, rejected, recorder, patience)
    failures += [(scored.item, error) for scored, error in books.failed]
    shares, recorded_at = poison(received, failures), now()
    alarming = _alarming(books.scored)
    announced, unannounced = announce(alarming, recorder, announcer, reach)
    if announced:
        reach(Step.MARK)
    unannounced = mark(announced, recorder, now()) or unannounced
    return Outcome(books, failures, shares, recorded_at, announced, unannounced, received.newer)


def observe(items: Sequence[Item], history: HistoryStore, patience: Patience) -> list[tuple[Item, History]]:
    """Each item with its account's past."""
    transactions = [item.transaction for item in items]
    histories = patience.wait_for("redis", lambda: history.observe(transactions))
    return list(zip(items, histories, strict=True))


def decide(pasts: Sequence[tuple[Item, History]], scorer: Scorer) -> list[Scored]:
    """Each item with its decision."""
    transactions, histories = [item.transaction for item, _ in pasts], [history for _, history in pasts]
    decisions = scorer.decide(transactions, histories)
    shadows = scorer.shadows(transactions, histories)
    return [
        Scored(
            item,
            ScoredTransaction(
                item.transaction, decision, item.payload, item.content_hash, item.received_at, shadow
            ),
        )
        for (item, _), decision, shadow in zip(pasts, decisions, shadows, strict=True)
    ]


def record(
    scored: Sequence[Scored], rejected: Sequence[RejectedMessage], recorder: DecisionRecorder, patience: Patience
) -> Books:
    """Write everything in one transaction; where items spoil it, the others, and rejections for those."""
    written: list[Recorded] = []

    def write(part: Sequence[Scored], rejections: Sequence[RejectedMessage]) -> Sequence[Scored]:
        transactions = [each.transaction for each in part]
        written.append(patience.wait_for("postgres", lambda: recorder.record(transactions, rejections)))
        return part

    try:
        parted: Parted[Scored, Scored] = Parted(done=list(write(scored, rejected)))
    except FraudSenseError:
        raise
    except Exception:  # noqa: BLE001 - the items to blame are found, quarantined and counted
        parted = isolate(scored, lambda part: write(part, ()))
        rejected = [*rejected, *(_quarantined(UNRECORDABLE, each.item, error) for each, error in parted.failed)]
        write((), rejected)
    return Books(
        scored=parted.done,
        new=_recorded_first(parted.done, frozenset[str]().union(*(each.new for each in written))),
        rejected=rejected,
        conflicts=[conflict for each in written for conflict in each.conflicts],
        failed=parted.failed,
    )


def announce(
    alarming: Sequence[str], recorder: DecisionRecorder, announcer: AlertAnnouncer, reach: Reach
) -> tuple[Sequence[Alert], Exception | None]:
    """Publish the alerts of these ids that nobody announced yet; those published, and why others were not."""
    if not alarming:
        return (), None
    try:
        alerts = recorder.unannounced(alarming)
        if alerts:
            reach(Step.ANNOUNCE)
        announcer.announce(alerts)
    except InjectedFault:
        raise
    except Exception as error:  # noqa: BLE001 - the batch is recorded; the caller counts this and the sweeper announces
        return (), error
    return alerts, None


def mark(alerts: Sequence[Alert], recorder: DecisionRecorder, at: datetime) -> Exception | None:
    """Note that these were announced; why not where that failed, and the sweeper announces them once more."""
    if not alerts:
        return None
    try:
        recorder.mark_announced(alerts, at)
    except Exception as error:  # noqa: BLE001 - the batch is recorded and announced; the caller logs it
        return error
    return None


def poison(received: Received, failures: Sequence[tuple[Item, Exception]]) -> list[float]:
    """Of each message that was read, the share that was rejected or failed, 0 to 1."""
    failed = {item for item, _ in failures}
    return [message.poison(failed) for message in received.read]


def _recorded_first(scored: Sequence[Scored], new: Collection[str]) -> list[ScoredTransaction]:
    """The one transaction of each new id that the books took: its first occurrence."""
    firsts = first_of_each_id([each.transaction for each in scored])
    return [each for name, each in firsts.items() if name in new]


def _quarantined(reason: str, item: Item, error: Exception) -> RejectedMessage:
    detail = f"{type(error).__name__}: {error}"
    return rejected_message(
        reason,
        detail,
        item.payload,
        transaction_id=item.transaction.transaction_id,
        account_id=item.transaction.account_id,
        trace_id=trace_id(item.traceparent),
    )


def _alarming(scored: Sequence[Scored]) -> list[str]:
    """The ids that raise an alert."""
    return [each.item.transaction.transaction_id for each in scored if each.transaction.decision.raises_alert]
