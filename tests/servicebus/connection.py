"""One AMQP connection: bytes to proton's engine, the engine's events to the nodes behind the links."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from proton import Collector, Condition, Connection, Event, Link, Terminus, Transport

from tests.servicebus import administration
from tests.servicebus.frames import MessageFormats
from tests.servicebus.namespace import Namespace
from tests.servicebus.nodes import Intake, Outlet, error
from tests.servicebus.requests import Requests, Responses, manage, sign_in

MANAGEMENT = "/$management"


class AmqpConnection(asyncio.Protocol):
    """Answers one client until either side closes."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self.silent = False
        self._formats = MessageFormats()
        self._backlog = bytearray()
        self._nodes: dict[Link, Any] = {}
        self._connection, self._collector = Connection(), Collector()
        self._connection.collect(self._collector)
        self._engine = Transport(Transport.SERVER)
        sasl = self._engine.sasl()
        sasl.allowed_mechs("ANONYMOUS")
        self._engine.bind(self._connection)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket: asyncio.Transport = transport  # type: ignore[assignment]
        self._namespace.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._namespace.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET ") and not self._namespace.misbehaviour.stalled:
            self._socket.write(administration.answer(data, self._namespace.queues))
            self._socket.close()
            return
        self._backlog += data
        self.work()

    def abort(self) -> None:
        """Break it off."""
        self._socket.abort()

    def work(self) -> None:
        """Take in what came, hand out what waits, answer; nothing while stalled or silent."""
        if self.silent or self._namespace.misbehaviour.stalled:
            return
        self._take_in()
        self._engine.tick(time.monotonic())
        for link, node in list(self._nodes.items()):
            if link.is_sender:
                node.pump(link)
        self._dispatch()
        self._send()

    def _take_in(self) -> None:
        while self._backlog and (room := self._engine.capacity()) > 0:
            piece = bytes(self._backlog[:room])
            del self._backlog[:room]
            self._formats.feed(piece)
            self._engine.push(piece)
            self._dispatch()

    def _dispatch(self) -> None:
        while (event := self._collector.peek()) is not None:
            handler = _HANDLERS.get(event.type)
            if handler is not None:
                handler(self, event)
            self._collector.pop()

    def _send(self) -> None:
        while (pending := self._engine.pending()) > 0:
            self._socket.write(bytes(self._engine.peek(pending)))
            self._engine.pop(pending)
        if self._engine.closed or self._engine.pending() < 0:
            self._socket.close()

    def _open(self, event: Event) -> None:
        event.context.open()

    def _close(self, event: Event) -> None:
        self._nodes.pop(event.context, None)
        event.context.close()

    def _link_opened(self, event: Event) -> None:
        link = event.link
        address = _path(link.remote_source.address if link.is_sender else link.remote_target.address)
        node = self._refusal(address) or self._node(link, address)
        if isinstance(node, Condition):
            _refuse(link, node)
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.address = address
        node.opened(link)
        self._nodes[link] = node
        link.open()

    def _refusal(self, address: str) -> Condition | None:
        if address != "$cbs" and self._namespace.misbehaviour.refuse_links:
            return error("amqp:unauthorized-access", f"Unauthorized access to '{address}'.")
        return None

    def _node(self, link: Link, address: str) -> Any:
        if address == "$cbs":
            return Responses() if link.is_sender else Requests(sign_in(self._namespace), self._reply_link)
        queue = self._namespace.queues.find(address.removesuffix(MANAGEMENT))
        if queue is None:
            return error("amqp:not-found", f"The messaging entity '{address}' could not be found.")
        if address.endswith(MANAGEMENT):
            return Responses() if link.is_sender else Requests(manage(queue), self._reply_link)
        return Outlet(self._namespace, queue) if link.is_sender else Intake(self._namespace, queue)

    def _reply_link(self, requests: Link) -> Link | None:
        found = (
            link
            for link in self._nodes
            if link.is_sender and link.address == requests.address and link.session == requests.session
        )
        return next(found, None)

    def _delivered(self, event: Event) -> None:
        delivery, link = event.delivery, event.link
        node = self._nodes.get(link)
        if node is None:
            return
        if link.is_sender:
            if delivery.updated and not delivery.local_state:
                node.disposed(delivery)
        elif delivery.readable and not delivery.partial:
            raw = bytes(link.recv(delivery.pending))
            link.advance()
            node.received(link, delivery, raw, self._formats.next_of(link.name))
            asyncio.get_running_loop().call_soon(self._namespace.wake_receivers)


def _refuse(link: Link, condition: Condition) -> None:
    """Attach to nothing, and detach: so the SDK notices the reason before it sends."""
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.open()
    link.condition = condition
    link.close()


def _path(address: str | None) -> str:
    """`amqp://host:port/queue` and `queue` are the same."""
    return urlsplit(address).path.strip("/") if address and "://" in address else (address or "")


_HANDLERS = {
    Event.CONNECTION_REMOTE_OPEN: AmqpConnection._open,
    Event.SESSION_REMOTE_OPEN: AmqpConnection._open,
    Event.LINK_REMOTE_OPEN: AmqpConnection._link_opened,
    Event.DELIVERY: AmqpConnection._delivered,
    Event.LINK_REMOTE_CLOSE: AmqpConnection._close,
    Event.LINK_REMOTE_DETACH: AmqpConnection._close,
    Event.SESSION_REMOTE_CLOSE: AmqpConnection._close,
    Event.CONNECTION_REMOTE_CLOSE: AmqpConnection._close,
}
