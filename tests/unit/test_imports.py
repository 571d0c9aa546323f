"""Each group starts with only what it needs: looked at in a fresh process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("fastapi", "starlette", "sklearn", "scipy", "joblib", "sqlalchemy", "numpy", "ml", "azure.servicebus")
START = {
    "score": "import function_app; function_app.app.get_functions()[0].get_user_function().start_status()",
    "ingest": "import function_app; function_app.app.get_functions()",
    "alerts": "from functions.alerts.app import app; app()",
}


def loaded(group: str, program: str) -> set[str]:
    """Which of HEAVY are loaded in a fresh process once the group has started."""
    show = f"import json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    chosen = {} if group == "alerts" else {"FRAUDSENSE_FUNCTIONS": group}
    result = subprocess.run(
        [sys.executable, "-c", f"{program}\n{show}"],
        cwd=ROOT,
        env=os.environ | chosen | {"FRAUDSENSE_SCORE_PORT": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("group", "absent"),
    [
        ("score", {"fastapi", "starlette", "sklearn", "scipy", "joblib", "sqlalchemy", "azure.servicebus"}),
        ("ingest", {"numpy", "ml", "sklearn", "scipy", "joblib", "azure.servicebus"}),
        ("alerts", {"numpy", "ml", "sklearn", "scipy", "joblib", "azure.servicebus"}),
    ],
)
def test_a_started_group_has_not_loaded_what_only_others_need(group: str, absent: set[str]) -> None:
    assert loaded(group, START[group]) & absent == set()


def test_what_is_loaded_is_noticed() -> None:
    assert {"numpy", "ml"} <= loaded("score", START["score"])


def test_the_sample_traffic_streams_the_simulator_without_the_libraries_of_training() -> None:
    heavy = loaded("alerts", "import local.sample_traffic, ml.simulation.days")

    assert heavy == {"ml"}
