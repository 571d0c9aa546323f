"""Finding the items that make a step fail, so that the others go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.domain.errors import FraudSenseError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Parted(Generic[T, R]):
    """Results of the items that passed, in order, and the items that failed with their errors."""

    done: list[R] = field(default_factory=list)
    failed: list[tuple[T, Exception]] = field(default_factory=list)


def isolate(items: Sequence[T], step: Callable[[Sequence[T]], Sequence[R]]) -> Parted[T, R]:
    """Give all items to `step`; where it raises, halve them until only those that fail alone are left out.

    `step` answers one result per item and may see an item several times. Our own errors (a service is away)
    concern no single item and pass through.
    """
    if not items:
        return Parted()
    try:
        return Parted(done=list(step(items)))
    except FraudSenseError:
        raise
    except Exception as error:  # noqa: BLE001 - counted and quarantined by the caller, with the error
        if len(items) == 1:
            return Parted(failed=[(items[0], error)])
    middle = len(items) // 2
    first, second = isolate(items[:middle], step), isolate(items[middle:], step)
    return Parted(first.done + second.done, first.failed + second.failed)
