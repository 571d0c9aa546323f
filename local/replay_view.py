"""What a replay shows on stderr while it runs: bars on a terminal, notices everywhere."""

from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.replay_report import Summary, table

LIMIT_HINT = "FRAUDSENSE_RATE_LIMIT_PER_MINUTE=0 turns the limit off."


class ReplayView:
    """Two progress bars, and a sentence whenever something is held back; implements the poster's Listener."""

    def __init__(self, total: int, *, wait: float, bars: bool = True) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:>8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not (bars and self._console.is_terminal),
        )
        self._posted = self._progress.add_task("posted", total=total)
        self._ended = self._progress.add_task("scored", total=total)
        self._wait = wait
        self._held_back: tuple[int, int] | None = None
        self._told: set[str] = set()

    def __enter__(self) -> "ReplayView":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def read(self, sentences: Iterable[str]) -> None:
        """Say what was left out or adjusted while the file was read."""
        for sentence in sentences:
            self._say(sentence)

    def settled(self, rows: int) -> None:
        """As Listener."""
        self._progress.advance(self._posted, rows)

    def held_back(self, accounts: int, rows: int) -> None:
        """As Listener; said at once the first time, then summed up when everything was answered once."""
        first = self._held_back is None
        self._held_back = (accounts, rows)
        if first:
            self._say("Ingest's rate limit holds transactions back; they are sent again when it allows.")

    def all_answered(self) -> None:
        """As Listener."""
        if self._held_back is None:
            return
        accounts, rows = self._held_back
        self._say(
            f"{accounts} account{' is' if accounts == 1 else 's are'} over ingest's limit a minute: {rows} "
            f"transaction{' waits' if rows == 1 else 's wait'} to be sent again, given up {self._wait:g} s after "
            f"the account's last acceptance. {LIMIT_HINT}"
        )

    def unavailable(self, detail: str) -> None:
        """As Listener; the same sentence is said once."""
        if detail not in self._told:
            self._told.add(detail)
            self._say(f"Ingest could not take a request and is asked again: {detail}")

    def accepted(self, rows: int) -> None:
        """So many rows are to be scored."""
        self._progress.update(self._ended, total=rows)

    def ended(self, rows: int) -> None:
        """So many more have an outcome."""
        self._progress.advance(self._ended, rows)

    def refused(self, sentences: dict[int, str]) -> None:
        """Say why rows were refused, one sentence per status."""
        for status, detail in sorted(sentences.items()):
            hint = f" {LIMIT_HINT}" if status == 429 else ""
            self._say(f"Refused with {status}, for example: {detail}{hint}")

    def show(self, summary: Summary) -> None:
        """The table for people."""
        self._console.print(table(summary))

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, soft_wrap=True, markup=False)
