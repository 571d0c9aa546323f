"""Adapters of the queue: RabbitMQ and, for tests and demos, memory."""
