"""Which label counts, in SQL: the same as `domain.labels.counting`, for queries over many transactions."""

from shared.domain.labels import PRECEDENCE

_PLACE = f"coalesce(array_position(ARRAY{list(PRECEDENCE)}, source), {len(PRECEDENCE) + 1})"

COUNTING = f"""
SELECT DISTINCT ON (transaction_id) transaction_id, source, label, labelled_at AS known_at
FROM labels WHERE labelled_at < %(known_before)s
ORDER BY transaction_id, label = 'inconclusive', {_PLACE}, labelled_at DESC, source COLLATE "C"
"""  # noqa: S608 - names of ours
"""The counting label of each transaction, of those known before the parameter `known_before`."""
