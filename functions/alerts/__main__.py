"""alerts' server: `python -m functions.alerts`, on 127.0.0.1 unless `--host` says otherwise."""

import argparse
import sys
from collections.abc import Sequence

import uvicorn

from functions.alerts.app import app
from shared.command_line import UserError
from shared.settings import load_settings

GRACE_SECONDS = 2
"""Open WebSockets never end by themselves; an analyst's action takes far less."""

LONGEST_MESSAGE_BYTES = 1024
"""Clients of the stream have nothing to say; by default each could send 16 MiB at a time."""


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; 2 where the user must mend a setting first."""
    parser = argparse.ArgumentParser(prog="python -m functions.alerts", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    args = parser.parse_args(argv)
    try:
        port = load_settings().alerts_port
    except UserError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    uvicorn.run(
        app,
        factory=True,
        host=args.host,
        port=port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=LONGEST_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # frames are small, and each connection's compressor takes memory
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
