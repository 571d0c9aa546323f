"""A test double of Azure Service Bus on loopback: real AMQP 1.0 for the real SDK, queues in memory.

`python -m tests.servicebus --port N` runs it as a process, `tests.servicebus.double.running_double` inside a test.
"""

NEEDS_PROTON = (
    "The test double of Service Bus needs python-qpid-proton. With a C compiler and Python's headers (Debian: "
    "`apt-get install gcc libc6-dev python3-dev`) run: .venv/bin/python -m pip install --require-hashes "
    "--no-build-isolation -r requirements-servicebus.txt"
)
