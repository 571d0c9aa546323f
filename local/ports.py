"""Ports on this machine: private services keep theirs, the doors' are the user's choice."""

import random
import socket

from local.data_folder import DataFolder
from shared.command_line import UserError

_KEPT = "ports.json"
_RANGE = range(15_000, 32_000)  # below the kernel's range for outgoing connections, which would take them


def is_free(port: int) -> bool:
    """Whether this machine's loopback address has nobody listening on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def kept_port(folder: DataFolder, name: str) -> int:
    """The port that the folder keeps for this name; another one is drawn and kept where it is taken."""
    ports = folder.read_json(_KEPT)
    if name not in ports or not is_free(ports[name]):
        ports[name] = _draw(set(ports.values()))
        folder.write_json(_KEPT, ports)
    return int(ports[name])


def require_free(port: int, setting: str) -> None:
    """Raises UserError where the port that the user chose is taken."""
    if not is_free(port):
        raise UserError(f"Port {port} is taken by another program: stop it, or set {setting} to a free port.")


def _draw(taken: set[int]) -> int:
    while True:
        port = random.choice(_RANGE)
        if port not in taken and is_free(port):
            return port
