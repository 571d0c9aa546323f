"""One contract for every keeper of dead letters: looking changes nothing, sending again loses nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from shared.broker.rabbitmq_dead_letters import RabbitMQDeadLetters
from shared.dead_letters import DeadLetter, DeadLetters, Selection, Settled, purge, redrive
from shared.domain.errors import BrokerUnavailable
from shared.messages.envelope import MAX_ENVELOPE_BYTES
from tests.contract.brokers import proxied
from tests.contract.dead_letter_keepers import (
    EVERYTHING,
    Keeper,
    MemoryKeeper,
    quarantine_keeper,
    rabbitmq_keeper,
    service_bus_keeper,
)
from tests.servicebus import NEEDS_PROTON

BODIES = [b'{"v":1,"items":[]}', b"\xff\x00 rubbish", b"", b"last"]


@pytest.fixture(params=["memory", "rabbitmq-quorum", "rabbitmq-classic", "servicebus", "quarantine"])
async def keeper(request: pytest.FixtureRequest, queue_name: str) -> AsyncIterator[Keeper]:
    kind, _, queue_type = request.param.partition("-")
    if kind == "memory":
        yield MemoryKeeper()
    elif kind == "servicebus":
        with service_bus_double() as double:
            async with service_bus_keeper(double.connection_string, queue_name) as service_bus:
                yield service_bus
    elif kind == "quarantine":
        async with quarantine_keeper(request.getfixturevalue("database_url")) as quarantine:
            yield quarantine
    else:
        url = request.getfixturevalue("services").rabbitmq
        async with rabbitmq_keeper(url, queue_name, queue_type) as rabbitmq:
            yield rabbitmq


def service_bus_double(**rules: int):
    """The double of Service Bus; skips where it cannot run."""
    pytest.importorskip("proton", reason=NEEDS_PROTON)
    from tests.servicebus.double import running_double  # noqa: PLC0415 - needs proton
    from tests.servicebus.queues import Rules  # noqa: PLC0415

    return running_double(Rules(**rules))


class Unconfirming:
    """A publisher whose broker is away."""

    async def publish(self, _envelope: bytes, **_: str) -> None:
        raise BrokerUnavailable


class Burying:
    """Everything published is a dead letter again at once."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper

    async def publish(self, envelope: bytes, **_: str) -> None:
        await self.keeper.bury(envelope)


class DyingBeforeRemoval:
    """Dead letters whose reader dies between publishing and removing."""

    def __init__(self, letters: DeadLetters) -> None:
        self.letters = letters

    def take(self, selection: Selection):
        return self.letters.take(selection)

    async def remove(self, _: DeadLetter) -> None:
        raise BrokerUnavailable


async def settled(work) -> list[Settled]:
    async with aclosing(work) as steps:
        return [step async for step in steps]


async def bodies_in(letters: DeadLetters) -> list[bytes]:
    return [letter.body for letter in await letters.look(EVERYTHING, 1000)]


async def test_a_letter_is_shown_whole_and_the_oldest_first(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)

    found = await keeper.letters().look(EVERYTHING, 10)

    assert [letter.body for letter in found] == BODIES
    assert len({letter.letter_id for letter in found}) == len(BODIES)
    assert all(letter.reason in ("rejected", "unreadable") for letter in found)
    assert (await keeper.letters().waiting()).letters == len(BODIES)


async def test_looking_changes_neither_content_nor_order(keeper: Keeper) -> None:
    await keeper.bury(*(str(number).encode() for number in range(40)))
    letters, chance = keeper.letters(), random.Random(3)
    before = await letters.look(EVERYTHING, 50)

    for _ in range(25):
        limit, reason = chance.randrange(1, 50), chance.choice([None, "unheard of"])
        await letters.look(Selection(reason=reason), limit)

    after = await letters.look(EVERYTHING, 50)
    assert [(each.letter_id, each.body) for each in after] == [(each.letter_id, each.body) for each in before]
    assert [each.body for each in after] == [str(number).encode() for number in range(40)]


