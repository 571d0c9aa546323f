"""A function that makes the partition of a month, so that score can without owning the tables."""

from alembic import op

revision = "0003"
down_revision = "0002"

# CREATE TABLE ... PARTITION OF would wait for every open writer of any month; these two statements do not.
# The search path is fixed, as whoever calls this acts with the owner's rights.
MAKE_MONTH = """
CREATE FUNCTION make_month(year integer, month integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    start timestamptz := make_timestamptz(year, month, 1, 0, 0, 0);
    partition text := format('transactions_%s_%s', lpad(year::text, 4, '0'), lpad(month::text, 2, '0'));
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE transactions INCLUDING ALL)', partition);
    EXECUTE format(
        'ALTER TABLE transactions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, start, start + interval '1 month'
    );
END
$$;
REVOKE EXECUTE ON FUNCTION make_month FROM PUBLIC;
COMMENT ON FUNCTION make_month IS 'Makes the partition of a month in UTC, with the rights of the tables'' owner';
"""


def upgrade() -> None:
    """Add it."""
    op.execute(MAKE_MONTH)


def downgrade() -> None:
    """Refused: score would make no more months, and nobody needs it."""
    raise NotImplementedError(
        "The version before works beside this function as well: leave it, or drop the database to start afresh."
    )
