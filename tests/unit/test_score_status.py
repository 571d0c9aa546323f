"""Score's health and metrics over HTTP."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Literal

import azure.functions as func
import pytest

from functions.score.blueprint import blueprint
from functions.score.health import Health
from functions.score.status import MOST_AT_ONCE, StatusPortTaken, StatusServer, serve_status
from shared.domain.errors import HistoryUnavailable
from shared.settings import Settings
from tests.ports import free_port


class Service:
    """A service that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    def check(self) -> None:
        """As the ports do."""
        self.asked += 1
        if self.away:
            raise HistoryUnavailable


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def health(service: Service) -> Health:
    return Health({"redis": service.check})


@pytest.fixture
def server(health: Health) -> Iterator[StatusServer]:
    with serve_status(health, "127.0.0.1", 0) as server:
        yield server
        server.shutdown()


def get(server: StatusServer, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_ready_says_which_service_is_away(server: StatusServer, service: Service, path: str) -> None:
    service.away = True
    status, body = get(server, path)
    problem = json.loads(body)
    assert (status, problem["status"], problem["type"]) == (503, 503, "urn:fraudsense:problem:unavailable")
    assert problem["detail"].startswith("redis: Redis did not answer")


def test_ready_while_all_services_answer(server: StatusServer) -> None:
    assert get(server, "/health/ready") == (200, '{"status": "ready"}')


def test_live_whatever_the_services_do(server: StatusServer, service: Service) -> None:
    service.away = True
    assert get(server, "/health/live")[0] == 200


def test_not_ready_during_a_pause(server: StatusServer, health: Health) -> None:
    health.pause("Paused: 90% of the last messages were rejected.")
    assert get(server, "/health/ready")[0] == 503
    health.pause("")
    assert get(server, "/health/ready")[0] == 200


def test_metrics_in_prometheus_format(server: StatusServer) -> None:
    status, body = get(server, "/metrics?x=1")
    assert status == 200
    assert "# TYPE" in body


def test_other_paths_are_not_found(server: StatusServer) -> None:
    status, body = get(server, "/etc/passwd")
    assert (status, json.loads(body)["status"]) == (404, 404)


def test_services_are_asked_once_a_second_whoever_asks(service: Service) -> None:
    now = [0.0]
    health = Health({"redis": service.check}, clock=lambda: now[0])
    for _ in range(9):
        health.problem()
    now[0] = 1.0
    health.problem()
    assert service.asked == 2


def test_silent_clients_take_no_more_than_their_places(server: StatusServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(ConnectionError):
        get(server, "/health/live")
    for each in silent:
        each.sendall(b"nonsense\r\n\r\n")
        assert each.recv(1)
        each.close()


def test_a_taken_port_is_said_with_what_to_do(server: StatusServer, health: Health) -> None:
    with pytest.raises(StatusPortTaken, match="FRAUDSENSE_SCORE_PORT"):
        serve_status(health, "127.0.0.1", server.server_port)


@pytest.mark.parametrize(("setting", "listens"), [("at_start", True), ("first_message", False)])
def test_probes_are_answered_before_the_first_message_where_the_deployment_says_so(
    setting: Literal["at_start", "first_message"], listens: bool
) -> None:
    app, port = func.FunctionApp(), free_port()
    app.register_functions(blueprint(Settings(score_status=setting, score_port=port)))
    with socket.socket() as client:
        assert (client.connect_ex(("127.0.0.1", port)) == 0) is listens

    [function] = app.get_functions()
    with function.get_user_function().start_status() as server:
        assert get(server, "/health/live")[0] == 200
        server.shutdown()
