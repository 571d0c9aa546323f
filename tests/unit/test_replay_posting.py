"""How the poster treats what ingest answers, against a door made of a function and a clock made of a number."""

import json
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest

from local.replay_posting import Posted, Poster
from local.replay_schedule import DueBatch
from shared.transactions_csv import Row
from tests.waiting import FakeTime

Door = Callable[[list[dict[str, str]]], httpx.Response]


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.rows = 0
        self.held: list[tuple[int, int]] = []
        self.outages: list[str] = []

    def all_answered(self) -> None: ...

    def settled(self, rows: int) -> None:
        self.rows += rows

    def held_back(self, accounts: int, rows: int) -> None:
        self.held.append((accounts, rows))

    def unavailable(self, detail: str) -> None:
        self.outages.append(detail)


def rows(count: int, account: str = "acct-1") -> tuple[Row, ...]:
    return tuple(Row({"transaction_id": f"{account}-{n}", "account_id": account}, None) for n in range(count))


def queued(index: int) -> dict[str, object]:
    return {"index": index, "status": "queued"}


def refused(index: int, status: int, **members: object) -> dict[str, object]:
    return {"index": index, "problem": {"status": status, "detail": f"Says {status}.", **members}}


def results(*each: dict[str, object]) -> httpx.Response:
    return httpx.Response(200, json={"results": list(each)})


def unavailable(retry_after: str = "1") -> httpx.Response:
    document = {"status": 503, "detail": "The queue is away."}
    return httpx.Response(503, json=document, headers={"retry-after": retry_after})


async def post(
    door: Door, *batches: DueBatch, wait: float = 60, time: FakeTime | None = None, heard: Heard | None = None
) -> Posted:
    def handle(request: httpx.Request) -> httpx.Response:
        return door(json.loads(request.content)["transactions"])

    time = time or FakeTime()
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://ingest") as client:
        poster = Poster(client, heard or Heard(), wait=wait, clock=time.clock, sleep=time.sleep)
        return await poster.post(batches)


async def test_accepted_rows_are_kept_with_their_labels() -> None:
    batch = DueBatch(0, (Row({"transaction_id": "t", "account_id": "a"}, True),))

    posted = await post(lambda _: results(queued(0)), batch)

    assert [(row.transaction_id, row.is_fraud) for row in posted.accepted] == [("t", True)]
    assert posted.refused.total() == 0


async def test_a_batch_is_not_sent_before_it_is_due() -> None:
    time = FakeTime()
    sent_at = []

    def door(_: object) -> httpx.Response:
        sent_at.append(time.now)
        return results(queued(0))

    await post(door, DueBatch(0, rows(1)), DueBatch(30, rows(1)), time=time)

    assert sent_at == [1000.0, 1030.0]


async def test_only_refused_rows_are_sent_again_and_not_before_retry_after() -> None:
    time = FakeTime()
    seen: list[tuple[float, list[str]]] = []

    def door(posted: list[dict[str, str]]) -> httpx.Response:
        seen.append((time.now, [row["transaction_id"] for row in posted]))
        return results(queued(0), refused(1, 429, retry_after=17)) if len(posted) == 2 else results(queued(0))

    heard = Heard()
    posted = await post(door, DueBatch(0, rows(2)), time=time, heard=heard)

    assert seen == [(1000.0, ["acct-1-0", "acct-1-1"]), (1017.0, ["acct-1-1"])]
    assert len(posted.accepted) == 2
    assert heard.held == [(1, 1)]
    assert heard.rows == 2


async def test_an_account_over_a_sliding_minute_gets_through_whole() -> None:
    time = FakeTime()
    taken: list[float] = []

    def door(posted: list[dict[str, str]]) -> httpx.Response:
        answers = []
        for index in range(len(posted)):
            inside = [at for at in taken if at > time.now - 60]
            if len(inside) < 60:
                taken.append(time.now)
                answers.append(queued(index))
            else:
                answers.append(refused(index, 429, retry_after=int(inside[0] + 60 - time.now) + 1))
        return results(*answers)

    posted = await post(door, DueBatch(0, rows(100)), DueBatch(5, rows(100)), time=time)

    assert len(posted.accepted) == 200