async def test_a_look_takes_no_more_than_asked_for(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()
    second = (await letters.look(EVERYTHING, 2))[1]

    assert [each.body for each in await letters.look(EVERYTHING, 3)] == BODIES[:3]
    assert await letters.look(Selection(frozenset({second.letter_id})), 10) == [second]
    assert await letters.look(Selection(frozenset({"none-such"})), 10) == []


async def test_letters_are_sent_again_as_they_were(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()

    steps = await settled(redrive(letters, EVERYTHING, keeper.publisher))

    assert [step.left for step in steps] == [""] * len(BODIES)
    assert await keeper.published() == BODIES
    assert await bodies_in(letters) == []


async def test_only_the_letters_that_are_meant_are_sent_again(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()
    chosen = (await letters.look(EVERYTHING, 10))[1]

    await settled(redrive(letters, Selection(reason="unheard of"), keeper.publisher))
    await settled(redrive(letters, Selection(frozenset({chosen.letter_id})), keeper.publisher))

    assert await keeper.published() == [BODIES[1]]
    assert await bodies_in(letters) == [BODIES[0], *BODIES[2:]]


async def test_what_the_broker_does_not_confirm_stays_a_dead_letter(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()

    with pytest.raises(BrokerUnavailable):
        await settled(redrive(letters, EVERYTHING, Unconfirming()))  # type: ignore[arg-type]

    assert await bodies_in(letters) == BODIES


async def test_death_between_publishing_and_removing_doubles_a_letter_and_loses_none(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()

    with pytest.raises(BrokerUnavailable):
        await settled(redrive(DyingBeforeRemoval(letters), EVERYTHING, keeper.publisher))  # type: ignore[arg-type]
    await settled(redrive(letters, EVERYTHING, keeper.publisher))

    assert sorted(await keeper.published()) == sorted([BODIES[0], *BODIES])
    assert await bodies_in(letters) == []


async def test_what_is_too_large_for_the_queue_is_left_and_the_rest_goes_on(keeper: Keeper) -> None:
    large = b"x" * (MAX_ENVELOPE_BYTES + 1)
    await keeper.bury(large, b"small")
    letters = keeper.letters()

    steps = await settled(redrive(letters, EVERYTHING, keeper.publisher))

    assert ["at most" in step.left for step in steps] == [True, False]
    assert await keeper.published() == [b"small"]
    assert await bodies_in(letters) == [large]


async def test_letters_that_come_back_at_once_are_not_sent_round_in_circles(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()

    steps = await settled(redrive(letters, EVERYTHING, Burying(keeper)))  # type: ignore[arg-type]

    assert len(steps) == len(BODIES)
    assert sorted(await bodies_in(letters)) == sorted(BODIES)


async def test_a_look_beside_a_running_redrive_loses_and_doubles_nothing(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    sending, looking = keeper.letters(), keeper.letters()

    async for _ in redrive(sending, EVERYTHING, keeper.publisher):
        await looking.look(EVERYTHING, 10)

    assert await keeper.published() == BODIES
    assert await bodies_in(looking) == []


async def test_letters_that_are_discarded_are_gone_and_not_sent(keeper: Keeper) -> None:
    await keeper.bury(*BODIES)
    letters = keeper.letters()
    first = (await letters.look(EVERYTHING, 1))[0]

    await settled(purge(letters, Selection(frozenset({first.letter_id}))))
    assert await bodies_in(letters) == BODIES[1:]
    await settled(purge(letters, EVERYTHING))

    assert await bodies_in(letters) == []
    assert await keeper.published() == []


async def test_on_service_bus_duplicate_detection_does_not_discard_what_is_sent_again(queue_name: str) -> None:
    with service_bus_double(duplicate_seconds=600) as double:
        async with service_bus_keeper(double.connection_string, queue_name) as keeper:
            await keeper.bury(b"{}")
            letters = keeper.letters()
            [letter] = await letters.look(EVERYTHING, 2)

            await settled(redrive(letters, EVERYTHING, keeper.publisher))

            [message] = await keeper.messages()
            assert (letter.reason, letter.detail) == ("rejected", "as a test wants")
            assert message.message_id != letter.letter_id


async def test_a_rabbitmq_that_falls_silent_holds_nobody_up(services, queue_name: str) -> None:
    async with (
        rabbitmq_keeper(services.rabbitmq, queue_name, "quorum") as keeper,
        proxied(services.rabbitmq) as (proxy, url),
    ):
        await keeper.bury(b"1", b"2")
        letters = RabbitMQDeadLetters(url, keeper.topology)
        async with asyncio.timeout(25):
            await letters.look(EVERYTHING, 1)
            proxy.stall()
            with pytest.raises(BrokerUnavailable, match="does not answer"):
                await letters.look(EVERYTHING, 1)
            await letters.close()
        proxy.flow()

        await eventually_bodies(keeper.letters(), [b"1", b"2"])


async def eventually_bodies(letters: DeadLetters, bodies: list[bytes]) -> None:
    async with asyncio.timeout(10):
        while sorted(await bodies_in(letters)) != bodies:
            await asyncio.sleep(0.05)
