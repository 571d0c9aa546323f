"""Request and response nodes: `$cbs` for tokens and `<queue>/$management` for peek, renew and schedule."""

from collections.abc import Callable, Mapping
from typing import Any

from proton import UNDESCRIBED, Array, Data, Delivery, Link, Message

from tests.servicebus.messages import incoming, milliseconds, outgoing
from tests.servicebus.namespace import Namespace
from tests.servicebus.nodes import CREDIT
from tests.servicebus.queues import LockLost, Queue

Answer = tuple[int, str, Any]
"""Status code, error condition or an empty text, body."""


class Requests:
    """The link that requests come in on; answers go out on the link from the same address in the same session."""

    def __init__(self, answer: Callable[[Message], Answer], reply_link: Callable[[Link], Link | None]) -> None:
        self._answer, self._reply_link = answer, reply_link

    def opened(self, link: Link) -> None:
        link.flow(CREDIT)

    def received(self, link: Link, delivery: Delivery, raw: bytes, _message_format: int) -> None:
        request = Message()
        request.decode(raw)
        delivery.update(Delivery.ACCEPTED)
        delivery.settle()
        link.flow(1)
        if (replies := self._reply_link(link)) is not None:
            replies.send(_response(request, *self._answer(request)))


class Responses:
    """The link that answers go out on."""

    def opened(self, link: Link) -> None:
        link.snd_settle_mode = Link.SND_SETTLED

    def pump(self, link: Link) -> None:
        """Answers are sent when there are requests."""

    def disposed(self, delivery: Delivery) -> None:
        delivery.settle()


def sign_in(namespace: Namespace) -> Callable[[Message], Answer]:
    """Answers put-token."""

    def answer(_request: Message) -> Answer:
        refused = namespace.misbehaviour.refuse_tokens
        return (401, "amqp:unauthorized-access", None) if refused else (200, "", None)

    return answer


def manage(queue: Queue) -> Callable[[Message], Answer]:
    """Answers the operations of a queue's management node."""

    def answer(request: Message) -> Answer:
        operation = str((request.properties or {}).get("operation"))
        if operation not in _OPERATIONS:
            return 501, "amqp:not-implemented", None
        try:
            return _OPERATIONS[operation](queue, request.body)
        except LockLost:
            return 410, "com.microsoft:message-lock-lost", None

    return answer


def _peek(queue: Queue, body: Mapping[str, Any]) -> Answer:
    found = list(queue.peek(int(body["from-sequence-number"]), int(body["message-count"])))
    return (200, "", {"messages": [{"message": outgoing(each)} for each in found]}) if found else (204, "", None)


def _renew(queue: Queue, body: Mapping[str, Any]) -> Answer:
    ends = [milliseconds(queue.renew(token)) for token in body["lock-tokens"]]
    return 200, "", {"expirations": Array(UNDESCRIBED, Data.TIMESTAMP, *ends)}


def _schedule(queue: Queue, body: Mapping[str, Any]) -> Answer:
    messages = [each for entry in body["messages"] for each in incoming(bytes(entry["message"]), 0)]
    return 200, "", {"sequence-numbers": Array(UNDESCRIBED, Data.LONG, *queue.put(messages))}


_OPERATIONS = {
    "com.microsoft:peek-message": _peek,
    "com.microsoft:renew-lock": _renew,
    "com.microsoft:schedule-message": _schedule,
}


def _response(request: Message, status: int, condition: str, body: Any) -> Message:
    """$cbs and $management spell the status code differently; both spellings are sent."""
    answer = Message(correlation_id=request.id, body=body)
    answer.properties = {"status-code": status, "statusCode": status, "status-description": condition or "OK"}
    if condition:
        answer.properties |= {"errorCondition": condition, "statusDescription": condition}
    return answer
