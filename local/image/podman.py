"""podman with a storage of its own, so that nothing of the machine's images and containers is touched."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.services.programs import Program

_PLACES = ("/usr/bin", "/usr/sbin")
PROGRAMS = (Program("podman", "podman", _PLACES), Program("runc", "runc", _PLACES))

# For sandboxes: podman would raise the limits of the process, and make a bridge for each network.
_CONFIGURATION = """\
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class PodmanFailed(Exception):
    """podman refused; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Podman:
    """Runs podman on the storage in `folder`."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        """What it prints on standard output, without the last line's end. Raises PodmanFailed."""
        done = subprocess.run(
            self.command(*arguments), check=False, capture_output=True, text=True, env=self.environment()
        )
        if done.returncode:
            raise PodmanFailed(f"podman {arguments[0]} failed ({done.returncode}): {done.stderr.strip()}")
        return done.stdout.strip()

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The whole command line; podman refuses a long path for its runtime's folder."""
        digest = hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
        return ("podman", "--root", str(self.folder / "storage"), "--runroot", f"/run/image-{digest}", *arguments)

    def environment(self) -> Mapping[str, str]:
        """Ours, with the configuration that suits a sandbox; it is written where it is missing."""
        configuration = self.folder / "containers.conf"
        if not configuration.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            configuration.write_text(_CONFIGURATION)
        return os.environ | {"CONTAINERS_CONF": str(configuration)}
