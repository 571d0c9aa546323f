"""What every private service has in common."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from local.supervisor import Part

_FOREIGN = ("PG", "RABBITMQ_", "ERL_", "REDIS")


@dataclass(frozen=True, slots=True)
class Service:
    """A private instance, ready to be started: where it will answer, and its processes."""

    url: str
    parts: tuple[Part, ...]


def clean_environment(**own: str) -> Mapping[str, str]:
    """Our environment without what would steer a service's program, and with what this one is told."""
    foreign = {name for name in os.environ if name.startswith(_FOREIGN) or name == "NOTIFY_SOCKET"}
    return {name: value for name, value in os.environ.items() if name not in foreign} | own


def answers(port: int, question: bytes, answer: bytes) -> bool:
    """Whether the port answers the question with bytes that begin or contain `answer`; within a second."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(question)
        return answer in connection.recv(512)
    return False
