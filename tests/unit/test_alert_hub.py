"""The hub: every client gets every alert once and in order, whatever the live feed does."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.alerts.hub import Hub, Mailbox
from shared.domain.errors import DatabaseUnavailable
from shared.testing.alerts import MemoryAlerts
from tests.alerts import an_alert, announcement


async def a_hub(recorded: int, **options: int) -> tuple[Hub, MemoryAlerts]:
    """A started hub over so many recorded alerts."""
    alerts = MemoryAlerts([an_alert(seq) for seq in range(1, recorded + 1)])
    hub = Hub(alerts, **options)
    await hub.catch_up()
    return hub, alerts


async def received(mailbox: Mailbox) -> list[int]:
    """The sequence numbers that wait in a mailbox."""
    return [frame.seq for frame in await mailbox.take(0)]


async def test_a_hub_starts_at_the_highest_recorded_alert() -> None:
    hub, _ = await a_hub(recorded=7)
    assert hub.register()[1] == 7


async def test_an_announced_alert_that_comes_next_is_handed_on_at_once() -> None:
    hub, _ = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    hub.receive(announcement(an_alert(2, account_id="acct-9")))
    [frame] = await mailbox.take(0)
    sent = json.loads(frame.text)
    assert (sent["type"], sent["seq"], sent["alert"]["account_id"]) == ("alert", 2, "acct-9")


async def test_an_alert_announced_twice_is_handed_on_once() -> None:
    hub, _ = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    for seq in (2, 2, 1):
        hub.receive(announcement(an_alert(seq)))
    assert await received(mailbox) == [2]


async def test_a_gap_is_filled_from_the_recorded_alerts_in_order() -> None:
    hub, alerts = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    alerts.add(an_alert(2), an_alert(3), an_alert(4))
    hub.receive(announcement(an_alert(4)))
    assert await received(mailbox) == []
    await hub.reading_requested(0)
    await hub.catch_up()
    assert await received(mailbox) == [2, 3, 4]


async def test_announcements_out_of_order_are_handed_on_in_order() -> None:
    hub, alerts = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    alerts.add(an_alert(2), an_alert(3))
    hub.receive(announcement(an_alert(3)))
    hub.receive(announcement(an_alert(2)))
    await hub.catch_up()
    assert await received(mailbox) == [2, 3]


async def test_numbers_that_no_alert_has_are_skipped() -> None:
    hub, alerts = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    alerts.add(an_alert(40))
    hub.receive(announcement(an_alert(40)))
    await hub.catch_up()
    assert await received(mailbox) == [40]


async def test_alerts_missed_while_the_feed_was_away_come_with_the_next_reading() -> None:
    hub, alerts = await a_hub(recorded=0)
    mailbox, _ = hub.register()
    alerts.add(*[an_alert(seq) for seq in range(1, 1001)])
    await hub.catch_up()
    assert await received(mailbox) == [*range(1, 1001)]


async def test_a_reading_that_fails_loses_nothing() -> None:
    hub, alerts = await a_hub(recorded=1)
    mailbox, _ = hub.register()
    alerts.add(an_alert(2))
    alerts.away = True
    with pytest.raises(DatabaseUnavailable):
        await hub.catch_up()
    alerts.away = False
    await hub.catch_up()
    assert await received(mailbox) == [2]


async def test_a_message_that_is_no_alert_changes_nothing() -> None:
    hub, _ = await a_hub(recorded=1)
    mailbox, high = hub.register()
    hub.receive(b"\xff not json")
    hub.receive(b'{"seq": 2}')
    assert (await received(mailbox), hub.register()[1]) == ([], high)


async def test_an_announcement_before_the_hub_knows_where_alerts_stand_is_not_lost() -> None:
    alerts = MemoryAlerts([an_alert(1)])
    hub = Hub(alerts)
    hub.receive(announcement(an_alert(1)))
    assert not hub.is_started
    await hub.catch_up()
    assert hub.register()[1] == 1


async def test_an_alert_is_encoded_once_for_all_clients() -> None:
    hub, _ = await a_hub(recorded=0)
    first, second = hub.register()[0], hub.register()[0]
    hub.receive(announcement(an_alert(1)))
    assert (await first.take(0))[0] is (await second.take(0))[0]


async def test_a_full_mailbox_marks_its_client_as_too_slow_and_spares_the_others() -> None:
    hub, _ = await a_hub(recorded=0, client_queue=2)
    slow, _ = hub.register()
    quick, _ = hub.register()
    quick_received = []
    for seq in (1, 2, 3):
        hub.receive(announcement(an_alert(seq)))
        quick_received += await received(quick)
    assert slow.overflowed.is_set()
    assert (quick.overflowed.is_set(), quick_received) == (False, [1, 2, 3])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
async def test_whatever_the_feed_loses_doubles_or_reorders_clients_get_each_alert_once_in_order(
    seed: int, alerts_to_come: int
) -> None:
    chance = random.Random(seed)
    hub, alerts = await a_hub(recorded=chance.randint(0, 5))
    highest = await alerts.highest_seq()
    clients = [(*hub.register(), [])]
    on_their_way = []
    for _ in range(alerts_to_come):
        highest += chance.choice([1, 1, 1, 3])
        alerts.add(an_alert(highest))
        on_their_way += [an_alert(highest)] * chance.choice([0, 1, 1, 2])
        while on_their_way and chance.random() < 0.6:
            hub.receive(announcement(on_their_way.pop(chance.randrange(len(on_their_way)))))
        if chance.random() < 0.2:
            await hub.catch_up()
        if chance.random() < 0.2:
            clients.append((*hub.register(), []))
    await hub.catch_up()
    everything = [alert.seq for alert in await alerts.newer_than(0, 1000)]
    for mailbox, high, _ in clients:
        assert await received(mailbox) == [seq for seq in everything if seq > high]
