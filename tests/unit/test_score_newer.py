"""Envelopes for a newer reader: they go back at once, alone, and do not circle at full speed."""

from collections import deque

import pytest

from functions.score.circling import Circling
from functions.score.put_back import PutBack, keep_locked, republish_with
from functions.score.wiring import scorer_for, wire
from shared.broker.memory import MemoryPublisher, MemoryQueue
from shared.domain.errors import BrokerUnavailable
from shared.settings import Settings
from tests.scoring import Bench, an_envelope, posted_in_a_row

NEWER = an_envelope(v=2)


def test_a_newer_envelope_goes_back_without_a_wait_and_the_others_are_scored() -> None:
    bench = Bench()
    bench.invocations().run([NEWER, an_envelope()])
    assert bench.put_back == [([NEWER], "NewerEnvelope")]
    assert bench.slept == []
    assert len(bench.recorder.recorded) == 1


def test_one_that_comes_round_waits_out_the_rest_of_its_round() -> None:
    bench = Bench()
    invocations = bench.invocations()
    invocations.run([NEWER])
    bench.slept.append(2)
    invocations.run([NEWER])
    invocations.run([NEWER])
    assert bench.slept == [2, 3, 5]


def test_a_hundred_newer_envelopes_hold_up_good_ones_for_a_round_at_most() -> None:
    bench = Bench()
    queue = deque(an_envelope(v=2, n=n) for n in range(100))
    invocations, taken, delays = bench.invocations(), 0, []
    for good in posted_in_a_row(10):
        queue.append(an_envelope(good))
        came = sum(bench.slept)
        while good["transaction_id"] not in bench.recorder.recorded:
            invocations.run([queue.popleft()])
            taken += 1
            queue += [body for bodies, _ in bench.put_back for body in bodies]
            bench.put_back.clear()
        delays.append(sum(bench.slept) - came)
    assert max(delays) <= 5
    assert len(queue) == 100
    assert taken <= 10 * 101
    assert sum(bench.slept) == 45


def test_on_service_bus_too_only_the_newer_one_goes_back() -> None:
    queue, bench = MemoryQueue(), Bench()
    service_bus = PutBack(newer=republish_with(lambda: MemoryPublisher(queue)), outage=keep_locked)
    bench.invocations(service_bus).run([an_envelope(), NEWER])
    deliveries = [queue.receive(), queue.receive()]
    assert [each and each.body for each in deliveries] == [NEWER, None]
    assert len(bench.recorder.recorded) == 1


@pytest.mark.parametrize(("broker", "raises"), [("rabbitmq", False), ("servicebus", True)])
def test_only_an_outage_on_service_bus_is_raised_everything_else_is_republished(broker: str, raises: bool) -> None:
    connection = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
    settings = Settings(broker=broker, servicebus_connection=connection)
    put_back = wire(settings, scorer_for(settings)).put_back
    assert (put_back.outage is keep_locked) is raises
    assert put_back.newer is not keep_locked


def test_each_time_it_goes_back_under_a_new_message_id() -> None:
    queue = MemoryQueue()
    give_back = republish_with(lambda: MemoryPublisher(queue))
    for _ in range(2):
        Bench().invocations(PutBack(give_back, keep_locked)).run([NEWER])
    ids = {delivery.message_id for delivery in iter(queue.receive, None)}
    assert len(ids) == 2


def test_without_a_broker_to_put_it_back_to_it_stays_with_the_host() -> None:
    queue, bench = MemoryQueue(), Bench()
    queue.available = False
    with pytest.raises(BrokerUnavailable):
        bench.invocations(PutBack(republish_with(lambda: MemoryPublisher(queue)), keep_locked)).run([NEWER])
    queue.available = True
    assert queue.receive() is None


def test_what_is_remembered_of_circling_envelopes_is_bounded_by_waiting_for_a_place() -> None:
    now = [0.0]
    circling = Circling(most=3, clock=lambda: now[0])
    for n in range(3):
        circling.put_back([b"%d" % n])
        now[0] += 1
    assert circling.too_early([b"new"]) == 2
    now[0] += 2
    assert circling.too_early([b"new"]) == 0
    assert circling.too_early([b"2", b"new"]) == 2
