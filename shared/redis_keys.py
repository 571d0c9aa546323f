"""Names of Redis keys. Hash tags keep an account's keys on one node of a cluster."""

from hashlib import blake2b


def account_key(account_id: str, name: str) -> str:
    """`{<hash of the account>}:<name>`; the id itself is not in the key."""
    return f"{{{blake2b(account_id.encode(), digest_size=12).hexdigest()}}}:{name}"


def receipt_key(transaction_id: str) -> str:
    """`{<transaction id>}:receipt`."""
    return f"{{{transaction_id}}}:receipt"


REFUSALS = "refusals"
"""Name of the account key that counts its 429s, by twelfths of an hour since 1970; only the last twelve count.

The limiter writes it, the history reads it, each by Redis' clock: the last 55 to 60 minutes are told.
"""

REFUSAL_BUCKET_SECONDS, REFUSAL_BUCKETS = 300, 12

KNOWN = "known"
"""Name of the account key that says that Redis holds all of the account's history that the books held."""

WRITABLE = "health:writable"
"""What score's health writes to learn whether Redis takes writes."""

ALERT_CHANNEL = "alerts"
