"""Score's own small HTTP server: health and metrics, on a port of its own."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import BoundedSemaphore, Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from functions.score.health import Health
from shared.domain.errors import FraudSenseError
from shared.problems import MEDIA_TYPE, Problem, not_found, unavailable
from shared.telemetry.metrics import render

MOST_AT_ONCE = 16
SLOWEST_SECONDS = 5

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


class StatusPortTaken(FraudSenseError):
    """The port for score's health and metrics is taken."""


def serve_status(health: Health, host: str, port: int) -> "StatusServer":
    """Answer /health, /health/live, /health/ready and /metrics in background threads until `shutdown()`.

    Port 0 takes a free one (`server_port`). Raises StatusPortTaken.
    """
    try:
        server = StatusServer(host, port, routes(health))
    except OSError as error:
        raise StatusPortTaken(
            f"Score cannot listen on {host}:{port} ({error.strerror}): "
            "set FRAUDSENSE_SCORE_PORT to a free port, or FRAUDSENSE_SCORE_HOST to an address of this machine."
        ) from error
    Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server


def routes(health: Health) -> Mapping[str, Callable[[], Answer]]:
    """What each path answers."""

    def ready() -> Answer:
        problem = health.problem()
        if problem is None:
            return _status("ready")
        return _problem(unavailable(problem))

    return {
        "/health": ready,
        "/health/ready": ready,
        "/health/live": lambda: _status("live"),
        "/metrics": lambda: (HTTPStatus.OK, {"Content-Type": CONTENT_TYPE_LATEST}, render()),
    }


class StatusServer(ThreadingHTTPServer):
    """Answers at most MOST_AT_ONCE requests at a time; further ones are closed unanswered."""

    daemon_threads = True

    def __init__(self, host: str, port: int, answers: Mapping[str, Callable[[], Answer]]) -> None:
        self.answers = answers
        self._places = BoundedSemaphore(MOST_AT_ONCE)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """As the base class, where there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: StatusServer
    timeout = SLOWEST_SECONDS
    server_version = "fraudsense"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path.partition("?")[0], _nothing)
        status, headers, body = answer()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the base class's name for it

    def log_message(self, format: str, *args: object) -> None:
        """Probes are not worth a line."""


def _status(status: str) -> Answer:
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps({"status": status}).encode()


def _problem(problem: Problem) -> Answer:
    headers = {"Content-Type": MEDIA_TYPE, **problem.all_headers()}
    return problem.kind.status, headers, json.dumps(problem.document()).encode()


def _nothing() -> Answer:
    return _problem(not_found("There are only /health, /health/live, /health/ready and /metrics here."))
