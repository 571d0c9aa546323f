"""RabbitMQ's queue of dead letters: looked at for ever, and brought up to date without losing a letter."""

from collections.abc import AsyncIterator

import pytest
from aio_pika import ExchangeType, connect
from aio_pika.abc import AbstractChannel

from shared.broker.dead_queue import DeadLettersHeld, dead_arguments, holding
from shared.broker.topology import Topology, declare
from shared.dead_letters import redrive
from shared.domain.errors import BrokerUnavailable
from tests.contract.dead_letter_keepers import EVERYTHING, RabbitMQKeeper, rabbitmq_keeper


@pytest.fixture
async def keeper(services, queue_name: str) -> AsyncIterator[RabbitMQKeeper]:
    async with rabbitmq_keeper(services.rabbitmq, queue_name, "quorum") as keeper:
        yield keeper


async def as_an_earlier_version_made_it(keeper: RabbitMQKeeper) -> None:
    await keeper.channel.queue_delete(keeper.topology.dead_queue)
    exchange = await keeper.channel.declare_exchange(
        keeper.topology.dead_exchange, ExchangeType.FANOUT, durable=True
    )
    dead = await keeper.channel.declare_queue(
        keeper.topology.dead_queue, durable=True, arguments={"x-queue-type": "quorum"}
    )
    await dead.bind(exchange)


async def declared(keeper: RabbitMQKeeper) -> str:
    """The same again, as every start does; what it says."""
    return await declare(keeper.url, keeper.topology.queue, "quorum", keeper.topology.max_length)


async def expect_todays_shape(channel: AbstractChannel, topology: Topology) -> None:
    """Declaring with other arguments would close the channel."""
    await channel.declare_queue(topology.dead_queue, durable=True, arguments=dead_arguments("quorum"))


async def test_an_empty_queue_of_an_earlier_version_is_replaced(keeper: RabbitMQKeeper) -> None:
    await as_an_earlier_version_made_it(keeper)

    assert await declared(keeper) == ""

    await expect_todays_shape(keeper.channel, keeper.topology)
    await keeper.bury(b"later")
    assert [each.body for each in await keeper.letters().look(EVERYTHING, 9)] == [b"later"]


async def test_a_queue_of_an_earlier_version_that_holds_letters_is_kept_and_named(keeper: RabbitMQKeeper) -> None:
    await as_an_earlier_version_made_it(keeper)
    await keeper.bury(b"kept")
    letters = keeper.letters()

    notice = await declared(keeper)

    assert "python -m shared.broker.topology" in notice
    assert (await letters.waiting()).notice == notice
    await keeper.bury(b"later")
    assert sorted(each.body for each in await letters.look(EVERYTHING, 9)) == [b"kept", b"later"]


async def test_once_its_letters_are_gone_it_is_replaced(keeper: RabbitMQKeeper) -> None:
    await as_an_earlier_version_made_it(keeper)
    await keeper.bury(b"kept")
    async for _ in redrive(keeper.letters(), EVERYTHING, keeper.publisher):
        pass

    assert await declared(keeper) == ""

    await expect_todays_shape(keeper.channel, keeper.topology)
    assert await keeper.published() == [b"kept"]


async def test_a_letter_in_somebodys_hands_is_not_deleted_with_its_queue(keeper: RabbitMQKeeper) -> None:
    await as_an_earlier_version_made_it(keeper)
    await keeper.bury(b"in hand")
    letters = keeper.letters()
    taken = letters.take(EVERYTHING)
    assert (await anext(taken)).body == b"in hand"

    assert await declared(keeper) != ""
    with pytest.raises(BrokerUnavailable, match="Somebody else"):
        await keeper.letters().look(EVERYTHING, 1)

    await taken.aclose()
    assert [each.body for each in await letters.look(EVERYTHING, 9)] == [b"in hand"]


async def test_one_at_a_time_holds_a_queue(services, queue_name: str) -> None:
    async with await connect(services.rabbitmq) as first, await connect(services.rabbitmq) as second:
        async with holding(first, queue_name):
            with pytest.raises(DeadLettersHeld):
                async with holding(second, queue_name):
                    pytest.fail("held twice")
        async with holding(second, queue_name):
            pass


async def test_declaring_beside_letters_of_todays_shape_changes_nothing(keeper: RabbitMQKeeper) -> None:
    await keeper.bury(b"a", b"b")

    assert await declared(keeper) == ""

    assert [each.body for each in await keeper.letters().look(EVERYTHING, 9)] == [b"a", b"b"]


async def test_looking_for_dead_letters_makes_no_queue(keeper: RabbitMQKeeper) -> None:
    await keeper.channel.queue_delete(keeper.topology.dead_queue)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="does not exist"):
            await keeper.letters().look(EVERYTHING, 1)


async def test_a_letter_is_sent_again_without_the_headers_of_its_first_life(keeper: RabbitMQKeeper) -> None:
    await keeper.put(b"{}", headers={"x-ms-rabbitmq-requeuecount": 4})
    queue = await keeper.channel.get_queue(keeper.topology.queue)
    message = await queue.get(timeout=5)
    assert message
    await message.reject(requeue=False)
    letters = keeper.letters()
    while not (found := await letters.look(EVERYTHING, 1)):
        pass

    assert found[0].reason == "rejected"
    assert found[0].detail == "The function failed in 5 runs."
    assert found[0].since is not None
    async for _ in redrive(letters, EVERYTHING, keeper.publisher):
        pass

    [sent] = await keeper.messages()
    assert sent.headers == {"x-delivery-count": 0}  # the broker's own
    assert sent.delivery_mode == 2
    assert sent.message_id not in (None, message.message_id)
