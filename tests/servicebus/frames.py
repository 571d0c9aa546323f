"""Message formats read from the incoming frames: proton hands messages out without theirs."""

from collections import defaultdict, deque

from proton import Data

BATCH_FORMAT = 0x80013700
_ATTACH, _TRANSFER = 0x12, 0x14
_NAME, _HANDLE = 0, 1
_FORMAT, _MORE = 3, 5


class MessageFormats:
    """Fed with everything that one connection receives; hands out the format of each message, link by link."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._links: dict[tuple[int, int], str] = {}
        self._formats: dict[str, deque[int]] = defaultdict(deque)
        self._continued: set[str] = set()

    def feed(self, received: bytes) -> None:
        """Take what came next."""
        self._bytes += received
        while len(self._bytes) >= 8:
            protocol_header = self._bytes.startswith(b"AMQP")
            size = 8 if protocol_header else int.from_bytes(self._bytes[:4], "big")
            if len(self._bytes) < size:
                return
            frame = bytes(self._bytes[:size])
            del self._bytes[:size]
            if not protocol_header and frame[5] == 0:
                self._read(int.from_bytes(frame[6:8], "big"), frame[frame[4] * 4 :])

    def next_of(self, link: str) -> int:
        """The format of the message that this link completes next."""
        return self._formats[link].popleft()

    def _read(self, channel: int, body: bytes) -> None:
        if body[:2] != b"\x00\x53" or body[2] not in (_ATTACH, _TRANSFER):
            return
        data = Data()
        data.decode(body)
        data.rewind()
        data.next()
        fields = data.get_object().value
        if body[2] == _ATTACH:
            self._links[channel, int(fields[_HANDLE])] = fields[_NAME]
        else:
            self._transfer(self._links[channel, int(fields[0])], fields)

    def _transfer(self, link: str, fields: list[object]) -> None:
        padded = [*fields, *[None] * 6]
        if link not in self._continued:
            self._formats[link].append(int(padded[_FORMAT] or 0))  # type: ignore[call-overload]
        (self._continued.add if padded[_MORE] else self._continued.discard)(link)
