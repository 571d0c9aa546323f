"""Score as numbered processes of the local build, in place of a Deployment's pods."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import httpx

from local import processes
from local.data_folder import DataFolder
from local.parts import function_group
from local.ports import kept_port
from local.supervisor import Supervisor

ANSWER_SECONDS = 0.5


@dataclass(slots=True)
class Scorers:
    """As many scorers as are wanted; the latest go first, and end with the envelope in hand done."""

    folder: DataFolder
    supervisor: Supervisor
    environment: Mapping[str, str]
    client: httpx.AsyncClient
    _ports: list[int] = field(default_factory=list)
    _running: int = 0

    def want(self, number: int) -> None:
        """Start or stop some, without waiting for it."""
        for index in range(self._running, number):
            self._start(index)
        for index in range(number, self._running):
            self.supervisor.hold(_name(index))
        self._running = number

    async def ready(self) -> int:
        """How many answer that they can work."""
        return sum(await asyncio.gather(*(self._is_ready(port) for port in self._ports[: self._running])))

    def cpu_seconds(self) -> float:
        """Processor time that the running scorers took so far."""
        pids = self.supervisor.pids()
        return sum(processes.cpu_seconds(pids[_name(index)]) for index in range(self._running))

    async def are_gone(self) -> bool:
        """Whether no scorer's process is left."""
        return all(self.supervisor.is_down(_name(index)) for index in range(len(self._ports)))

    def _start(self, index: int) -> None:
        if index < len(self._ports):
            self.supervisor.release(_name(index))
            return
        self._ports.append(kept_port(self.folder, _name(index)))
        part = function_group("score", self._ports[index], self.environment)
        self.supervisor.start(replace(part, name=_name(index)))

    async def _is_ready(self, port: int) -> bool:
        try:
            answer = await self.client.get(f"http://127.0.0.1:{port}/health/ready", timeout=ANSWER_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.is_success


def _name(index: int) -> str:
    return f"score-{index + 1}"
