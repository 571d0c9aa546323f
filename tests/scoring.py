"""Score's parts in memory, and envelopes to feed it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.score.fault import Reach, no_fault
from functions.score.handler import Outcome, score
from functions.score.health import Health
from functions.score.invocation import Invocations, Parts
from functions.score.patience import Patience
from functions.score.poison import PoisonLimits
from functions.score.put_back import PutBack
from shared.domain.decision import Decision
from shared.domain.errors import FraudSenseError
from shared.domain.history import History
from shared.domain.transaction import Transaction
from shared.testing.announcer import MemoryAnnouncer
from shared.testing.history import MemoryHistory
from shared.testing.recorder import MemoryRecorder
from tests.builders import a_decision, a_posted_transaction, an_alarm

NOW = datetime(2026, 1, 15, 12, 0, 1, tzinfo=UTC)


class UnevenRule(Exception):
    """A fault in a rule."""


class StubScorer:
    """HIGH from 1,000 on, else LOW; raises for the ids in `breaks_on`."""

    def __init__(self, *breaks_on: str) -> None:
        self.breaks_on = breaks_on
        self.seen: list[History] = []

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """As the port."""
        if any(each.transaction_id in self.breaks_on for each in transactions):
            raise UnevenRule
        self.seen += histories
        return [an_alarm() if each.amount >= 1000 else a_decision() for each in transactions]

    def shadows(self, transactions: Sequence[Transaction], _: Sequence[History]) -> list[tuple[Decision, ...]]:
        """As the port; nothing is on trial."""
        return [()] * len(transactions)


@dataclass
class Bench:
    """All ports in memory, and the clock."""

    history: MemoryHistory = field(default_factory=MemoryHistory)
    scorer: StubScorer = field(default_factory=StubScorer)
    recorder: MemoryRecorder = field(default_factory=MemoryRecorder)
    announcer: MemoryAnnouncer = field(default_factory=MemoryAnnouncer)
    slept: list[float] = field(default_factory=list)
    put_back: list[tuple[list[bytes], str]] = field(default_factory=list)
    reach: Reach = no_fault

    def score(self, *messages: bytes) -> Outcome:
        """One batch through the handler, without any wait."""
        return score(
            messages,
            history=self.history,
            scorer=self.scorer,
            recorder=self.recorder,
            announcer=self.announcer,
            patience=Patience(timedelta(0)),
            now=lambda: NOW,
            reach=self.reach,
        )

    def invocations(self, put_back: PutBack | None = None, limits: PoisonLimits | None = None) -> Invocations:
        """The function behind the trigger; its clock moves by sleeping only."""
        return Invocations(self.parts(put_back, limits))

    def parts(self, put_back: PutBack | None = None, limits: PoisonLimits | None = None) -> Parts:
        """What it is made of."""
        return Parts(
            history=self.history,
            scorer=lambda: self.scorer,
            recorder=self.recorder,
            announcer=self.announcer,
            put_back=put_back or PutBack(newer=self._note_put_back, outage=self._note_put_back),
            health=Health({}),
            retry_budget=timedelta(0),
            poison_limits=limits or PoisonLimits(),
            poison_pause=timedelta(seconds=30),
            now=lambda: NOW,
            sleep=self.slept.append,
            clock=lambda: sum(self.slept),
        )

    @property
    def rejections(self) -> dict[str | None, str]:
        """Reason by transaction id of what was quarantined."""
        return {each.message.transaction_id: each.message.reason for each in self.recorder.rejected.values()}

    def _note_put_back(self, messages: Sequence[bytes], reason: FraudSenseError) -> None:
        self.put_back.append((list(messages), type(reason).__name__))


def an_envelope(*posted: dict[str, Any], **changes: Any) -> bytes:
    """An envelope of these posted transactions, or of one."""
    items = [{"transaction": each} for each in posted or [a_posted_transaction()]]
    return json.dumps({"v": 1, "items": items} | changes).encode()


def posted_in_a_row(number: int, **changes: Any) -> list[dict[str, Any]]:
    """Transactions t0, t1, ... of one account."""
    return [a_posted_transaction(transaction_id=f"t{n}", **changes) for n in range(number)]
