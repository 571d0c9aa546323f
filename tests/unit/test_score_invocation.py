"""What score does around a batch: pausing for poison, putting back, waiting."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from functions.score.fault import FaultSettingInvalid, InjectedFault, Step, fault
from functions.score.isolation import isolate
from functions.score.patience import LONGEST_WAIT, Patience, next_wait
from functions.score.poison import PoisonLimits
from functions.score.put_back import PutBack, keep_locked, republish_with
from shared.broker.memory import MemoryPublisher, MemoryQueue
from shared.domain.errors import BrokerUnavailable, DatabaseUnavailable, HistoryUnavailable, NewerEnvelope
from tests.scoring import Bench, an_envelope, posted_in_a_row

GARBAGE = b"garbage"
LIMITS = PoisonLimits(window=6, minimum=4, share=0.5)


def test_one_large_good_envelope_does_not_hide_that_the_other_messages_are_poison() -> None:
    bench = Bench()
    invocations = bench.invocations(limits=PoisonLimits(window=20, minimum=20, share=0.5))
    for _ in range(2):
        invocations.run([an_envelope(*posted_in_a_row(100)), *[GARBAGE] * 19])
    assert bench.slept == [30]


def test_a_single_bad_item_in_each_envelope_is_no_reason_to_pause() -> None:
    bench = Bench()
    invocations = bench.invocations(limits=LIMITS)
    for _ in range(8):
        invocations.run([an_envelope(), GARBAGE])
    assert bench.slept == []


def test_messages_go_back_to_the_queue_when_a_service_stays_away() -> None:
    bench = Bench()
    bench.history.away = True
    assert bench.invocations().run([an_envelope()]) is None
    assert bench.put_back == [([an_envelope()], "HistoryUnavailable")]


def test_an_outage_is_logged_once_however_many_invocations_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    invocations = bench.invocations()
    for away in (True, True, False, False):
        bench.history.away = away
        invocations.run([an_envelope()])
    events = [record.event for record in caplog.records if "service" in getattr(record, "event", "")]
    assert events == ["service_away", "service_back"]


def test_republishing_puts_confirmed_copies_on_the_queue() -> None:
    queue = MemoryQueue()
    republish_with(lambda: MemoryPublisher(queue))([b"one", b"two"], HistoryUnavailable())
    deliveries = [queue.receive(), queue.receive()]
    assert [each.body for each in deliveries if each] == [b"one", b"two"]


def test_an_unconfirmed_copy_is_raised_so_that_the_host_keeps_the_message() -> None:
    queue = MemoryQueue()
    queue.available = False
    bench = Bench()
    bench.history.away = True
    with pytest.raises(BrokerUnavailable):
        bench.invocations(PutBack(keep_locked, republish_with(lambda: MemoryPublisher(queue)))).run(
            [an_envelope()]
        )


def test_service_bus_keeps_the_messages_when_the_reason_is_raised() -> None:
    with pytest.raises(NewerEnvelope):
        keep_locked([b"one"], NewerEnvelope())


@pytest.mark.parametrize(
    ("failures", "left", "jitter", "wait"),
    [
        (1, 180, 0, 0.2),
        (1, 180, 1, 0.1),
        (4, 180, 0, 1.6),
        (50, 180, 0, LONGEST_WAIT.total_seconds()),
        (9, 3, 0, 3),
        (1, 0, 0, None),
        (1, -1, 0, None),
    ],
)
def test_waits_double_up_to_a_limit_and_end_with_the_budget(
    failures: int, left: float, jitter: float, wait: float | None
) -> None:
    waited = next_wait(failures, left=timedelta(seconds=left), jitter=jitter)
    assert waited == (None if wait is None else timedelta(seconds=wait))


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Raises so many times, then answers."""
    left = [error] * times

    def call() -> str:
        if left:
            raise left.pop()
        return "answer"

    return call


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_patience_waits_until_the_service_is_back() -> None:
    clock = Clock()
    patience = Patience(timedelta(seconds=180), sleep=clock.sleep, clock=clock, jitter=lambda: 0)
    assert patience.wait_for("redis", failing(3, HistoryUnavailable())) == "answer"
    assert clock.now == pytest.approx(0.2 + 0.4 + 0.8)


def test_all_waits_of_an_invocation_share_one_budget() -> None:
    clock = Clock()
    patience = Patience(timedelta(seconds=20), sleep=clock.sleep, clock=clock)
    patience.wait_for("redis", failing(5, HistoryUnavailable()))
    with pytest.raises(DatabaseUnavailable):
        patience.wait_for("postgres", failing(1000, DatabaseUnavailable()))
    assert clock.now == pytest.approx(20)


def test_other_errors_are_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(ZeroDivisionError):
        Patience(timedelta(9), sleep=clock.sleep, clock=clock).wait_for("redis", failing(1, ZeroDivisionError()))
    assert clock.now == 0


def test_isolating_keeps_the_order_and_finds_every_item_to_blame() -> None:
    def halved(numbers: Sequence[int]) -> list[float]:
        return [10 / number for number in numbers]

    parted = isolate([1, 0, 2, 5, 0, 10], halved)
    assert parted.done == [10, 5, 2, 1]
    assert [item for item, _ in parted.failed] == [0, 0]


def test_isolating_lets_a_service_that_is_away_through() -> None:
    def away(_: Sequence[int]) -> list[int]:
        raise HistoryUnavailable

    with pytest.raises(HistoryUnavailable):
        isolate([1, 2], away)


def test_a_fault_strikes_at_the_nth_pass_of_its_step_only() -> None:
    reach = fault("record:raise:2")
    reach(Step.RECORD)
    reach(Step.ANNOUNCE)
    with pytest.raises(InjectedFault):
        reach(Step.RECORD)
    reach(Step.RECORD)


@pytest.mark.parametrize(
    "setting", ["record", "record:explode", "nowhere:kill", "record:kill:0", "record:kill:2:3"]
)
def test_a_fault_that_makes_no_sense_is_refused(setting: str) -> None:
    with pytest.raises(FaultSettingInvalid, match="FRAUDSENSE_FAULT"):
        fault(setting)


def test_a_killing_fault_ends_the_process_at_once() -> None:
    program = "from functions.score.fault import Step, fault\nfault('mark:kill')(Step.MARK)\nprint('alive')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert (result.returncode, result.stdout) == (-signal.SIGKILL, b"")
