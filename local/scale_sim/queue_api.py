"""The queue's length as KEDA's rabbitmq scaler reads it with `protocol: http`: from RabbitMQ's management API."""

from dataclasses import dataclass
from urllib.parse import quote

import httpx

from shared.domain.errors import FraudSenseError


class QueueUnknown(FraudSenseError):
    """RabbitMQ's management API does not tell the queue's length."""


@dataclass(frozen=True, slots=True)
class QueueApi:
    """One queue of the default virtual host; `url` is the API's, with user and password."""

    client: httpx.AsyncClient
    url: str
    queue: str

    async def length(self) -> int:
        """Messages waiting and in hand, some seconds old at worst, 0 where none were counted yet.

        Raises QueueUnknown.
        """
        try:
            answer = await self.client.get(f"{self.url}/queues/%2F/{quote(self.queue, safe='')}")
            return int(answer.raise_for_status().json().get("messages", 0))
        except (httpx.HTTPError, ValueError) as error:
            raise QueueUnknown(f"RabbitMQ's management API does not tell the queue's length: {error}") from error
