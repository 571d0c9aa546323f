"""`python -m local enqueue` against a real RabbitMQ."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from shared.messages.envelope import decode_envelope
from tests.builders import a_posted_transaction
from tests.contract.brokers import rabbitmq_broker

ROOT = Path(__file__).parents[2]


async def test_a_file_is_published_in_envelopes_that_decode(services, queue_name: str, tmp_path: Path) -> None:
    path = tmp_path / "transactions.jsonl"
    path.write_text("\n".join(json.dumps(a_posted_transaction(transaction_id=f"t-{n}")) for n in range(5)))

    async with rabbitmq_broker(services.rabbitmq, queue_name, "quorum", 100) as broker:
        done = subprocess.run(
            [sys.executable, "-m", "local", "enqueue", str(path), "--limit", "4", "--batch", "3", "--json"],
            cwd=ROOT,
            env=os.environ | {"FRAUDSENSE_RABBITMQ_URL": services.rabbitmq, "FRAUDSENSE_QUEUE_NAME": queue_name},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        received = [await broker.receive() for _ in range(2)]

    decoded = [decode_envelope(each.body, now=datetime.now(UTC))[0] for each in received if each]
    assert [[item.transaction.transaction_id for item in items] for items in decoded] == [
        ["t-0", "t-1", "t-2"],
        ["t-3"],
    ]
    assert json.loads(done.stdout.splitlines()[-1]) == {"file": str(path), "transactions": 4, "envelopes": 2}
