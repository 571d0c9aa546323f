"""All tables as SQLAlchemy metadata; the migrations create them and a test compares the two.

Natural keys are primary keys; `id` beside one only tells the order of insertion. Identifiers use collation "C":
their order is the code points' order on every machine, the one in which Python sorts them.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
transactions_id = Sequence("transactions_id_seq", metadata=metadata)
alerts_seq = Sequence("alerts_seq_seq", metadata=metadata)


def _identifier(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text(collation="C"), nullable=nullable, primary_key=primary_key)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _instant(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable, primary_key=primary_key)


def _now(name: str) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("now()"))


def _double(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Double, nullable=nullable)


transaction_ids = Table(
    "transaction_ids",
    metadata,
    _identifier("transaction_id", primary_key=True),
    _instant("occurred_at"),
    Column("content_hash", LargeBinary, nullable=False),
    comment="The gate: each transaction id once, whatever its month",
)

transactions = Table(
    "transactions",
    metadata,
    # Not an identity column: CREATE TABLE LIKE + ATTACH PARTITION copies plain defaults on every version.
    Column("id", BigInteger, nullable=False, server_default=transactions_id.next_value()),
    _identifier("transaction_id", primary_key=True),
    _instant("timestamp", primary_key=True),
    _identifier("account_id"),
    _identifier("merchant_id"),
    Column("amount", Numeric(16, 4), nullable=False),
    _text("currency"),
    _text("merchant_category", nullable=True),
    _double("geo_lat", nullable=True),
    _double("geo_lon", nullable=True),
    _double("home_lat", nullable=True),
    _double("home_lon", nullable=True),
    _text("channel", nullable=True),
    _text("device_id", nullable=True),
    _text("ip_address", nullable=True),
    Column("raw_payload", JSONB, nullable=False),
    _instant("received_at"),
    _now("created_at"),
    Index("transactions_account_time", "account_id", "timestamp"),
    postgresql_partition_by="RANGE (timestamp)",
)


scores = Table(
    "scores",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    _identifier("transaction_id", primary_key=True),
    _text("model_version"),
    _double("score"),
    _double("anomaly"),
    _text("risk_label"),
    Column("reasons", JSONB, nullable=False),
    _now("created_at"),
    comment="The recorded decision of each transaction; score is its risk",
)

shadow_scores = Table(
    "shadow_scores",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    _identifier("transaction_id", primary_key=True),
    Column("model_version", Text, primary_key=True),
    _double("score"),
    _double("anomaly"),
    _text("risk_label"),
    Column("reasons", JSONB, nullable=False),
    _now("created_at"),
    comment="What a model on trial would have decided",
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False, server_default=alerts_seq.next_value()),
    _identifier("transaction_id"),
    _identifier("account_id"),
    _identifier("merchant_id"),
    Column("amount", Numeric(16, 4), nullable=False),
    _text("currency"),
    _double("risk"),
    _text("risk_label"),
    Column("reason", JSONB, nullable=False, comment="Reasons, strongest first: code, text, observed, usual"),
    _double("threshold"),
    _text("model_version"),
    _instant("occurred_at"),
    _now("created_at"),
    _instant("announced_at", nullable=True),
    Column("status", Text, nullable=False, server_default="open"),
    _instant("acknowledged_at", nullable=True),
    _instant("closed_at", nullable=True),
    _text("disposition", nullable=True),
    UniqueConstraint("seq", name="alerts_seq_key"),
    UniqueConstraint("transaction_id", name="alerts_transaction_id_key"),
    CheckConstraint("status IN ('open', 'acknowledged', 'closed')", name="alerts_status"),
    CheckConstraint(
        "(status = 'closed') = (closed_at IS NOT NULL AND disposition IS NOT NULL)", name="alerts_closed"
    ),
    Index("alerts_account", "account_id", "seq"),
    Index("alerts_created", "created_at"),
)
Index("alerts_active", alerts.c.seq, postgresql_where=alerts.c.status != "closed")
Index("alerts_unannounced", alerts.c.seq, postgresql_where=alerts.c.announced_at.is_(None))

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("alert_id", Uuid, ForeignKey("alerts.id", name="alert_events_alert_id_fkey"), nullable=False),
    _text("action"),
    _text("status"),
    _text("by"),
    _text("note", nullable=True),
    _text("disposition", nullable=True),
    _instant("at"),
    Index("alert_events_alert", "alert_id", "id"),
    comment="Every step of an alert: who did what when, and the status it led to",
)

labels = Table(
    "labels",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    _identifier("transaction_id", primary_key=True),
    Column("source", Text, primary_key=True),
    _text("label"),
    _text("by", nullable=True),
    Column(
        "labelled_at",
        DateTime(timezone=True),
        nullable=False,
        comment="Since when the label has been known",
    ),
    _now("created_at"),
    _text("note", nullable=True),
    CheckConstraint("label IN ('fraud', 'legitimate', 'inconclusive')", name="labels_label"),
    comment="What a transaction turned out to be, one row per source",
)

rejected_messages = Table(
    "rejected_messages",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of reason, id and body"),
    _identifier("transaction_id", nullable=True),
    _text("reason"),
    _text("detail"),
    Column("body", LargeBinary, nullable=False, comment="As received, card numbers masked"),
    _now("received_at"),
    Column("times", Integer, nullable=False, server_default="1"),
    _now("last_seen"),
    UniqueConstraint("digest", name="rejected_messages_digest_key"),
    Index("rejected_messages_transaction", "transaction_id"),
)

model_deployments = Table(
    "model_deployments",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _text("model_version"),
    _text("stage"),
    Column("manifest", JSONB, nullable=False),
    _text("by", nullable=True),
    _now("deployed_at"),
    _instant("retired_at", nullable=True),
    Column("share", Integer, nullable=True, comment="Of a canary: accounts in ten thousand"),
    _text("salt", nullable=True),
    CheckConstraint("stage IN ('serving', 'shadow', 'canary')", name="model_deployments_stage"),
    comment="Which model served from when to when",
)

signal_snapshots = Table(
    "signal_snapshots",
    metadata,
    Column("day", Date, primary_key=True),
    _text("version"),
    Column("content", JSONB, nullable=False),
    _now("created_at"),
    comment="What was known of merchants and categories before each UTC day",
)

listed = Table(
    "listed",
    metadata,
    Column("kind", Text, primary_key=True),
    _identifier("value", primary_key=True),
    _text("verdict"),
    _instant("expires_at", nullable=True),
    _text("by"),
    _text("note", nullable=True),
    _now("created_at"),
    CheckConstraint("kind IN ('account', 'merchant', 'device')", name="listed_kind"),
    CheckConstraint("verdict IN ('block', 'trust')", name="listed_verdict"),
    comment="Accounts, merchants and devices that are blocked or trusted, until they expire",
)
