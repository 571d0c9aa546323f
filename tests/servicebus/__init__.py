"""A test double of Azure Service Bus on loopback: real AMQP 1.0 for the real SDK, queues in memory.

`python -m tests.servicebus --port N` runs it as a process, `tests.servicebus.double.running_double` inside a test.
"""
