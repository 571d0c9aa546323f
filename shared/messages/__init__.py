"""The wire: posted transactions and the envelopes that carry them through the queue."""
