"""The first tables: gate, transactions by month, scores, alerts, labels, quarantine, deployments."""

from alembic import op

revision = "0001"
down_revision = None

GATE = """
CREATE TABLE transaction_ids (
    transaction_id text COLLATE "C" PRIMARY KEY,
    occurred_at    timestamptz NOT NULL,
    content_hash   bytea NOT NULL
);
COMMENT ON TABLE transaction_ids IS 'The gate: each transaction id once, whatever its month';
"""

TRANSACTIONS = """
CREATE SEQUENCE transactions_id_seq;
CREATE TABLE transactions (
    id                bigint NOT NULL DEFAULT nextval('transactions_id_seq'),
    transaction_id    text COLLATE "C" NOT NULL,
    "timestamp"       timestamptz NOT NULL,
    account_id        text COLLATE "C" NOT NULL,
    merchant_id       text COLLATE "C" NOT NULL,
    amount            numeric(16, 4) NOT NULL,
    currency          text NOT NULL,
    merchant_category text,
    geo_lat           double precision,
    geo_lon           double precision,
    home_lat          double precision,
    home_lon          double precision,
    channel           text,
    device_id         text,
    ip_address        text,
    raw_payload       jsonb NOT NULL,
    received_at       timestamptz NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transaction_id, "timestamp")
) PARTITION BY RANGE ("timestamp");
CREATE INDEX transactions_account_time ON transactions (account_id, "timestamp");
"""

SCORES = """
CREATE TABLE scores (
    id             bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id text COLLATE "C" PRIMARY KEY,
    model_version  text NOT NULL,
    score          double precision NOT NULL,
    anomaly        double precision NOT NULL,
    risk_label     text NOT NULL,
    reasons        jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE scores IS 'The recorded decision of each transaction; score is its risk';
CREATE TABLE shadow_scores (
    id             bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id text COLLATE "C" NOT NULL,
    model_version  text NOT NULL,
    score          double precision NOT NULL,
    anomaly        double precision NOT NULL,
    risk_label     text NOT NULL,
    reasons        jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transaction_id, model_version)
);
COMMENT ON TABLE shadow_scores IS 'What a model on trial would have decided';
"""

ALERTS = """
CREATE SEQUENCE alerts_seq_seq;
CREATE TABLE alerts (
    id              uuid PRIMARY KEY,
    seq             bigint NOT NULL DEFAULT nextval('alerts_seq_seq') CONSTRAINT alerts_seq_key UNIQUE,
    transaction_id  text COLLATE "C" NOT NULL CONSTRAINT alerts_transaction_id_key UNIQUE,
    account_id      text COLLATE "C" NOT NULL,
    merchant_id     text COLLATE "C" NOT NULL,
    amount          numeric(16, 4) NOT NULL,
    currency        text NOT NULL,
    risk            double precision NOT NULL,
    risk_label      text NOT NULL,
    reason          jsonb NOT NULL,
    threshold       double precision NOT NULL,
    model_version   text NOT NULL,
    occurred_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    announced_at    timestamptz,
    status          text NOT NULL DEFAULT 'open',
    acknowledged_at timestamptz,
    closed_at       timestamptz,
    disposition     text,
    CONSTRAINT alerts_status CHECK (status IN ('open', 'acknowledged', 'closed')),
    CONSTRAINT alerts_closed
        CHECK ((status = 'closed') = (closed_at IS NOT NULL AND disposition IS NOT NULL))
);
COMMENT ON COLUMN alerts.reason IS 'Reasons, strongest first: code, text, observed, usual';
CREATE INDEX alerts_account ON alerts (account_id, seq);
CREATE INDEX alerts_created ON alerts (created_at);
CREATE INDEX alerts_active ON alerts (seq) WHERE status <> 'closed';
CREATE INDEX alerts_unannounced ON alerts (seq) WHERE announced_at IS NULL;
CREATE TABLE alert_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id    uuid NOT NULL CONSTRAINT alert_events_alert_id_fkey REFERENCES alerts (id),
    action      text NOT NULL,
    status      text NOT NULL,
    by          text NOT NULL,
    note        text,
    disposition text,
    at          timestamptz NOT NULL
);
COMMENT ON TABLE alert_events IS 'Every step of an alert: who did what when, and the status it led to';
CREATE INDEX alert_events_alert ON alert_events (alert_id, id);
"""

LABELS = """
CREATE TABLE labels (
    id             bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id text COLLATE "C" NOT NULL,
    source         text NOT NULL,
    label          text NOT NULL CONSTRAINT labels_label CHECK (label IN ('fraud', 'legitimate', 'inconclusive')),
    by             text,
    labelled_at    timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (transaction_id, source)
);
COMMENT ON TABLE labels IS 'What a transaction turned out to be, one row per source';
"""

QUARANTINE = """
CREATE TABLE rejected_messages (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest         bytea NOT NULL CONSTRAINT rejected_messages_digest_key UNIQUE,
    transaction_id text COLLATE "C",
    reason         text NOT NULL,
    detail         text NOT NULL,
    body           bytea NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    times          integer NOT NULL DEFAULT 1,
    last_seen      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN rejected_messages.digest IS 'SHA-256 of reason, id and body';
COMMENT ON COLUMN rejected_messages.body IS 'As received, card numbers masked';
CREATE INDEX rejected_messages_transaction ON rejected_messages (transaction_id);
"""

DEPLOYMENTS = """
CREATE TABLE model_deployments (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_version text NOT NULL,
    stage         text NOT NULL
        CONSTRAINT model_deployments_stage CHECK (stage IN ('serving', 'shadow', 'canary')),
    manifest      jsonb NOT NULL,
    by            text,
    deployed_at   timestamptz NOT NULL DEFAULT now(),
    retired_at    timestamptz
);
COMMENT ON TABLE model_deployments IS 'Which model served from when to when';
"""


def upgrade() -> None:
    """Create everything."""
    for statements in (GATE, TRANSACTIONS, SCORES, ALERTS, LABELS, QUARANTINE, DEPLOYMENTS):
        op.execute(statements)


def downgrade() -> None:
    """Refused: it would drop every recorded transaction."""
    raise NotImplementedError("There is nothing before the first tables; drop the database to start afresh.")
