"""The house rules of the workflows: pinned actions, least permissions, bounded time, no stored secrets."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
USES = re.compile(r"uses: +(.+)")
WRITES = {"id-token"}  # for signing in to Azure; everything else is read


def problems(source: str) -> list[str]:
    """What the rules object to in one workflow, one sentence each."""
    workflow = yaml.safe_load(source)
    found = [f"{used} is not pinned to a commit and its version" for used in _unpinned(source)]
    if "secrets." in source:
        found.append("it uses a stored secret")
    if "permissions" not in workflow:
        found.append("it does not say its permissions")
    if "workflow_call" not in workflow[True] and "concurrency" not in workflow:  # YAML reads the key `on` as true
        found.append("it does not say what may run at the same time")
    return found + [f"{name}: {said}" for name, job in workflow["jobs"].items() for said in _of_job(job, workflow)]


def _unpinned(source: str) -> Iterator[str]:
    for used in USES.findall(source):
        if not used.startswith("./") and not PINNED.fullmatch(used):
            yield used


def _of_job(job: Mapping[str, Any], workflow: Mapping[str, Any]) -> Iterator[str]:
    granted = job.get("permissions", workflow.get("permissions", {}))
    if isinstance(granted, str):
        yield f"its permissions are {granted}: name each"
    else:
        yield from (
            f"it may write {what}" for what, how in granted.items() if how == "write" and what not in WRITES
        )
    if "uses" not in job and "timeout-minutes" not in job:
        yield "its time is not bounded"
