"""The double as a server: in a thread of its own, to be stopped, started and made to misbehave by a test."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from tests.servicebus.connection import AmqpConnection
from tests.servicebus.namespace import Namespace, new_namespace
from tests.servicebus.queues import Rules

TICK_SECONDS = 0.1
T = TypeVar("T")


class Server:
    """Listens on 127.0.0.1; belongs to one event loop."""

    def __init__(self, namespace: Namespace, port: int = 0) -> None:
        self.namespace, self.port = namespace, port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: AmqpConnection(self.namespace), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Break off every connection and listen no more; the messages stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.namespace.connections):
            connection.abort()

    async def keep_time(self) -> None:
        """Locks expire and scheduled messages become due while this runs."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.namespace.wake_receivers()


def connection_string(port: int) -> str:
    """What the SDK connects with; the key is never looked at."""
    return (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=Local;SharedAccessKey=bG9jYWw=;"
        "UseDevelopmentEmulator=true;"
    )


class ServiceBusDouble:
    """A server in a thread of its own. Every method can be called from any thread."""

    def __init__(self, rules: Rules | None = None, *, create_on_demand: bool = True, port: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._server = Server(new_namespace(rules or Rules(), create_on_demand=create_on_demand), port)
        self._thread = threading.Thread(target=self._run, name="service-bus-double", daemon=True)
        self._thread.start()
        self.start()

    @property
    def connection_string(self) -> str:
        """For the SDK."""
        return connection_string(self._server.port)

    @property
    def port(self) -> int:
        """The port of 127.0.0.1."""
        return self._server.port

    @property
    def counted(self) -> dict[str, int]:
        """What happened so far: `transfers`, `messages`, `senders`, `receivers`."""
        return dict(self._server.namespace.counted)

    def start(self) -> None:
        """Listen again on the same port."""
        self._await(self._server.start())

    def stop(self) -> None:
        """Be away; the messages stay."""
        self._await(self._server.stop())

    def declare(self, name: str, rules: Rules | None = None) -> None:
        """Make a queue."""
        self._call(lambda: self._server.namespace.queues.declare(name, rules))

    def create_on_demand(self, allowed: bool) -> None:
        """Whether a queue that is asked for is made."""
        self._call(lambda: setattr(self._server.namespace.queues, "create_on_demand", allowed))

    def active(self, name: str) -> int:
        """Messages waiting or locked in a queue or dead-letter queue."""
        return self._call(lambda: len(self._server.namespace.queues.find(name) or ()))

    def misbehave(self, **switches: bool) -> None:
        """Set switches of Misbehaviour."""

        def switch() -> None:
            for name, value in switches.items():
                setattr(self._server.namespace.misbehaviour, name, value)
            self._server.namespace.wake_receivers()

        self._call(switch)

    def silence_connections(self) -> None:
        """Never answer again on the connections there are, as if their other end had vanished."""

        def silence() -> None:
            for connection in self._server.namespace.connections:
                connection.silent = True

        self._call(silence)

    def close(self) -> None:
        """End; the messages are gone."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        time_keeper = self._loop.create_task(self._server.keep_time())
        self._loop.run_forever()
        time_keeper.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(time_keeper)
        self._loop.close()

    def _call(self, work: Callable[[], T]) -> T:
        async def call() -> T:
            return work()

        return self._await(call())

    def _await(self, work: "asyncio._CoroutineLike[T]") -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@contextmanager
def running_double(
    rules: Rules | None = None, *, create_on_demand: bool = True, port: int = 0
) -> Iterator[ServiceBusDouble]:
    """A double that ends with the block."""
    double = ServiceBusDouble(rules, create_on_demand=create_on_demand, port=port)
    try:
        yield double
    finally:
        double.close()
