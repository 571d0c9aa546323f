"""Whose pages may open the stream: browsers let any page try, and tell the server where the page is from."""

from collections.abc import Mapping


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another host than the one asked sent these headers; without Origin it was no page."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "unknown").lower()
