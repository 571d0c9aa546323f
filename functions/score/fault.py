"""Faults on purpose, for tests of the local build: FRAUDSENSE_FAULT, a comma-separated list. Off by default.

`<step>:<kill|raise>[:n]` strikes at the n-th pass of a step; `gate:off`, `history:off` and `outbox:off` take a
guarantee away (see sabotage.py).
"""

import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from shared.domain.errors import FraudSenseError


class Step(StrEnum):
    """The steps of a batch; a fault strikes just before its step. The last two need an alert to announce."""

    DECODE = "decode"
    OBSERVE = "observe"
    DECIDE = "decide"
    RECORD = "record"
    ANNOUNCE = "announce"
    MARK = "mark"


class Guarantee(StrEnum):
    """What keeps a repeated batch harmless, and can be switched off to show that the tests would notice."""

    GATE = "gate"
    HISTORY = "history"
    OUTBOX = "outbox"


Reach = Callable[[Step], None]
"""Called just before each step."""

_STRIKE = re.compile(rf"({'|'.join(Step)}):(kill|raise)(?::([1-9]\d*))?")
_SWITCH = re.compile(rf"({'|'.join(Guarantee)}):off")


class FaultSettingInvalid(FraudSenseError):
    """FRAUDSENSE_FAULT is not a list of <step>:<kill|raise>[:n] and <guarantee>:off."""


class InjectedFault(Exception):
    """Raised on purpose."""


def no_fault(_: Step) -> None:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Where to strike, and which guarantees are off."""

    reach: Reach = no_fault
    off: frozenset[Guarantee] = frozenset()


def faults(setting: str) -> Faults:
    """The faults of the setting, none where it is empty; raises FaultSettingInvalid."""
    words = setting.split(",") if setting else []
    off = {word: Guarantee(match[1]) for word in words if (match := _SWITCH.fullmatch(word))}
    strikes = [fault(word) for word in words if word not in off]
    return Faults(_each(strikes) if strikes else no_fault, frozenset(off.values()))


def fault(setting: str) -> Reach:
    """Strike at the n-th pass of a step, once; raises FaultSettingInvalid."""
    match = _STRIKE.fullmatch(setting)
    if match is None:
        raise FaultSettingInvalid(
            f"FRAUDSENSE_FAULT: '{setting}' is neither <step>:<kill|raise>[:n] with a step of {', '.join(Step)}, "
            f"nor <guarantee>:off with one of {', '.join(Guarantee)}."
        )
    step, deed, n = match.groups()
    passes = count(1)

    def reach(reached: Step) -> None:
        if reached == step and next(passes) == int(n or 1):
            _DEEDS[deed]()

    return reach


def _each(strikes: Sequence[Reach]) -> Reach:
    def reach(reached: Step) -> None:
        for strike in strikes:
            strike(reached)

    return reach


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise InjectedFault


_DEEDS: dict[str, Callable[[], None]] = {"kill": _kill, "raise": _raise}
