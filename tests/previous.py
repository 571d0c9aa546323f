"""The product's code of an earlier commit, in a folder of its own, run with the present packages."""

import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED_BETWEEN_VERSIONS = (
    "shared/database/migrations",
    "shared/database/statements.py",
    "shared/feature_store",
    "shared/messages/envelope.py",
    "shared/broker/topology.py",
    "host.json",
)
"""What a scorer finds that another version left: tables, keys, envelopes, queues, and how they are settled."""


def earlier_commits() -> dict[str, str]:
    """Commits that the present code replaces: what is said of it -> its name; without history there are none.

    The commit before this one is what a rollout replaces. Most commits change nothing between versions, so the one
    before the last such change comes too.
    """
    changed = _git("log", "-1", "--first-parent", "--format=%H", "--", *SHARED_BETWEEN_VERSIONS).strip()
    before_change = _git("rev-parse", "--verify", f"{changed}^") if changed else ""
    found = {
        "the commit before": _git("rev-parse", "--verify", "HEAD^").strip(),
        "before the last change between versions": before_change.strip(),
    }
    return {commit: said for said, commit in reversed(found.items()) if commit}


def back_from(commit: str) -> list[str]:
    """The commit and some before it, ever farther back."""
    commits = _git("rev-list", "--first-parent", "--max-count=32", commit).split()
    return [commits[2**step - 1] for step in range(6) if 2**step <= len(commits)]


def _git(*words: str) -> str:
    """Nothing where git or the history is missing."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True)
class Previous:
    """The code of an earlier commit."""

    folder: Path

    @property
    def starts(self) -> bool:
        """Whether its functions can be registered."""
        command = [sys.executable, "-c", "import function_app"]
        run = subprocess.run(command, cwd=self.folder, env=_environment({}), capture_output=True, check=False)
        return run.returncode == 0

    def answer(self, program: str) -> bytes:
        """What a Python program over that code prints."""
        return subprocess.run(
            [sys.executable, "-c", program], cwd=self.folder, env=_environment({}), capture_output=True, check=True
        ).stdout

    @contextmanager
    def scorer(self, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Its score group under its stand-in for the Functions host; stopped at the end."""
        command = [sys.executable, "-m", "local.functions_host", "--group", "score"]
        with (self.folder / "score.log").open("wb") as output:
            process = subprocess.Popen(command, cwd=self.folder, env=_environment(settings), stderr=output)
            try:
                yield process
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)
            finally:
                process.kill()
                process.wait()

    @property
    def log(self) -> str:
        """What its scorer wrote."""
        return (self.folder / "score.log").read_text()


def export(commit: str, folder: Path) -> Previous:
    """The tree of a commit, in `folder`."""
    tree = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        archive.extractall(folder, filter="data")
    return Previous(folder)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAUDSENSE_")}
    return inherited | settings
