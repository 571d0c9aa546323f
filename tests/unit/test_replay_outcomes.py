"""Waiting for outcomes: in order, until nothing moves."""

from collections.abc import Sequence

from local.replay_outcomes import await_outcomes
from shared.database.outcomes import Outcome
from tests.waiting import FakeTime

SCORED = Outcome("scored", "LOW")


class Scorer:
    """Knows `speed` more ids, in order, at each question; never those in `lost`."""

    window = 3

    def __init__(self, ids: Sequence[str], speed: int, lost: Sequence[str] = ()) -> None:
        self.ids, self.speed, self.lost = list(ids), speed, set(lost)
        self.known = 0
        self.asked = 0

    async def of(self, transaction_ids: Sequence[str]) -> dict[str, Outcome]:
        self.asked += len(transaction_ids)
        self.known += self.speed
        known = set(self.ids[: self.known]) - self.lost
        return {id_: SCORED for id_ in transaction_ids if id_ in known}


IDS = [f"t-{n}" for n in range(10)]


async def wait_for(scorer: Scorer, wait: float = 5) -> tuple[dict[str, Outcome], list[int], float]:
    time, progress = FakeTime(0.0), list[int]()
    outcomes = await await_outcomes(IDS, scorer, progress.append, wait=wait, clock=time.clock, sleep=time.sleep)
    return outcomes, progress, time.now


async def test_all_outcomes_are_awaited() -> None:
    outcomes, progress, _ = await wait_for(Scorer(IDS, speed=1))

    assert list(outcomes) == IDS
    assert sum(progress) == 10


async def test_each_id_is_asked_for_once_where_all_were_scored_before() -> None:
    scorer = Scorer(IDS, speed=10)

    await wait_for(scorer)

    assert scorer.asked == len(IDS)


async def test_it_gives_up_once_nothing_moves_and_counts_what_lies_behind() -> None:
    outcomes, _, waited = await wait_for(Scorer(IDS, speed=10, lost=["t-0", "t-1", "t-2"]))

    assert set(outcomes) == set(IDS[3:])
    assert 5 < waited < 6


async def test_without_patience_one_look_is_taken_at_every_id() -> None:
    outcomes, _, waited = await wait_for(Scorer(IDS, speed=10, lost=["t-4"]), wait=0)

    assert len(outcomes) == 9
    assert waited < 1


async def test_an_id_given_twice_is_asked_for_once() -> None:
    scorer = Scorer(["a"], speed=1)

    assert await await_outcomes(["a", "a"], scorer, lambda _: None, wait=1) == {"a": SCORED}
    assert scorer.asked == 1
