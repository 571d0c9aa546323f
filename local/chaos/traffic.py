"""The load: parcels through every door, each answer booked; some of what is unknown is sent again, some never."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count, islice
from random import Random
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx

from local.chaos.ledger import Ledger, Told
from local.chaos.payments import Door, Parcel, Twist, alarms
from local.replay_answers import Answer, read_answers
from local.sample_story import Due
from shared.domain.errors import BrokerUnavailable
from shared.messages.envelope import ENVELOPE_VERSION
from shared.ports import EnvelopePublisher

CONNECTIONS = 128
REQUEST_SECONDS = 10.0
MOST_UNDER_WAY = 3_000
"""Parcels sent and not settled; further ones are left out, which keeps memory bounded."""
REPEATED_SHARE = 0.7
"""Of the parcels with an unknown answer; the others are never sent again."""
PAUSES = (0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0)
SURELY_SECONDS = 240.0
"""Longer than any outage and the start of a broker after it."""
SECOND_TIME_SECONDS = 5.0
NO_ANSWER = Answer(503, "No answer.")

Posted = dict[str, Any]


class Traffic:
    """Sends parcels when they are due. Every wait in it ends."""

    def __init__(self, client: httpx.AsyncClient, publisher: EnvelopePublisher, ledger: Ledger, seed: int) -> None:
        self._client, self._publisher, self._ledger = client, publisher, ledger
        self._chance, self._seed = Random(f"{seed}:traffic"), seed
        self._numbers = count()
        self._under_way = 0
        self._alarms = alarms(seed, 1.0, "batch-alarm")
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._doors: dict[Door, Callable[[Sequence[Posted]], Awaitable[list[Answer]]]] = {
            Door.SINGLE: self._post_one,
            Door.BATCH: self._post_batch,
            Door.QUEUE: self._publish,
        }

    async def send(self, parcels: Iterable[Parcel], seconds: float) -> None:
        """Send what is due within so many seconds; returns once each parcel is settled or given up."""
        start = monotonic()
        async with asyncio.TaskGroup() as deliveries:
            for parcel in parcels:
                if parcel.due >= seconds:
                    return
                await asyncio.sleep(max(0.0, start + parcel.due - monotonic()))
                self._ledger.offered += len(parcel.payments)
                if self._under_way < MOST_UNDER_WAY:
                    deliveries.create_task(self._deliver(parcel))
                else:
                    self._ledger.left_out += len(parcel.payments)

    def alarming(self, number: int) -> list[Posted]:
        """New payments that are HIGH on their own, for the caller to send."""
        return [self._posted(payment) for payment in islice(self._alarms, number)]

    async def settle(self, door: Door, payments: Sequence[Posted], *, repeat: bool = True) -> None:
        """Send until each answer is known, or the pauses are used up; once where `repeat` is false."""
        for pause in (*(PAUSES if repeat else ()), None):
            async with self._slots:
                answers = await self._answers(door, payments)
            payments = self._note(payments, answers)
            if not payments or pause is None:
                return
            await asyncio.sleep(max(pause, *(answer.retry_after for answer in answers)))

    async def publish_surely(self, body: bytes) -> bool:
        """Put these bytes into the queue; whether that was confirmed. They may be there more than once."""
        deadline = monotonic() + SURELY_SECONDS
        while monotonic() < deadline:
            try:
                await self._publisher.publish(body, message_id=uuid4().hex)
            except BrokerUnavailable:
                await asyncio.sleep(PAUSES[0])
            else:
                return True
        return False

    async def _deliver(self, parcel: Parcel) -> None:
        self._under_way += 1
        try:
            payments = [self._posted(payment) for payment in parcel.payments]
            if parcel.twist is Twist.INVALID:
                payments[0]["currency"] = "XXX"
            await self.settle(parcel.door, payments, repeat=self._chance.random() < REPEATED_SHARE)
            await self._send_again(parcel, payments)
        finally:
            self._under_way -= 1

    async def _send_again(self, parcel: Parcel, payments: Sequence[Posted]) -> None:
        if parcel.twist in (Twist.TWICE, Twist.OTHER_CONTENT):
            await asyncio.sleep(self._chance.uniform(0, SECOND_TIME_SECONDS))
        if parcel.twist is Twist.TWICE:
            await self.settle(parcel.door, payments, repeat=False)
        if parcel.twist is Twist.OTHER_CONTENT:
            self._ledger.conflicting.add(payments[0]["transaction_id"])
            await self.settle(Door.SINGLE, [payments[0] | {"channel": "other"}], repeat=False)

    def _posted(self, payment: Due) -> Posted:
        return payment.posted(f"chaos-{next(self._numbers)}", datetime.now(UTC))

    def _note(self, payments: Sequence[Posted], answers: Sequence[Answer]) -> list[Posted]:
        """Book the answers; the payments whose fate is unknown."""
        unknown = []
        for payment, answer in zip(payments, answers, strict=True):
            self._ledger.note([payment["transaction_id"]], _told(answer))
            if answer.unknown:
                unknown.append(payment)
        return unknown

    async def _answers(self, door: Door, payments: Sequence[Posted]) -> list[Answer]:
        try:
            return await self._doors[door](payments)
        except (httpx.TransportError, BrokerUnavailable):
            return [NO_ANSWER] * len(payments)

    async def _post_one(self, payments: Sequence[Posted]) -> list[Answer]:
        response = await self._client.post("/transactions", json=payments[0])
        if response.status_code == 202:
            return [Answer(202)]
        return read_answers(response, 1)

    async def _post_batch(self, payments: Sequence[Posted]) -> list[Answer]:
        response = await self._client.post("/transactions/batch", json={"transactions": payments})
        return read_answers(response, len(payments))

    async def _publish(self, payments: Sequence[Posted]) -> list[Answer]:
        await self._publisher.publish(envelope(payments), message_id=uuid4().hex)
        return [Answer(202)] * len(payments)


def envelope(payments: Sequence[Posted], version: int = ENVELOPE_VERSION, **extra: str) -> bytes:
    """An envelope as another producer would publish it."""
    return json.dumps({"v": version, "items": [{"transaction": each} for each in payments]} | extra).encode()


def _told(answer: Answer) -> Told:
    if answer.accepted:
        return Told.ACCEPTED
    return Told.UNKNOWN if answer.unknown else Told.REFUSED
