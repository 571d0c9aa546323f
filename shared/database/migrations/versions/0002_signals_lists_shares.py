"""Snapshots of signals, block and trust lists, shares of canaries, and notes on labels."""

from alembic import op

revision = "0002"
down_revision = "0001"

SIGNALS = """
CREATE TABLE signal_snapshots (
    day        date PRIMARY KEY,
    version    text NOT NULL,
    content    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE signal_snapshots IS 'What was known of merchants and categories before each UTC day';
"""

LISTS = """
CREATE TABLE listed (
    kind       text NOT NULL CONSTRAINT listed_kind CHECK (kind IN ('account', 'merchant', 'device')),
    value      text COLLATE "C" NOT NULL,
    verdict    text NOT NULL CONSTRAINT listed_verdict CHECK (verdict IN ('block', 'trust')),
    expires_at timestamptz,
    by         text NOT NULL,
    note       text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, value)
);
COMMENT ON TABLE listed IS 'Accounts, merchants and devices that are blocked or trusted, until they expire';
"""

DEPLOYMENTS = """
ALTER TABLE model_deployments ADD COLUMN share integer, ADD COLUMN salt text;
COMMENT ON COLUMN model_deployments.share IS 'Of a canary: accounts in ten thousand';
"""

LABELS = """
ALTER TABLE labels ADD COLUMN note text;
COMMENT ON COLUMN labels.labelled_at IS 'Since when the label has been known';
"""


def upgrade() -> None:
    """Add them."""
    for statements in (SIGNALS, LISTS, DEPLOYMENTS, LABELS):
        op.execute(statements)


def downgrade() -> None:
    """Refused: it would drop what was learnt, and nobody needs it."""
    raise NotImplementedError(
        "The version before works on these tables as well: leave them, or drop the database to start afresh."
    )
