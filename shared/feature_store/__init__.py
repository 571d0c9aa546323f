"""The account history in Redis."""
