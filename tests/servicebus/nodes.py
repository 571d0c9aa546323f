"""What stands behind the links: queues to send to and to receive from. Errors carry Service Bus' conditions."""

from typing import Any
from uuid import UUID

from proton import Condition, Delivery, Link, symbol

from tests.servicebus.messages import incoming, outgoing
from tests.servicebus.namespace import MAX_MESSAGE_BYTES, Namespace
from tests.servicebus.queues import LockLost, Queue, QueueFull

DEAD_LETTER = "com.microsoft:dead-letter"
CREDIT = 500


def error(condition: str, description: str) -> Condition:
    """An AMQP error with all three fields, as Service Bus sends it: the SDK cannot read a shorter one."""
    return Condition(condition, description, {symbol("tracking-id"): "double"})


def refuse(delivery: Delivery, condition: str, description: str) -> None:
    """Settle as rejected."""
    delivery.local.condition = error(condition, description)
    delivery.update(Delivery.REJECTED)
    delivery.settle()


class Intake:
    """A sender's link to a queue."""

    def __init__(self, namespace: Namespace, queue: Queue) -> None:
        self._namespace, self._queue = namespace, queue

    def opened(self, link: Link) -> None:
        link.max_message_size = MAX_MESSAGE_BYTES
        link.flow(CREDIT)
        self._namespace.counted["senders"] += 1

    def received(self, link: Link, delivery: Delivery, raw: bytes, message_format: int) -> None:
        link.flow(1)
        if len(raw) > MAX_MESSAGE_BYTES:
            refuse(delivery, "amqp:link:message-size-exceeded", f"{len(raw)} bytes exceed {MAX_MESSAGE_BYTES}.")
        elif self._namespace.misbehaviour.busy:
            refuse(delivery, "com.microsoft:server-busy", "The namespace is throttled; wait 10 s and try again.")
        elif self._store(delivery, raw, message_format) and not self._namespace.misbehaviour.drop_acknowledgements:
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()

    def _store(self, delivery: Delivery, raw: bytes, message_format: int) -> bool:
        messages = incoming(raw, message_format)
        try:
            self._queue.put(messages)
        except QueueFull:
            refuse(delivery, "amqp:resource-limit-exceeded", "The maximum entity size has been reached.")
            return False
        self._namespace.counted["transfers"] += 1
        self._namespace.counted["messages"] += len(messages)
        return True


class Outlet:
    """A receiver's link from a queue: peek-lock, or deleted as it is handed out."""

    def __init__(self, namespace: Namespace, queue: Queue) -> None:
        self._namespace, self._queue = namespace, queue

    def opened(self, link: Link) -> None:
        link.snd_settle_mode = link.remote_snd_settle_mode
        self._namespace.counted["receivers"] += 1

    def pump(self, link: Link) -> None:
        """Hand out as much as there is credit for."""
        while link.credit > 0 and (stored := self._queue.take()) is not None:
            assert stored.token is not None
            delivery = link.delivery(stored.token.bytes_le)
            delivery.token = stored.token
            link.stream(outgoing(stored))
            link.advance()
            if link.snd_settle_mode == Link.SND_SETTLED:
                self._queue.complete(stored.token)
                delivery.settle()
        if link.drain_mode:
            link.drained()

    def disposed(self, delivery: Delivery) -> None:
        """What the receiver decided; answered with the outcome."""
        try:
            self._settle(delivery.token, delivery)
        except LockLost:
            refuse(delivery, "com.microsoft:message-lock-lost", "The lock supplied is invalid.")
            return
        delivery.update(delivery.remote_state or Delivery.RELEASED)
        delivery.settle()

    def _settle(self, token: UUID, delivery: Delivery) -> None:
        state = delivery.remote_state
        if state == Delivery.ACCEPTED:
            self._queue.complete(token)
        elif state == Delivery.REJECTED:
            self._queue.reject(token, *_reason(delivery.remote.condition))
        else:
            self._queue.abandon(token, counted=state == Delivery.MODIFIED)


def _reason(condition: Any) -> tuple[str, str]:
    """The dead-letter reason and description that came with a rejection."""
    info = {str(key): value for key, value in ((condition and condition.info) or {}).items()}
    return info.get("DeadLetterReason") or "", info.get("DeadLetterErrorDescription") or ""
