"""A batch as the books take it: the first of each id, ids that come with other content, rejections to count."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.domain.card_data import mask_card_numbers
from shared.domain.decision import RejectedMessage, ScoredTransaction
from shared.domain.quarantine import without_card_data

UNREADABLE = "unreadable"
"""The whole message is no envelope. Reasons not named here are of items whose fields are wrong."""
SCORING_FAILED = "scoring_failed"
UNRECORDABLE = "unrecordable"
ID_CONFLICT = "id_conflict"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected message as it is kept: card data masked, told apart by `digest`, seen `times` times."""

    digest: bytes
    message: RejectedMessage
    times: int


def first_of_each_id(scored: Sequence[ScoredTransaction]) -> dict[str, ScoredTransaction]:
    """Transaction id -> its first occurrence, ordered by id: writers that lock in one order cannot deadlock."""
    firsts: dict[str, ScoredTransaction] = {}
    for each in scored:
        firsts.setdefault(each.transaction.transaction_id, each)
    return dict(sorted(firsts.items()))


def id_conflicts(scored: Sequence[ScoredTransaction], recorded: Mapping[str, bytes]) -> list[RejectedMessage]:
    """A rejection for each transaction whose id is `recorded` with another content hash."""
    return [
        RejectedMessage(
            reason=ID_CONFLICT,
            detail="Another transaction with this id was recorded first; give this one an id of its own.",
            body=each.payload,
            transaction_id=each.transaction.transaction_id,
            account_id=each.transaction.account_id,
        )
        for each in scored
        if recorded[each.transaction.transaction_id] != each.content_hash
    ]


def rejections(messages: Sequence[RejectedMessage]) -> list[Rejection]:
    """Masked, equal ones counted together, ordered by digest."""
    counted = Counter(map(_masked, messages))
    return sorted(
        (Rejection(_digest(message), message, times) for message, times in counted.items()),
        key=lambda rejection: rejection.digest,
    )


def _masked(message: RejectedMessage) -> RejectedMessage:
    # PostgreSQL's text takes no NUL, and some of what comes here is not text at all.
    detail = message.detail.replace("\x00", "\ufffd").encode("utf-8", "replace")
    return RejectedMessage(
        reason=message.reason,
        detail=mask_card_numbers(detail).decode(),
        body=without_card_data(message.body),
        transaction_id=message.transaction_id,
    )


def _digest(message: RejectedMessage) -> bytes:
    identity = f"{message.reason}\n{message.transaction_id or ''}\n"
    return sha256(identity.encode() + message.body).digest()
