"""The books at the end: what clients were told against what is found, as named checks over plain values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.chaos.ledger import Sent
from shared.domain.books import ID_CONFLICT

PUBLISHED_BEFORE = timedelta(seconds=5)
"""An alert's time of announcement is taken after it was published: at most so long."""

Days = Mapping[int, int]
"""UTC day since 1970 -> number of transactions."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of the quarantine."""

    reason: str
    transaction_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """A row of the alerts."""

    alert_id: str
    seq: int
    transaction_id: str
    announced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the services hold once the queue is drained.

    `recorded` and `scored` are rows per transaction id; `high` the ids labelled HIGH; the histories are numbers of
    transactions by "account currency" and UTC day, as recorded and as Redis has them. `at_risk` counts those that
    were received before Redis was killed and recorded just before that or later: it may have lost its last writes.
    `rebuilt` are accounts that were therefore rebuilt from the records.
    """

    recorded: Mapping[str, int]
    scored: Mapping[str, int]
    high: frozenset[str]
    rejected: Sequence[Rejected]
    alerts: Sequence[StoredAlert]
    dead_letters: int
    left_in_queue: Sequence[bytes]
    recorded_history: Mapping[str, Days]
    history: Mapping[str, Days]
    unready: Sequence[str]
    at_risk: Mapping[str, Days] = field(default_factory=dict)
    rebuilt: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What listeners got: seqs as they came on the stream; alert ids on the channel, and its gaps."""

    seqs: Sequence[int]
    announced: frozenset[str]
    gaps: Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, the numbers behind it, and what contradicts it; it holds where nothing does."""

    name: str
    promise: str
    numbers: Mapping[str, int]
    wrong: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts the promise."""
        return not self.wrong


def balance(sent: Sent, found: Found, heard: Heard) -> list[Check]:
    """Every check."""
    return [check(sent, found, heard) for check in _CHECKS]


def lost(sent: Sent, found: Found) -> list[str]:
    """Accounts whose history lacks transactions, and only such as a killed Redis may have lost."""
    differing = {
        key for key in _comparable(sent, found) if _days(found.recorded_history, key) != _days(found.history, key)
    }
    unexplained = {_account(key) for key in differing if not _may_be_lost(found, key)}
    return sorted({_account(key) for key in differing} - unexplained)


def _kept(sent: Sent, found: Found, _: Heard) -> Check:
    missing = sent.accepted - set(found.recorded) - _quarantined(found)
    numbers = {"accepted": len(sent.accepted), "recorded": len(found.recorded), "missing": len(missing)}
    return Check("kept", "whatever was accepted is recorded or quarantined", numbers, sorted(missing))


def _surplus(sent: Sent, found: Found, _: Heard) -> Check:
    surplus = set(found.recorded) - sent.accepted
    numbers = {"unknown": len(sent.unknown), "of them recorded": len(surplus & sent.unknown)}
    numbers["refused"] = len(sent.refused)
    return Check(
        "surplus", "what else is recorded was answered 503 or not at all", numbers, sorted(surplus - sent.unknown)
    )


def _once(sent: Sent, found: Found, _: Heard) -> Check:
    alerts = _counted(alert.transaction_id for alert in found.alerts)
    twice = {
        f"{each} has {rows} rows in {table}"
        for table, counted in (("transactions", found.recorded), ("scores", found.scored), ("alerts", alerts))
        for each, rows in counted.items()
        if rows > 1
    }
    both = _quarantined(found) & set(found.recorded) - sent.conflicting
    unscored = found.recorded.keys() ^ found.scored.keys()
    wrong = {*twice, *(f"{each} is recorded and quarantined" for each in both)}
    wrong |= {f"{each} is not in both of transactions and scores" for each in unscored}
    return Check("once", "no id has two outcomes", {"doubles": len(twice), "both": len(both)}, sorted(wrong))


def _queue(sent: Sent, found: Found, _: Heard) -> Check:
    left = [body.decode(errors="replace") for body in found.left_in_queue]
    marks = {mark for mark in sent.newer if any(f'"{mark}"' in body for body in left)}
    foreign = [body[:120] for body in left if not any(f'"{mark}"' in body for mark in sent.newer)]
    wrong = [f"{mark} is gone" for mark in sorted(sent.newer - marks)] + [f"left over: {body}" for body in foreign]
    wrong += [f"{found.dead_letters} dead letters"] if found.dead_letters else []
    numbers = {"newer envelopes": len(sent.newer), "left": len(left), "dead letters": found.dead_letters}
    return Check("queue", "the queue holds the newer envelopes, the dead letters nothing", numbers, wrong)


