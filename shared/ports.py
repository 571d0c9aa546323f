"""What the handlers need from the outside, as small protocols; each with its guarantee and how it fails."""

from collections.abc import Generator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from shared.domain.alert import Alert
from shared.domain.decision import Decision, RejectedMessage, ScoredTransaction
from shared.domain.history import AccountPast, History
from shared.domain.labels import Effect, Label
from shared.domain.transaction import Transaction


class EnvelopePublisher(Protocol):
    """The queue's way in."""

    async def publish(self, envelope: bytes, *, message_id: str) -> None:
        """Return only once the broker has stored the envelope.

        Raises BrokerUnavailable within 5 s where it was not confirmed (try again; it may have been stored) and
        EnvelopeRefused where it never will be.
        """

    async def check(self) -> None:
        """Return where the broker can be reached and the queue exists; raises BrokerUnavailable."""

    async def depth(self) -> int:
        """How many messages wait in the queue, about; raises BrokerUnavailable within 5 s."""

    async def close(self) -> None:
        """Give the connection back; publishing afterwards opens a new one."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The rate limiter's answer for one transaction; `retry_after` is set where it was refused."""

    admitted: bool
    retry_after: timedelta = timedelta(0)


class RateLimit(Protocol):
    """Transactions per account in a sliding minute. Opens: where Redis fails, all are admitted and counted."""

    async def admit(self, account_ids: Sequence[str]) -> list[Admission]:
        """Take one place for each account id in order; a refusal leaves a count that the next score sees."""

    async def give_back(self, account_ids: Sequence[str]) -> None:
        """Free the newest place of each account id again: nothing came of it. Where Redis fails it stays taken."""


class Receipts(Protocol):
    """The content hash of each accepted transaction, for a day. Opens: where Redis fails there are none."""

    async def find(self, transaction_ids: Sequence[str]) -> list[bytes | None]:
        """The content hash of each id, or None."""

    async def remember(self, receipts: Sequence[tuple[str, bytes]]) -> None:
        """Keep (id, content hash); an id that has one already keeps it."""


class HistoryStore(Protocol):
    """The account history. Nothing is scored without its past: raises HistoryUnavailable, and DatabaseUnavailable
    where an account's past must come from the books and they do not answer."""

    def observe(self, transactions: Sequence[Transaction]) -> list[History]:
        """Count each transaction once, however often it comes, and answer with its past; one round trip."""

    def check(self) -> None:
        """Return where the store can be written; raises HistoryUnavailable."""


class AccountPasts(Protocol):
    """What the books hold of accounts. Raises DatabaseUnavailable."""

    def load(self, account_ids: Sequence[str], *, until: float) -> Generator[tuple[str, AccountPast]]:
        """Each of these accounts once with its past, empty for those without one; use it up before the next.

        Past `until` (of `time.monotonic()`) it raises instead of going on. Close it where you stop before its end.
        """

    def unsettled(self, transaction_ids: Sequence[str]) -> Set[str]:
        """Those among these ids that are neither recorded nor rejected."""


class Scorer(Protocol):
    """The models that serve: forest, rules and risk. Pure computation, never fails for a valid transaction."""

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """One decision per transaction, in order."""

    def shadows(
        self, transactions: Sequence[Transaction], histories: Sequence[History]
    ) -> list[tuple[Decision, ...]]:
        """What each model on trial would decide of each transaction, in order; never fails, but leaves it out."""


class ModelRegistry(Protocol):
    """Model folders by version. Each method raises RegistryUnavailable."""

    def put(self, folder: Path, model_version: str) -> None:
        """Keep the files of a model folder; the same version again mends what is damaged there."""

    def fetch(self, model_version: str) -> Path:
        """A local folder with the model; raises RegistryUnavailable where it is not registered as well."""

    def versions(self) -> list[str]:
        """What is registered, sorted."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording a batch added: the ids that were new, and the rejections of ids that were not the same."""

    new: frozenset[str] = frozenset()
    conflicts: Sequence[RejectedMessage] = ()


class DecisionRecorder(Protocol):
    """The books. Raises DatabaseUnavailable; recording the same batch again changes nothing."""

    def record(self, scored: Sequence[ScoredTransaction], rejected: Sequence[RejectedMessage]) -> Recorded:
        """Gate, transactions, scores, alerts and rejections in one database transaction.

        The first recorded decision of an id stands; the same id with other content is recorded as a rejection
        with reason `id_conflict`.
        """

    def unannounced(self, transaction_ids: Sequence[str]) -> list[Alert]:
        """The recorded alerts of these transactions that nobody announced yet, by `seq`."""

    def mark_announced(self, alerts: Sequence[Alert], at: datetime) -> None:
        """Note that these alerts were announced."""

    def check(self) -> None:
        """Return where the database answers; raises DatabaseUnavailable."""


class AlertAnnouncer(Protocol):
    """The live feed's way in. At least once; raises FeedUnavailable, and the alert stays unannounced."""

    def announce(self, alerts: Sequence[Alert]) -> None:
        """Publish each alert to whoever listens now."""


@dataclass(frozen=True, slots=True)
class LabelTaken:
    """What became of a label, and whether its transaction is recorded already."""

    effect: Effect
    transaction_known: bool


class LabelBook(Protocol):
    """What transactions turned out to be. Raises DatabaseUnavailable."""

    async def add(self, labels: Sequence[Label]) -> list[LabelTaken]:
        """Keep what is new or known later, all or nothing; adding the same again changes nothing."""
