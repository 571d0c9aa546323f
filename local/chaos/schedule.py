"""Which faults strike when, and for how long: drawn from a seed, every kind at least once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from math import ceil
from random import Random

FAULTS_IN_300_SECONDS = 12
LONG_OUTAGES = {900: (100.0, 150.0), 300: (60.0, 75.0)}
"""A run of so many seconds or more -> how long its one long outage lasts, in seconds."""
SHORTEST_OUTAGE_SECONDS = 2.0
FIRST, LAST = 0.05, 0.92
"""Faults strike between these shares of the run: after a start in peace, and with load to see them heal."""
AT_MOST_AWAY = 0.55
"""Of that time, at most this share has a service away."""
HEALING_SECONDS, HEALING_SHARE = 5.0, 0.15
"""Between two outages; less where the pauses would take more than this share."""

SERVICES = ("redis", "postgres", "rabbitmq")


class Kind(StrEnum):
    """What can happen: `kill-...` by SIGKILL, `term-...` by SIGTERM; `die-...` kills score before that step."""

    KILL_INGEST = "kill-ingest"
    KILL_SCORE = "kill-score"
    KILL_ALERTS = "kill-alerts"
    KILL_REDIS = "kill-redis"
    KILL_POSTGRES = "kill-postgres"
    KILL_RABBITMQ = "kill-rabbitmq"
    TERM_INGEST = "term-ingest"
    TERM_SCORE = "term-score"
    TERM_ALERTS = "term-alerts"
    DIE_DECODE = "die-decode"
    DIE_OBSERVE = "die-observe"
    DIE_DECIDE = "die-decide"
    DIE_RECORD = "die-record"
    DIE_ANNOUNCE = "die-announce"
    DIE_MARK = "die-mark"
    HANG_REDIS = "hang-redis"
    HANG_POSTGRES = "hang-postgres"
    HANG_RABBITMQ = "hang-rabbitmq"
    DOWN_REDIS = "down-redis"
    DOWN_POSTGRES = "down-postgres"
    DOWN_RABBITMQ = "down-rabbitmq"
    TOGETHER = "together"
    POISON_BYTES = "poison-bytes"
    POISON_ITEM = "poison-item"
    NEWER_ENVELOPE = "newer-envelope"
    DROP_WEBSOCKET = "drop-websocket"
    FLUSH_REDIS = "flush-redis"

    @property
    def is_outage(self) -> bool:
        """Whether it lasts."""
        return self is Kind.TOGETHER or self.startswith(("hang-", "down-"))


@dataclass(frozen=True, slots=True)
class Away:
    """How a service is away: it hangs (SIGSTOP), or it is stopped and refuses connections."""

    service: str
    hangs: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens `at` seconds after the start; an outage lasts `seconds`."""

    at: float
    kind: Kind
    seconds: float = 0.0
    away: tuple[Away, ...] = ()

    def __str__(self) -> str:
        if not self.away:
            return str(self.kind)
        how = " and ".join(f"{each.service} {'hangs' if each.hangs else 'is down'}" for each in self.away)
        return f"{how} for {self.seconds:.0f} s"


def schedule(seed: int, seconds: float, kinds: Sequence[Kind] = tuple(Kind)) -> list[Fault]:
    """The faults of a run of so many seconds, by time: 12 or more in 300 s, each kind at least once.

    Outages follow one another and last 5 to 30 s in a run of 300 s, and one of them 60 to 75 s; in a run of 900 s
    or more one lasts 100 to 150 s.
    """
    chance = Random(f"{seed}:faults")
    number = max(len(kinds), ceil(FAULTS_IN_300_SECONDS * seconds / 300))
    chosen = list(islice(cycle(chance.sample(kinds, len(kinds))), number))
    outages = [kind for kind in chosen if kind.is_outage]
    others = [kind for kind in chosen if not kind.is_outage]
    faults = [*_in_sequence(outages, seconds, chance), *_spread(others, seconds, chance)]
    return sorted(faults, key=lambda fault: fault.at)


def _spread(kinds: Sequence[Kind], seconds: float, chance: Random) -> Iterator[Fault]:
    """One in each equal part of the time, also while a service is away."""
    width = (LAST - FIRST) * seconds / max(1, len(kinds))
    for place, kind in enumerate(kinds):
        yield Fault(FIRST * seconds + (place + chance.uniform(0.1, 0.9)) * width, kind)


def _in_sequence(kinds: Sequence[Kind], seconds: float, chance: Random) -> Iterator[Fault]:
    durations = _durations(len(kinds), seconds, chance)
    span = (LAST - FIRST) * seconds
    healing = min(HEALING_SECONDS, HEALING_SHARE * span / max(1, len(kinds)))
    free = span - healing * len(kinds) - sum(durations)
    cuts = sorted(chance.uniform(0, max(0.0, free)) for _ in kinds)
    away = 0.0
    for kind, duration, cut in zip(kinds, durations, cuts, strict=True):
        yield Fault(FIRST * seconds + cut + away, kind, duration, _away(kind, chance))
        away += duration + healing


def _durations(number: int, seconds: float, chance: Random) -> list[float]:
    """A sixtieth to a tenth of the run, at most 30 s, shorter where all together would leave no time to heal."""
    low = max(SHORTEST_OUTAGE_SECONDS, min(5.0, seconds / 60))
    high = max(low, min(30.0, seconds / 10))
    long = _long_outage(seconds, chance) if number else []
    number -= len(long)
    above = [chance.uniform(0, high - low) for _ in range(number)]
    room = max(0.0, AT_MOST_AWAY * (LAST - FIRST) * seconds - sum(long) - number * low)
    shrink = min(1.0, room / sum(above)) if any(above) else 1.0
    return chance.sample([*(low + shrink * each for each in above), *long], number + len(long))


def _long_outage(seconds: float, chance: Random) -> list[float]:
    """One, as long as the run allows; none in a short run."""
    return [chance.uniform(*limits) for least, limits in LONG_OUTAGES.items() if seconds >= least][:1]


def _away(kind: Kind, chance: Random) -> tuple[Away, ...]:
    if kind is Kind.TOGETHER:
        services = sorted(chance.sample(SERVICES, chance.choice((2, 3))))
        return tuple(Away(service, chance.random() < 0.5) for service in services)
    how, _, service = kind.partition("-")
    return (Away(service, how == "hang"),)