def _quarantine(sent: Sent, found: Found, _: Heard) -> Check:
    conflicts = [row for row in found.rejected if row.reason == ID_CONFLICT]
    others = [row for row in found.rejected if row.reason != ID_CONFLICT]
    marks = {mark for mark in sent.poison for row in others if _bears(row, mark)}
    wrong = [f"{mark} is not quarantined" for mark in sorted(sent.poison - marks)]
    wrong += [_described(row) for row in others if not any(_bears(row, mark) for mark in sent.poison)]
    wrong += [_described(row) for row in conflicts if row.transaction_id not in sent.conflicting]
    numbers = {"poison": len(sent.poison), "quarantined": len(others), "id conflicts": len(conflicts)}
    return Check("quarantine", "exactly the poison and known conflicts are quarantined", numbers, wrong)


def _delivered(_: Sent, found: Found, heard: Heard) -> Check:
    stored = {alert.seq for alert in found.alerts}
    missed, doubled = stored - set(heard.seqs), len(heard.seqs) - len(set(heard.seqs))
    wrong = [f"seq {seq} never came" for seq in sorted(missed)]
    wrong += [f"{doubled} frames came twice"] if doubled else []
    wrong += [] if list(heard.seqs) == sorted(heard.seqs) else ["frames came out of order"]
    silent = found.high - {alert.transaction_id for alert in found.alerts}
    wrong += [f"{each} is HIGH without an alert" for each in sorted(silent)]
    numbers = {"HIGH": len(found.high), "alerts": len(stored), "delivered": len(set(heard.seqs))}
    return Check("delivered", "the WebSocket client got every alert once and in order", numbers, wrong)


def _announced(_: Sent, found: Found, heard: Heard) -> Check:
    unmarked = [alert.alert_id for alert in found.alerts if alert.announced_at is None]
    unheard = [alert for alert in found.alerts if alert.announced_at and alert.alert_id not in heard.announced]
    lost = [alert.alert_id for alert in unheard if not _in_a_gap(alert.announced_at, heard)]
    numbers = {"heard": len(heard.announced), "in a gap": len(unheard) - len(lost), "gaps": len(heard.gaps)}
    wrong = [f"{each} is not marked" for each in unmarked]
    wrong += [f"{each} is marked and was not heard" for each in lost]
    return Check("announced", "every alert was announced, and heard where the subscriber listened", numbers, wrong)


def _history(sent: Sent, found: Found, _: Heard) -> Check:
    keys, pairs = _comparable(sent, found), (found.recorded_history, found.history)
    both = {key: tuple(_days(each, key) for each in pairs) for key in sorted(keys)}
    wrong = [
        f"{key}: recorded {recorded}, counted {counted}"
        for key, (recorded, counted) in both.items()
        if recorded != counted
    ]
    recorded, counted = (sum(sum(days[place].values()) for days in both.values()) for place in (0, 1))
    numbers = {"accounts and currencies": len(keys), "recorded": recorded, "counted": counted}
    numbers |= {"not loaded again": len(found.recorded_history.keys() - keys)} if sent.flushed else {}
    numbers |= {"rebuilt after a kill of Redis": len(found.rebuilt)} if sent.redis_killed else {}
    return Check("history", "each recorded transaction counts once in its account's history", numbers, wrong)


def _comparable(sent: Sent, found: Found) -> set[str]:
    """Keys that Redis must have as recorded; an emptied Redis gets an account only when it is seen next."""
    known = {_account(key) for key in found.history}
    expected = {key for key in found.recorded_history if not sent.flushed or _account(key) in known}
    return expected | found.history.keys()


def _may_be_lost(found: Found, key: str) -> bool:
    recorded, counted, at_risk = (
        _days(each, key) for each in (found.recorded_history, found.history, found.at_risk)
    )
    return all(
        0 <= recorded.get(day, 0) - counted.get(day, 0) <= at_risk.get(day, 0)
        for day in recorded.keys() | counted.keys()
    )


def _days(histories: Mapping[str, Days], key: str) -> dict[int, int]:
    return dict(histories.get(key, {}))


def _account(key: str) -> str:
    return key.partition(" ")[0]


def _ready(_: Sent, found: Found, __: Heard) -> Check:
    wrong = [f"{part} is not ready" for part in found.unready]
    return Check("ready", "every part runs and is ready, and nobody helped", {"not ready": len(wrong)}, wrong)


_CHECKS: tuple[Callable[[Sent, Found, Heard], Check], ...] = (
    _kept, _surplus, _once, _queue, _quarantine, _delivered, _announced, _history, _ready
)  # fmt: skip


def _quarantined(found: Found) -> set[str]:
    return {row.transaction_id for row in found.rejected if row.transaction_id is not None}


def _counted(ids: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for each in ids:
        counted[each] = counted.get(each, 0) + 1
    return counted


def _bears(row: Rejected, mark: str) -> bool:
    return row.transaction_id == mark or mark.encode() in row.body


def _described(row: Rejected) -> str:
    return f"{row.transaction_id or row.body[:60]!r} is quarantined as {row.reason}"


def _in_a_gap(at: datetime | None, heard: Heard) -> bool:
    margin = PUBLISHED_BEFORE
    return at is not None and any(begin - margin <= at <= end + margin for begin, end in heard.gaps)
