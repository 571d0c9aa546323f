"""Containers of the image, guarded as a cluster would: another user, read-only root, no capabilities."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.image.podman import Podman

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).with_name("probe.py").read_text()
WWWROOT = "/home/site/wwwroot"
VOLUMES = ("/tmp", "/home/LogFiles", "/home/data", "/azure-functions-host/Secrets")  # noqa: S108 - in the container
GUARDED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    *(f"--mount=type=tmpfs,destination={path},U=true" for path in VOLUMES),
)
STAND_IN_FOR_THE_HOST = (f"--volume={ROOT / 'local'}:{WWWROOT}/local:ro",)


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    exit_code: int
    seconds: float
    logs: str


@dataclass(frozen=True)
class Image:
    """The built image."""

    podman: Podman
    name: str

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A guarded container's whole life."""
        return self.run_with(GUARDED, *command, environment=environment)

    def run_with(
        self, options: tuple[str, ...], *command: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same with other guards than the usual ones."""
        line = self.podman.command("run", "--rm", "--pull=never", *options, *_variables(environment), self.name)
        return subprocess.run(
            [*line, *command],
            check=False,
            capture_output=True,
            text=True,
            env=self.podman.environment(),
            timeout=100,
        )

    def probe(self, *options: str) -> dict[str, Any]:
        """What the probe finds in a container with these options."""
        done = self.run_with(options, "python", "-c", PROBE)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    @contextmanager
    def running(
        self, *command: str, environment: Mapping[str, str], options: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """The id of a guarded container that runs meanwhile."""
        detached = ("run", "--detach", "--pull=never", *GUARDED, *options, *_variables(environment))
        container = self.podman(*detached, self.name, *command)
        try:
            yield container
        finally:
            self.podman("rm", "--force", "--time=0", container)

    def stop(self, container: str, grace_seconds: int = 30) -> Ended:
        """SIGTERM, and SIGKILL to what goes on all the same."""
        began = time.monotonic()
        self.podman("stop", f"--time={grace_seconds}", container)
        seconds = time.monotonic() - began
        code = int(self.podman("inspect", "--format={{.State.ExitCode}}", container))
        return Ended(code, seconds, self.logs(container))

    def logs(self, container: str) -> str:
        """What it wrote to both outputs."""
        line = self.podman.command("logs", container)
        return subprocess.run(
            line,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.podman.environment(),
        ).stdout

    def inspect(self) -> dict[str, Any]:
        """Its configuration."""
        return dict(json.loads(self.podman("inspect", self.name))[0]["Config"])


def _variables(environment: Mapping[str, str] | None) -> list[str]:
    return [f"--env={name}={value}" for name, value in (environment or {}).items()]
