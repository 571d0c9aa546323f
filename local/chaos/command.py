"""`chaos`: the full stack under load and a seeded schedule of faults; at the end the books must balance."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from functions.score.fault import Guarantee
from local.chaos.campaign import Outcome, Plan, run_campaign
from local.chaos.report import complaints, json_line, tables, verdicts
from local.chaos.schedule import Kind, schedule
from local.chaos.stack import running_stack
from local.stopping import stopping_on_signals
from local.supervisor import PartFailed, Stopped
from local.terminal import tell
from shared.settings import load_settings

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how long, how hard, and what may happen."""
    parser.add_argument("--seed", type=int, default=7, help="another seed draws another schedule (%(default)s)")
    parser.add_argument("--seconds", type=_positive, default=300.0, metavar="N", help="of load (%(default)g)")
    parser.add_argument(
        "--rate", type=_positive, default=300.0, metavar="N", help="payments a second (%(default)g)"
    )
    parser.add_argument(
        "--faults",
        type=_kinds,
        default=tuple(Kind),
        metavar="KIND,...",
        help=f"only these kinds: {', '.join(Kind)} (default: all)",
    )
    parser.add_argument(
        "--sabotage",
        choices=[each.value for each in Guarantee],
        help="take this guarantee away from score: the books must show it",
    )
    parser.add_argument("--folder", type=Path, help="for data and logs; emptied first (FRAUDSENSE_DATA_DIR/chaos)")
    parser.add_argument("--json", action="store_true", help="only the line of JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 where the books balance under every fault, 1 where not or a part does not start."""
    folder = args.folder or load_settings().data_dir / "chaos"
    sabotage = Guarantee(args.sabotage) if args.sabotage else None
    faults = schedule(args.seed, args.seconds, args.faults)
    plan = Plan(args.seed, args.seconds, args.rate, faults, sabotage)
    logging.getLogger().addHandler(logging.NullHandler())  # clients log each lost connection, and many are lost
    say = partial(print, file=sys.stderr, flush=True) if args.json else tell
    outcome, code = None, INTERRUPTED
    try:
        outcome = _carry_out(plan, folder, say)
    except* Stopped:
        say("Stopped before the books could be closed.")
    except* PartFailed as failures:
        print(f"fraudsense: {failures.exceptions[0]}", file=sys.stderr)
        code = 1
    return code if outcome is None else _report(plan, outcome, folder, args.json)


def _carry_out(plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    with stopping_on_signals() as stopping, running_stack(folder, plan.fault_setting, stopping, say) as stack:
        return asyncio.run(run_campaign(plan, stack, say))


def _report(plan: Plan, outcome: Outcome, folder: Path, only_json: bool) -> int:
    if not only_json:
        Console().print(tables(plan, outcome))
    print(json_line(plan, outcome), flush=True)
    judged = [*complaints(outcome), *verdicts(plan, outcome)]
    if judged:
        judged.append(f"Read the logs in {folder / 'logs'}; --seed {plan.seed} draws the same schedule.")
    for line in judged:
        print(f"fraudsense: {line}", file=sys.stderr)
    return 1 if judged else 0


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e5:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 100,000")
    return number


def _kinds(text: str) -> tuple[Kind, ...]:
    try:
        return tuple(dict.fromkeys(Kind(word) for word in text.split(",")))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; choose from {', '.join(Kind)}") from error
