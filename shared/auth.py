"""One table of routes and the role each will ask for. Until sign-in comes, nothing authenticates."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who may call a route. PUBLIC needs no token at all, also with sign-in."""

    PUBLIC = "public"
    INGEST = "transactions.write"
    READ = "transactions.read"
    ANALYST = "alerts.act"
    LABELS = "labels.write"
    VIEWER = "alerts.read"
    OPERATOR = "metrics.read"


@dataclass(frozen=True, slots=True)
class Route:
    """One route of one group, with the role it will ask for."""

    group: str
    method: str
    path: str
    role: Role


ROUTES = (
    Route("ingest", "POST", "/transactions", Role.INGEST),
    Route("ingest", "POST", "/transactions/batch", Role.INGEST),
    Route("ingest", "GET", "/transactions/{transaction_id}", Role.READ),
    Route("ingest", "GET", "/health", Role.PUBLIC),
    Route("ingest", "GET", "/health/live", Role.PUBLIC),
    Route("ingest", "GET", "/health/ready", Role.PUBLIC),
    Route("ingest", "GET", "/metrics", Role.OPERATOR),
    Route("ingest", "GET", "/docs", Role.PUBLIC),
    Route("ingest", "GET", "/openapi.json", Role.PUBLIC),
    Route("score", "GET", "/health", Role.PUBLIC),
    Route("score", "GET", "/health/live", Role.PUBLIC),
    Route("score", "GET", "/health/ready", Role.PUBLIC),
    Route("score", "GET", "/metrics", Role.OPERATOR),
    Route("alerts", "GET", "/", Role.PUBLIC),
    Route("alerts", "GET", "/static/{path}", Role.PUBLIC),
    Route("alerts", "WS", "/alerts/stream", Role.VIEWER),
    Route("alerts", "GET", "/alerts", Role.VIEWER),
    Route("alerts", "GET", "/alerts/{alert_id}", Role.VIEWER),
    Route("alerts", "POST", "/alerts/{alert_id}/acknowledge", Role.ANALYST),
    Route("alerts", "POST", "/alerts/{alert_id}/close", Role.ANALYST),
    Route("alerts", "POST", "/alerts/{alert_id}/reopen", Role.ANALYST),
    Route("alerts", "POST", "/labels", Role.LABELS),
    Route("alerts", "GET", "/health", Role.PUBLIC),
    Route("alerts", "GET", "/health/live", Role.PUBLIC),
    Route("alerts", "GET", "/health/ready", Role.PUBLIC),
    Route("alerts", "GET", "/metrics", Role.OPERATOR),
    Route("alerts", "GET", "/docs", Role.PUBLIC),
    Route("alerts", "GET", "/openapi.json", Role.PUBLIC),
)
