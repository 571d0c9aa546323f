"""README stays one screen, and what it tells a newcomer to type is true."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml.forest import load_scorer
from shared.domain.decision import RiskLabel
from shared.domain.history import History
from shared.messages.transaction_in import Item, parse_transaction
from shared.settings import SHIPPED_MODEL, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
PRINT_BODY = 'curl() { while [ $# -gt 0 ]; do if [ "$1" = -d ]; then printf %s "$2"; fi; shift; done; }\n'


@pytest.fixture(scope="module")
def posted() -> Item:
    """What README's curl would post now."""
    [command] = re.findall(r"^curl .*?^\}'$", SHELL, re.MULTILINE | re.DOTALL)
    body = subprocess.run(["sh", "-c", PRINT_BODY + command], capture_output=True, text=True, check=True).stdout
    return parse_transaction(json.loads(body), now=datetime.now(UTC))


def test_it_is_one_screen() -> None:
    assert len(README.splitlines()) <= 60


def test_its_make_commands_are_targets_that_make_help_explains() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"\bmake ([a-z]+)\b", README))

    assert commands >= {"run", "test"}
    for command in commands:
        assert re.search(rf"^{command}:.*## ", makefile, re.MULTILINE), command


def test_its_ports_are_the_defaults() -> None:
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", README)}

    assert ports == {Settings.model_fields[name].default for name in ("ingest_port", "alerts_port")}


def test_what_it_links_to_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_its_curl_posts_a_transaction_of_now(posted: Item) -> None:
    assert abs((posted.transaction.occurred_at - datetime.now(UTC)).total_seconds()) < 60
    assert posted.transaction.place is not None


@pytest.mark.parametrize("hour", range(24))
def test_its_curl_raises_a_high_alert_on_a_fresh_start_at_any_hour(posted: Item, hour: int) -> None:
    document = json.loads(posted.payload) | {"timestamp": f"2026-01-15T{hour:02}:30:00Z"}
    transaction = parse_transaction(document, now=datetime.now(UTC)).transaction

    [decision] = load_scorer(SHIPPED_MODEL).decide([transaction], [History()])

    assert decision.label is RiskLabel.HIGH
    assert decision.raises_alert
    assert decision.reasons