async def test_rows_are_given_up_once_their_account_waited_too_long() -> None:
    time = FakeTime()

    posted = await post(lambda _: results(refused(0, 429, retry_after=20)), DueBatch(0, rows(1)), time=time)

    assert posted.refused == {429: 1}
    assert posted.sentences == {429: "Says 429."}
    assert time.now == 1060.0


async def test_without_patience_a_429_is_final_at_once() -> None:
    time = FakeTime()

    posted = await post(
        lambda _: results(refused(0, 429, retry_after=20)), DueBatch(0, rows(1)), wait=0, time=time
    )

    assert (posted.refused, time.now) == ({429: 1}, 1000.0)


async def test_an_unavailable_ingest_is_asked_again_with_growing_pauses() -> None:
    time = FakeTime()
    sent_at: list[float] = []

    def door(_: object) -> httpx.Response:
        sent_at.append(time.now)
        return unavailable("0") if len(sent_at) < 5 else results(queued(0))

    heard = Heard()
    posted = await post(door, DueBatch(0, rows(1)), time=time, heard=heard)

    pauses = [round(later - earlier, 3) for earlier, later in pairwise(sent_at)]
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert len(posted.accepted) == 1
    assert heard.outages == ["The queue is away."] * 4


async def test_a_longer_retry_after_wins_over_the_backoff() -> None:
    time = FakeTime()
    answers = [unavailable("7"), results(queued(0))]

    await post(lambda _: answers.pop(0), DueBatch(0, rows(1)), time=time)

    assert time.now == 1007.0


async def test_an_outage_longer_than_the_wait_refuses_what_is_left() -> None:
    posted = await post(lambda _: unavailable("30"), DueBatch(0, rows(3)), wait=60)

    assert posted.refused == {503: 3}


async def test_a_late_outage_gets_the_full_wait() -> None:
    time = FakeTime()
    answers = [results(queued(0)), unavailable("30"), results(queued(0))]

    posted = await post(
        lambda _: answers.pop(0), DueBatch(0, rows(1)), DueBatch(3600, rows(1)), wait=40, time=time
    )

    assert len(posted.accepted) == 2


async def test_a_lost_connection_counts_as_unknown_and_is_sent_again() -> None:
    answers: list[httpx.Response | httpx.TransportError] = [httpx.ReadError("lost"), results(queued(0))]

    def door(_: object) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    posted = await post(door, DueBatch(0, rows(1)))

    assert len(posted.accepted) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_what_may_have_been_queued_is_sent_again(status: int) -> None:
    answers = [httpx.Response(status, text="<html>"), results(queued(0))]

    posted = await post(lambda _: answers.pop(0), DueBatch(0, rows(1)))

    assert len(posted.accepted) == 1


async def test_other_refusals_are_final() -> None:
    posted = await post(lambda _: results(refused(0, 422), refused(1, 409), queued(2)), DueBatch(0, rows(3)))

    assert posted.refused == {422: 1, 409: 1}
    assert len(posted.accepted) == 1


async def test_a_refused_batch_refuses_each_of_its_rows() -> None:
    posted = await post(lambda _: httpx.Response(404, text="Not here"), DueBatch(0, rows(2)))

    assert posted.refused == {404: 2}


async def test_a_row_left_out_of_the_answer_is_sent_again() -> None:
    answers = [results(queued(1)), results(queued(0))]

    posted = await post(lambda _: answers.pop(0), DueBatch(0, rows(2)))

    assert sorted(row.transaction_id for row in posted.accepted) == ["acct-1-0", "acct-1-1"]
