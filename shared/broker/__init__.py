"""The queue: publishing to RabbitMQ, Service Bus or memory, what is declared there, and dead letters."""
