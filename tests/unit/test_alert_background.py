"""Background work of alerts: the sweeper, the feed, and that nothing ever gives up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.background import keep_going, listen, running
from functions.alerts.hub import Hub
from functions.alerts.parts import Parts
from functions.alerts.sweeper import AT_ONCE, sweep
from shared.domain.alert import Alert
from shared.domain.errors import DatabaseUnavailable, FeedUnavailable
from shared.telemetry.availability import Availability
from shared.testing.alerts import MemoryAlerts
from shared.testing.announcer import MemoryAnnouncer
from tests.alerts import an_alert, announcement


def an_old_alert(seq: int) -> Alert:
    return an_alert(seq, created_at=datetime.now(UTC) - timedelta(seconds=6))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def test_an_alert_left_over_is_announced_once() -> None:
    alerts, announcer = MemoryAlerts([an_old_alert(1)]), MemoryAnnouncer()
    assert [await sweep(alerts, announcer) for _ in range(2)] == [1, 0]
    assert [alert.seq for alert in announcer.announced] == [1]


async def test_a_fresh_alert_is_left_to_the_scorer() -> None:
    alerts, announcer = MemoryAlerts([an_alert(1)]), MemoryAnnouncer()
    assert await sweep(alerts, announcer) == 0
    assert announcer.announced == []


async def test_an_alert_that_could_not_be_announced_comes_again() -> None:
    alerts, announcer = MemoryAlerts([an_old_alert(1)]), MemoryAnnouncer()
    announcer.available = False
    with pytest.raises(FeedUnavailable):
        await sweep(alerts, announcer)
    announcer.available = True
    assert await sweep(alerts, announcer) == 1


async def test_two_sweepers_take_different_alerts() -> None:
    alerts = MemoryAlerts([an_old_alert(seq) for seq in range(1, AT_ONCE + 11)])
    announcers = [MemoryAnnouncer(), MemoryAnnouncer()]
    assert await asyncio.gather(*[sweep(alerts, each) for each in announcers]) == [AT_ONCE, 10]


async def test_work_that_fails_is_tried_again() -> None:
    outcomes = [DatabaseUnavailable(), ValueError("unforeseen"), None]
    done = asyncio.Event()

    async def work() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        done.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(keep_going("work", work, Availability("work")))
    await until(done.is_set)
    task.cancel()
    assert outcomes == []


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.event for record in caplog.records if hasattr(record, "event")]


async def test_a_service_is_told_once_to_be_away_and_once_to_be_back(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = [DatabaseUnavailable(), DatabaseUnavailable(), None, None]
    caplog.set_level("INFO")

    async def work() -> None:
        outcome = outcomes.pop(0) if outcomes else await asyncio.Event().wait()
        if isinstance(outcome, Exception):
            raise outcome

    task = asyncio.create_task(keep_going("work", work, Availability("work")))
    await until(lambda: not outcomes)
    task.cancel()
    assert events(caplog) == ["service_away", "service_back"]


async def test_a_feed_that_is_heard_again_is_told_to_be_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    availability = Availability("feed")
    availability.failed(FeedUnavailable())

    async def feed() -> AsyncIterator[bytes | None]:
        yield None

    await listen(Hub(MemoryAlerts()), feed, availability)
    assert events(caplog) == ["service_away", "service_back"]


async def test_a_new_subscription_makes_the_hub_read_what_it_may_have_missed() -> None:
    hub = Hub(MemoryAlerts())
    await hub.catch_up()
    requested = []

    async def feed() -> AsyncIterator[bytes | None]:
        yield announcement(an_alert(1))
        requested.append(hub.wants_reading)
        yield None
        requested.append(hub.wants_reading)

    await listen(hub, feed, Availability("feed"))
    assert requested == [False, True]


async def test_everything_starts_without_services_and_comes_up_with_them() -> None:
    alerts, announcer = MemoryAlerts([an_old_alert(1)]), MemoryAnnouncer()
    alerts.away, announcer.available = True, False

    async def no_feed() -> AsyncIterator[bytes | None]:
        raise FeedUnavailable
        yield

    hub = Hub(alerts)
    async with running(Parts(alerts, hub, no_feed, announcer, alerts.labels)):
        await asyncio.sleep(0.05)
        assert not hub.is_started
        alerts.away, announcer.available = False, True
        await until(lambda: hub.is_started and announcer.announced)
        alerts.add(an_alert(2))
        await until(lambda: hub.register()[1] == 2)
