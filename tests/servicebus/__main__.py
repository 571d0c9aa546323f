"""The double as a process: prints `READY <connection string>`; SIGUSR1 takes it away, SIGUSR2 brings it back."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from tests.servicebus.double import Server, connection_string
from tests.servicebus.namespace import new_namespace
from tests.servicebus.queues import Rules


def main(argv: Sequence[str]) -> int:
    """Until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.servicebus", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--lock-seconds", type=float, default=60, help="how long a message is locked")
    parser.add_argument("--max-deliveries", type=int, default=10, help="deliveries before the dead letters")
    parser.add_argument("--duplicate-seconds", type=float, default=600, help="duplicate detection; 0 = off")
    parser.add_argument("--max-messages", type=int, default=1_000_000, help="messages a queue holds")
    args = parser.parse_args(argv)
    rules = Rules(args.max_messages, args.lock_seconds, args.max_deliveries, args.duplicate_seconds)
    asyncio.run(serve(Server(new_namespace(rules), args.port)))
    return 0


async def serve(server: Server) -> None:
    """Listen until told to stop."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks: set[asyncio.Future[None]] = set()

    def on(number: signal.Signals, work: Callable[[], Awaitable[None]]) -> None:
        loop.add_signal_handler(number, lambda: tasks.add(asyncio.ensure_future(work())))

    on(signal.SIGUSR1, server.stop)
    on(signal.SIGUSR2, server.start)
    await server.start()
    time_keeper = asyncio.create_task(server.keep_time())
    sys.stdout.write(f"READY {connection_string(server.port)}\n")
    sys.stdout.flush()
    await stopping.wait()
    time_keeper.cancel()
    await server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
