"""Accepting transactions: take a place in the rate limit, compare receipts, publish, write receipts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from uuid import uuid4

from shared.domain.errors import BrokerUnavailable, EnvelopeRefused
from shared.messages.envelope import encode_envelopes
from shared.messages.transaction_in import Item
from shared.ports import Admission, EnvelopePublisher, RateLimit, Receipts
from shared.telemetry.availability import Availability


class Verdict(Enum):
    """What became of one transaction, beside being limited."""

    QUEUED = "queued"
    CONFLICTING = "conflicting"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Limited:
    """Refused by the rate limit; a place is free after `retry_after`."""

    retry_after: timedelta


Outcome = Verdict | Limited


async def accept(
    items: Sequence[Item],
    *,
    rate_limit: RateLimit,
    receipts: Receipts,
    publisher: EnvelopePublisher,
    queue: Availability,
) -> list[Outcome]:
    """One outcome per transaction, in order. QUEUED says that the broker confirmed it and its receipt was written.

    UNCONFIRMED transactions may have been stored; the same id again is harmless, and they give their places back:
    a caller who repeats them as told must not look like one who tries cards.
    """
    admissions, known = await asyncio.gather(
        rate_limit.admit([item.transaction.account_id for item in items]),
        receipts.find([item.transaction.transaction_id for item in items]),
    )
    judged = _judge(items, admissions, known)
    publishable = [item for item, outcome in zip(items, judged, strict=True) if outcome is Verdict.QUEUED]
    published = await _publish(publishable, publisher, queue)
    queued, unconfirmed = (
        [item for item, outcome in zip(publishable, published, strict=True) if outcome is verdict]
        for verdict in (Verdict.QUEUED, Verdict.UNCONFIRMED)
    )
    await asyncio.gather(
        receipts.remember([(item.transaction.transaction_id, item.content_hash) for item in queued]),
        rate_limit.give_back([item.transaction.account_id for item in unconfirmed]),
    )
    in_order = iter(published)
    return [next(in_order) if outcome is Verdict.QUEUED else outcome for outcome in judged]


def _judge(items: Sequence[Item], admissions: Sequence[Admission], known: Sequence[bytes | None]) -> list[Outcome]:
    """What may be published (QUEUED). Of one id with two contents among the items, the first one counts."""
    first: dict[str, bytes] = {}
    outcomes: list[Outcome] = []
    for item, admission, receipt in zip(items, admissions, known, strict=True):
        if not admission.admitted:
            outcomes.append(Limited(admission.retry_after))
            continue
        expected = receipt or first.setdefault(item.transaction.transaction_id, item.content_hash)
        outcomes.append(Verdict.QUEUED if item.content_hash == expected else Verdict.CONFLICTING)
    return outcomes


async def _publish(items: Sequence[Item], publisher: EnvelopePublisher, queue: Availability) -> list[Outcome]:
    envelopes = list(encode_envelopes(items))
    outcomes = await asyncio.gather(*(_publish_one(envelope, publisher, queue) for envelope, _ in envelopes))
    return [outcome for outcome, (_, part) in zip(outcomes, envelopes, strict=True) for _ in part]


async def _publish_one(envelope: bytes, publisher: EnvelopePublisher, queue: Availability) -> Outcome:
    try:
        await publisher.publish(envelope, message_id=uuid4().hex)
    except (BrokerUnavailable, EnvelopeRefused) as error:
        queue.failed(error)
        return Verdict.UNCONFIRMED
    queue.answered()
    return Verdict.QUEUED
