"""A batcher without a timer: the first job is worked on at once, those that come meanwhile go together next."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.domain.errors import FraudSenseError

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


class QueueFull(FraudSenseError):
    """Too many jobs wait already. Try again in a moment."""


class Batcher(Generic[Job, Outcome]):
    """Hands the waiting jobs of all callers to `work`, one batch after the other, in one task of the loop.

    `work` answers one outcome per job, in order; what it raises, every caller of that batch gets. At most
    `capacity` jobs of `room` bytes together wait; a batch holds up to `batch_size` jobs and never parts what was
    submitted together.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Awaitable[Sequence[Outcome]]],
        *,
        capacity: int,
        room: int,
        size_of: Callable[[Job], int],
        batch_size: int = 1_000,
    ) -> None:
        self._work = work
        self._capacity = capacity
        self._room = room
        self._size_of = size_of
        self._batch_size = batch_size
        self._waiting: deque[tuple[Sequence[Job], asyncio.Future[Sequence[Outcome]]]] = deque()
        self._jobs_waiting = self._bytes_waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def submit(self, jobs: Sequence[Job]) -> Sequence[Outcome]:
        """The outcomes of these jobs, in order; raises QueueFull at once. A caller who leaves cancels nothing."""
        size = self._bytes_of(jobs)
        if self._jobs_waiting + len(jobs) > self._capacity or self._bytes_waiting + size > self._room:
            raise QueueFull
        answer: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((jobs, answer))
        self._jobs_waiting += len(jobs)
        self._bytes_waiting += size
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._work_on(self._next_batch())
        finally:
            self._task = None

    def _next_batch(self) -> list[tuple[Sequence[Job], asyncio.Future[Sequence[Outcome]]]]:
        batch = [self._waiting.popleft()]
        size = len(batch[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= self._batch_size:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        self._jobs_waiting -= size
        self._bytes_waiting -= sum(self._bytes_of(jobs) for jobs, _ in batch)
        return batch

    def _bytes_of(self, jobs: Sequence[Job]) -> int:
        return sum(map(self._size_of, jobs))

    async def _work_on(self, batch: Sequence[tuple[Sequence[Job], asyncio.Future[Sequence[Outcome]]]]) -> None:
        jobs = [job for group, _ in batch for job in group]
        try:
            outcomes = await self._work(jobs)
        except Exception as error:  # noqa: BLE001 - handed to the callers, who must not wait for ever
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        start = 0
        for group, answer in batch:
            if not answer.done():
                answer.set_result(outcomes[start : start + len(group)])
            start += len(group)
