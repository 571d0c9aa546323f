"""Ports of the local build."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.data_folder import DataFolder
from local.ports import is_free, kept_port, require_free
from shared.command_line import UserError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody else's server on a loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_with_a_listener_is_not_free(listener: socket.socket) -> None:
    assert not is_free(listener.getsockname()[1])


def test_a_service_keeps_its_port(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert kept_port(folder, "redis") == kept_port(folder, "redis")


def test_services_get_different_ports(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    ports = {kept_port(folder, name) for name in ("redis", "postgres", "rabbitmq", "epmd")}
    assert len(ports) == 4


def test_a_kept_port_that_is_taken_is_exchanged_for_good(tmp_path: Path, listener: socket.socket) -> None:
    folder, taken = DataFolder(tmp_path), listener.getsockname()[1]
    folder.write_json("ports.json", {"redis": taken})
    fresh = kept_port(folder, "redis")
    assert fresh != taken
    assert folder.read_json("ports.json") == {"redis": fresh}


def test_a_chosen_port_that_is_taken_is_named_with_its_setting(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(UserError, match=f"{port} is taken.*FRAUDSENSE_ALERTS_PORT"):
        require_free(port, "FRAUDSENSE_ALERTS_PORT")
