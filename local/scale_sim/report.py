"""What a burst on real processes came to: figures, verdict and picture."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from local.scale_sim.course import Course, Sample
from local.scale_sim.picture import Line, Panel, Time, picture

CALLED = "a simulation of KEDA's and the HPA's rules over real scorers; not KEDA"


def figures(course: Course, speed: float) -> dict[str, Any]:
    """One JSON object; seconds are real ones, the rules' periods are divided by `speed`."""
    recorded = {each.transaction_id for each in course.recorded}
    waits = sorted(each.recorded_at - each.received_at for each in course.recorded)
    return {
        "called": CALLED,
        "rules": asdict(course.plan.rules),
        "speed": speed,
        "accepted": len(course.accepted),
        "scored": len(recorded & course.accepted),
        "lost": len(course.accepted - recorded),
        "most_backlog": max(each.backlog for each in course.samples),
        "most_ready": max(each.ready for each in course.samples),
        "replicas": [each.wanted for each in _changes(course.samples)],
        "ends_at_zero": course.samples[-1].wanted == 0,
        "wait_seconds": {share: _quantile(waits, float(share)) for share in ("0.5", "0.99", "1")},
        "seconds": round(course.samples[-1].at, 1),
    }


def complaints(course: Course) -> list[str]:
    """What did not go as it must, one sentence each."""
    last, recorded = course.samples[-1], {each.transaction_id for each in course.recorded}
    lost, missing = len(course.accepted - recorded), course.plan.transactions - len(course.accepted)
    found = {
        f"{missing} payments of the burst were not accepted.": missing > 0,
        f"{lost} accepted payments are not recorded.": lost > 0,
        f"{last.wanted} replicas are left at the end.": last.wanted > 0,
        "No scorer was ever ready.": all(each.ready == 0 for each in course.samples),
    }
    return [sentence for sentence, holds in found.items() if holds]


def drawn(course: Course, speed: float) -> str:
    """Backlog, replicas and waits over time."""
    end = course.samples[-1].at
    panels = (
        Panel("Envelopes waiting or in hand", [Line("", _points(course.samples, "backlog"))]),
        Panel(
            "Replicas",
            [
                Line("wanted", _points(course.samples, "wanted"), steps=True),
                Line("ready", _points(course.samples, "ready"), steps=True),
            ],
        ),
        Panel("Seconds from receipt to record, by the second of the record", _waits(course)),
    )
    compressed = f" (periods divided by {speed:g})" if speed != 1 else ""
    title = f"Burst on real scorers, a simulation of KEDA's and the HPA's rules{compressed}"
    return picture(title, panels, Time(end, _every(end), "s"))


def _waits(course: Course) -> list[Line]:
    by_second = defaultdict[int, list[float]](list)
    for each in course.recorded:
        by_second[int(each.recorded_at - course.start)].append(each.recorded_at - each.received_at)
    seconds = {second: sorted(waits) for second, waits in sorted(by_second.items())}
    return [
        Line(title, [(second, _quantile(waits, share)) for second, waits in seconds.items()])
        for title, share in (("half of them", 0.5), ("99 %", 0.99))
    ]


def _points(samples: Sequence[Sample], name: str) -> list[tuple[float, float]]:
    return [(each.at, float(getattr(each, name))) for each in samples]


def _changes(samples: Sequence[Sample]) -> Iterator[Sample]:
    yield samples[0]
    yield from (after for before, after in pairwise(samples) if after.wanted != before.wanted)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else 0.0


def _every(end: float) -> float:
    return next(step for step in (5, 10, 20, 30, 60, 120, 300, 600, 3600) if end / step <= 12)
