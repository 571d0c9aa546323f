"""`scale-sim`: what KEDA's and the HPA's rules would do with the scorers, with real ones or on a made-up day."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from local.scale_sim import choices, report
from local.scale_sim.burst import Refused
from local.scale_sim.course import Course, Plan, play
from local.scale_sim.day import day
from local.scale_sim.measure import Measured, NotDrained, measure
from local.scale_sim.model import Pod
from local.scale_sim.queue_api import QueueUnknown
from local.scale_sim.rules import Rules, sped_up
from local.scale_sim.scaled_object import read_rules
from local.scale_sim.stage import running_stage
from local.stopping import stopping_on_signals
from local.supervisor import ROOT, PartFailed, Stopped
from local.terminal import tell
from shared.domain.errors import FraudSenseError
from shared.settings import load_settings

SHIPPED = (ROOT / "k8s/base/score/scaledobject.yaml", ROOT / "k8s/overlays/local/score-trigger.yaml")
INTERRUPTED = 130

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three kinds of run and what they need."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--day", action="store_true", help="a day of made-up traffic, only computed")
    kind.add_argument("--measure", action="store_true", help="how fast one scorer drains a queue here")
    parser.add_argument(
        "--scaled-object",
        type=Path,
        nargs="+",
        default=SHIPPED,
        metavar="FILE",
        help="a ScaledObject and patches of it (default: the shipped one with the local overlay's patch)",
    )
    parser.add_argument("--seed", type=int, default=7, help="of the payments (%(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it as an SVG")
    parser.add_argument("--json", action="store_true", help="only the line of JSON")
    _add_burst(parser.add_argument_group("a burst on real scorers"))
    _add_day(parser.add_argument_group("--day"))


def _add_burst(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--transactions", type=_number, default=60_000, metavar="N", help="(%(default)s)")
    group.add_argument("--rate", type=_positive, default=4_000.0, metavar="N", help="a second (%(default)g)")
    group.add_argument("--quiet", type=_positive, default=5.0, metavar="N", help="seconds before (%(default)g)")
    group.add_argument(
        "--cap", type=_number, default=3, metavar="N", help="scorers that this machine carries (%(default)s)"
    )
    group.add_argument(
        "--speed",
        type=_positive,
        default=10.0,
        metavar="N",
        help="divide every period of the rules and of RabbitMQ's counting by N (%(default)g); scorers start and "
        "work no faster",
    )
    group.add_argument(
        "--folder", type=Path, help="for data and logs; emptied first (FRAUDSENSE_DATA_DIR/scale-sim)"
    )


def _add_day(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--single", type=_positive, default=50.0, metavar="N", help="envelopes of one a second (%(default)g)"
    )
    group.add_argument(
        "--full", type=_positive, default=1_400.0, metavar="N", help="transactions of full ones (%(default)g)"
    )
    group.add_argument(
        "--start", type=_positive, default=20.0, metavar="N", help="seconds until a pod is ready (%(default)g)"
    )
    group.add_argument(
        "--stop",
        type=_positive,
        default=270.0,
        metavar="N",
        help="seconds that it stays when told to go (%(default)g)",
    )
    group.add_argument("--scale", type=_positive, default=1.0, metavar="N", help="times the traffic (%(default)g)")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 where all went as it must, 1 where not or a part does not start."""
    rules = read_rules(args.scaled_object)
    say = partial(print, file=sys.stderr, flush=True) if args.json else tell
    if args.day:
        return _day(args, rules, say)
    try:
        return _measure(args, say) if args.measure else _burst(args, rules, say)
    except* Stopped:
        code = INTERRUPTED
    except* (PartFailed, NotDrained, QueueUnknown, Refused) as failures:
        print(f"fraudsense: {_first(failures)}", file=sys.stderr)
        code = 1
    return code


def _burst(args: argparse.Namespace, shipped: Rules, say: Say) -> int:
    rules = replace(sped_up(shipped, args.speed), maximum=min(shipped.maximum, args.cap))
    say(f"Called what it is: {report.CALLED}.")
    say(f"At most {rules.maximum} replicas of {shipped.maximum}; every period divided by {args.speed:g}.")
    plan = Plan(rules, args.transactions, args.rate, args.quiet, args.seed)
    course = _played(plan, args, say)
    _draw(args.picture, lambda: report.drawn(course, args.speed))
    result, wrong = report.figures(course, args.speed), report.complaints(course)
    if not args.json:
        waits, steps = result["wait_seconds"], " -> ".join(map(str, result["replicas"]))
        say(f"{result['accepted']} accepted, {result['scored']} scored, {result['lost']} lost.")
        say(f"Replicas {steps}; half waited at most {waits['0.5']:g} s, 99 % {waits['0.99']:g} s.")
    print(json.dumps(result), flush=True)
    for sentence in wrong:
        print(f"fraudsense: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def _played(plan: Plan, args: argparse.Namespace, say: Say) -> Course:
    with stopping_on_signals() as stopping, running_stage(_folder(args), args.speed, stopping, say) as stage:
        return asyncio.run(play(plan, stage, say))


def _measure(args: argparse.Namespace, say: Say) -> int:
    with stopping_on_signals() as stopping, running_stage(_folder(args), 1.0, stopping, say) as stage:
        measured: Measured = asyncio.run(measure(stage, args.seed, say))
    if not args.json:
        say(f"Whatever else runs on this machine is in these figures: --day --single {measured.rates[1]:.0f} …")
    print(json.dumps(asdict(measured)), flush=True)
    return 0


def _day(args: argparse.Namespace, rules: Rules, say: Say) -> int:
    pod = Pod(1 / args.single, 100 / args.full, args.start, args.stop)
    progress: Say = say if args.json else partial(print, file=sys.stderr, flush=True)
    found = list(choices.choices(day(args.seed, args.scale), rules, pod, args.seed, progress))
    rows = [choices.as_row(each) for each in found]
    _draw(args.picture, lambda: choices.drawn(found[0]))
    if not args.json:
        tell("\n".join(_table(rows)))
    print(json.dumps({"pod": asdict(pod), "rules": asdict(rules), "choices": rows}), flush=True)
    return 0


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    head = f"{'rules':26}{'pod-hours':>10}{'most':>6}{'wakes':>7}"
    yield f"{head}{'p99':>8}{'longest':>9}{'over 1 s':>10}{'over 30 s':>11}"
    for row in rows:
        cost = f"{row['rules']:26}{row['pod_hours']:10.1f}{row['most']:6}{row['wakes']:7}"
        yield f"{cost}{row['p99']:6.0f} s{row['longest']:7.0f} s{row['over_1s']:10.1%}{row['over_30s']:11.2%}"


def _draw(path: Path | None, drawing: Callable[[], str]) -> None:
    if path:
        path.write_text(drawing(), encoding="utf-8")


def _folder(args: argparse.Namespace) -> Path:
    return Path(args.folder or load_settings().data_dir / "scale-sim")


def _first(failures: BaseExceptionGroup[FraudSenseError]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below a million")
    return number


def _number(text: str) -> int:
    return round(_positive(text))


_DESCRIPTION = """\
What KEDA's and the HPA's rules would do with the scorers. A simulation of the rules, not KEDA.

  scale-sim            services of its own, a burst through ingest, and real scorers, started and stopped as
                       the rules say by the length of the real queue: from none to some and back
  scale-sim --day      a made-up day (quiet night, salaries, an attack) with the shipped numbers, then with one
                       changed at a time: pod-hours and waits, beside pods that are always on
  scale-sim --measure  transactions a second of one scorer, with full envelopes and with envelopes of one: what
                       --day takes as --full and --single
"""
