"""Faults on purpose, for tests of the local build: FRAUDSENSE_FAULT=<step>:<kill|raise>[:n]. Off by default."""

import os
import re
import signal
from collections.abc import Callable
from enum import StrEnum
from itertools import count

from shared.domain.errors import FraudSenseError


class Step(StrEnum):
    """The steps of a batch; a fault strikes just before its step."""

    DECODE = "decode"
    OBSERVE = "observe"
    DECIDE = "decide"
    RECORD = "record"
    ANNOUNCE = "announce"
    MARK = "mark"


Reach = Callable[[Step], None]
"""Called just before each step."""

_FORM = re.compile(rf"({'|'.join(Step)}):(kill|raise)(?::([1-9]\d*))?")


class FaultSettingInvalid(FraudSenseError):
    """FRAUDSENSE_FAULT is not of the form <step>:<kill|raise>[:n]."""


class InjectedFault(Exception):
    """Raised on purpose."""


def no_fault(_: Step) -> None:
    """Go on."""


def fault(setting: str) -> Reach:
    """Strike at the n-th pass of a step, once; raises FaultSettingInvalid."""
    if not setting:
        return no_fault
    match = _FORM.fullmatch(setting)
    if match is None:
        raise FaultSettingInvalid(
            f"FRAUDSENSE_FAULT='{setting}' is not <step>:<kill|raise>[:n] with a step of: {', '.join(Step)}."
        )
    step, deed, n = match.groups()
    passes = count(1)

    def reach(reached: Step) -> None:
        if reached == step and next(passes) == int(n or 1):
            _DEEDS[deed]()

    return reach


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise InjectedFault


_DEEDS: dict[str, Callable[[], None]] = {"kill": _kill, "raise": _raise}
