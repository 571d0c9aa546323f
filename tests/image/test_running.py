"""Containers of the image at work, under the project's stand-in for the Functions host and on real services."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.builders import a_posted_transaction
from tests.image.conftest import Doors
from tests.image.containers import Image
from tests.waiting import eventually

pytestmark = pytest.mark.image

Record = Callable[[str, object], None]

JOBS = [
    ("shared.database", "migrate"),
    ("shared.database", "partitions", "--ahead", "2"),
    ("shared.database", "retention", "--months", "13", "--json"),
    ("ml", "snapshot", "--json"),
]


def far_from_home() -> dict[str, Any]:
    """What a new account should not begin with."""
    return a_posted_transaction(
        transaction_id=f"image-{uuid4()}",
        account_id=f"new-{uuid4()}",
        amount="9999.99",
        timestamp=datetime.now(UTC).isoformat(),
        geo_lat=1.3521,
        geo_lon=103.8198,
        home_lat=40.7128,
        home_lon=-74.0060,
    )


def recorded(url: str) -> dict[str, Any] | None:
    """The transaction once it is scored."""
    found = httpx.get(url)
    return dict(found.json()) if found.status_code == 200 and found.json()["status"] == "scored" else None


def test_what_is_posted_is_scored_and_raises_an_alert(doors: Doors) -> None:
    posted = far_from_home()

    answer = httpx.post(f"{doors.urls['ingest']}/transactions", json=posted)
    scored = eventually(lambda: recorded(f"{doors.urls['ingest']}/transactions/{posted['transaction_id']}"))
    alert = httpx.get(f"{doors.urls['alerts']}/alerts/{scored['alert_id']}")

    assert answer.status_code == 202
    assert scored["risk_label"] == "HIGH"
    assert alert.json()["transaction_id"] == posted["transaction_id"]
    assert "<title>" in httpx.get(f"{doors.urls['alerts']}/").text


@pytest.mark.parametrize("door", ["ingest", "score", "alerts"])
def test_a_door_ends_on_sigterm_by_itself(image: Image, doors: Doors, door: str, record_property: Record) -> None:
    ended = image.stop(doors.containers[door])

    record_property(f"{door} stopped within", f"{ended.seconds:.1f} s")
    assert ended.exit_code == 0, ended.logs


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job[1])
def test_a_job_does_its_work_and_ends(image: Image, environment: dict[str, str], job: tuple[str, ...]) -> None:
    done = image.run("python", "-m", *job, environment=environment)

    assert done.returncode == 0, done.stderr


def test_a_container_that_ignores_sigterm_is_told_from_one_that_ends(image: Image) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(90)"

    with image.running("python", "-c", deaf, environment={}) as container:
        eventually(lambda: "deaf" in image.logs(container))
        ended = image.stop(container, grace_seconds=1)

    assert ended.exit_code == 137
