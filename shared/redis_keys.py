"""Names of Redis keys. Hash tags keep an account's keys on one node of a cluster."""

from hashlib import blake2b


def account_key(account_id: str, name: str) -> str:
    """`{<hash of the account>}:<name>`; the id itself is not in the key."""
    return f"{{{blake2b(account_id.encode(), digest_size=12).hexdigest()}}}:{name}"


def receipt_key(transaction_id: str) -> str:
    """`{<transaction id>}:receipt`."""
    return f"{{{transaction_id}}}:receipt"


REFUSALS = "refused"
"""Name of the account key that counts its 429s of the last hour; the limiter writes it, the history reads it."""

KNOWN = "known"
"""Name of the account key that says that Redis holds all of the account's history that the books held."""

WRITABLE = "health:writable"
"""What score's health writes to learn whether Redis takes writes."""

ALERT_CHANNEL = "alerts"
