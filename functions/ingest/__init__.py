"""ingest: transactions come in over HTTP, are validated and leave in envelopes for the queue."""
