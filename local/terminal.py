"""Talking to the user's terminal."""

from contextlib import suppress


def tell(text: str) -> None:
    """One line of progress; a terminal that was closed meanwhile is no reason to fail."""
    with suppress(OSError):
        print(text, flush=True)
