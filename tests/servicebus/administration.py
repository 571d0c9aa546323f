"""The administration answer that a depth is read from: a queue's description, as Atom over HTTP."""

from tests.servicebus.queues import Queues

_ENTRY = (
    '<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">{name}</title><content type="application/xml">'
    '<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">'
    "<MessageCount>{count}</MessageCount>"
    '<CountDetails xmlns:d="http://schemas.microsoft.com/netservices/2011/06/servicebus">'
    "<d:ActiveMessageCount>{count}</d:ActiveMessageCount></CountDetails>"
    "</QueueDescription></content></entry>"
)


def answer(request: bytes, queues: Queues) -> bytes:
    """The HTTP response to `GET /<queue>?...`."""
    name = request.split(b" ", 2)[1].split(b"?")[0].strip(b"/").decode()
    queue = queues.find(name)
    if queue is None:
        return _response("404 Not Found", "<feed xmlns='http://www.w3.org/2005/Atom'/>")
    return _response("200 OK", _ENTRY.format(name=name, count=len(queue)))


def _response(status: str, body: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/atom+xml\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()
