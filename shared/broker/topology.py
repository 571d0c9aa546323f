"""Declares the queue of envelopes and its dead letters in RabbitMQ: `python -m shared.broker.topology`."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aio_pika import ExchangeType, connect
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity, ChannelPreconditionFailed
from pamqp.common import FieldValue

from shared.broker.dead_queue import declare_dead_queue
from shared.command_line import UserError
from shared.domain.errors import BrokerUnavailable
from shared.settings import Settings, load_settings

DELIVERY_LIMIT = 100
CONNECT_TIMEOUT_SECONDS = 5

QueueType = Literal["quorum", "classic"]


@dataclass(frozen=True, slots=True)
class Topology:
    """The names and properties of one queue and its dead letters."""

    queue: str
    queue_type: QueueType
    max_length: int

    @property
    def dead_exchange(self) -> str:
        """The exchange that rejected messages go to."""
        return f"{self.queue}.dlx"

    @property
    def dead_queue(self) -> str:
        """The queue that keeps rejected messages."""
        return f"{self.queue}.dead"

    @property
    def arguments(self) -> dict[str, FieldValue]:
        """The queue's arguments: full means refused, and rejected means dead-lettered."""
        arguments: dict[str, FieldValue] = {
            "x-queue-type": self.queue_type,
            "x-max-length": self.max_length,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": self.dead_exchange,
        }
        if self.queue_type == "quorum":
            # RabbitMQ 4 counts to 20 unless told otherwise; redelivery after a lost consumer is no sign of poison.
            arguments |= {"x-delivery-limit": DELIVERY_LIMIT, "x-dead-letter-strategy": "at-least-once"}
        return arguments


async def declare(url: str, queue_name: str, queue_type: QueueType, max_length: int) -> str:
    """Declare queue, dead-letter exchange and dead-letter queue; declaring the same again changes nothing.

    Returns what the operator must know, mostly nothing. Raises UserError, with the way out, where one exists with
    other properties, and BrokerUnavailable.
    """
    topology = Topology(queue_name, queue_type, max_length)
    async with await connected(url) as connection:
        try:
            return await _declare(connection, topology)
        except ChannelPreconditionFailed as error:
            raise UserError(_way_out(topology, str(error))) from error


async def recreate(url: str, queue_name: str, queue_type: QueueType, max_length: int) -> str:
    """Delete the queue and its dead-letter queue where both are empty, and declare them anew; raises UserError."""
    topology = Topology(queue_name, queue_type, max_length)
    async with await connected(url) as connection:
        for name in (topology.queue, topology.dead_queue):
            await _refuse_unless_idle(connection, name)
        async with connection.channel() as channel:
            for name in (topology.queue, topology.dead_queue):
                await channel.queue_delete(name)
            await channel.exchange_delete(topology.dead_exchange)
        return await _declare(connection, topology)


async def connected(url: str) -> AbstractConnection:
    """A connection of the caller's own. Raises BrokerUnavailable."""
    try:
        return await asyncio.wait_for(connect(url), CONNECT_TIMEOUT_SECONDS)
    except (TimeoutError, *CONNECTION_EXCEPTIONS) as error:
        raise BrokerUnavailable(
            f"RabbitMQ cannot be reached ({error or 'it does not answer'}); is FRAUDSENSE_RABBITMQ_URL right?"
        ) from error


async def _declare(connection: AbstractConnection, topology: Topology) -> str:
    async with connection.channel() as channel:
        await channel.declare_exchange(topology.dead_exchange, ExchangeType.FANOUT, durable=True)
    notice = await declare_dead_queue(connection, topology.dead_queue, topology.dead_exchange, topology.queue_type)
    async with connection.channel() as channel:
        await channel.declare_queue(topology.queue, durable=True, arguments=topology.arguments)
    return notice


async def _refuse_unless_idle(connection: AbstractConnection, name: str) -> None:
    try:
        async with connection.channel() as channel:
            found = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return
    if found.message_count or found.consumer_count:
        raise UserError(
            f"Queue '{name}' still has {found.message_count} messages and {found.consumer_count} consumers. "
            "Stop ingest, let score empty it, stop score, and try again."
        )


def _way_out(topology: Topology, detail: str) -> str:
    return (
        f"'{topology.queue}' or its dead letters exist with other properties than "
        f"{topology.queue_type}, at most {topology.max_length} messages ({detail}).\n"
        "A queue's properties cannot be changed. To drain and recreate it:\n"
        "  1. stop ingest and every other producer;\n"
        f"  2. let score empty '{topology.queue}', then send again or discard what is in\n"
        f"     '{topology.dead_queue}': python -m local dead-letters --help\n"
        "  3. stop score;\n"
        "  4. python -m shared.broker.topology --recreate\n"
        "  5. start score and ingest again."
    )


def main(argv: Sequence[str]) -> int:
    """Declare from the settings; exit code 2 with a sentence where that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m shared.broker.topology", description=__doc__)
    parser.add_argument("--recreate", action="store_true", help="delete the queues first, if they are empty")
    args = parser.parse_args(argv)
    try:
        notice = asyncio.run(_work(load_settings(), recreate if args.recreate else declare))
    except (UserError, BrokerUnavailable) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if notice:
        sys.stderr.write(f"{parser.prog}: {notice}\n")
    return 0


async def _work(
    settings: Settings, declare_or_recreate: Callable[[str, str, QueueType, int], Awaitable[str]]
) -> str:
    if settings.broker != "rabbitmq":
        raise UserError(f"there is nothing to declare here for FRAUDSENSE_BROKER={settings.broker}.")
    return await declare_or_recreate(
        settings.rabbitmq_url, settings.queue_name, settings.queue_type, settings.queue_max_length
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
