"""The table of routes and future roles names exactly what the three groups serve."""

from typing import cast

import pytest
from fastapi import FastAPI

from functions.alerts.app import create_app as alerts_app
from functions.alerts.parts import Parts as AlertsParts
from functions.ingest.app import create_app as ingest_app
from functions.ingest.parts import Parts as IngestParts
from functions.score.health import Health
from functions.score.status import routes as score_routes
from shared.auth import ROUTES, Role

OUTSIDE_THE_SCHEMA = {"/", "/static/{path}", "/docs", "/openapi.json", "/alerts/stream"}


def never() -> IngestParts:
    raise AssertionError("nothing is served here")


APPS = {"ingest": lambda: ingest_app(never), "alerts": lambda: alerts_app(cast("AlertsParts", None))}


def declared(group: str) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in ROUTES if route.group == group}


def documented(app: FastAPI) -> set[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("group", APPS)
def test_a_groups_documented_routes_are_those_of_the_table(group: str) -> None:
    in_the_schema = {route for route in declared(group) if route[1] not in OUTSIDE_THE_SCHEMA}

    assert documented(APPS[group]()) == in_the_schema


def test_scores_routes_are_those_of_the_table() -> None:
    assert {("GET", path) for path in score_routes(cast("Health", None))} == declared("score")


def test_no_route_stands_twice() -> None:
    assert len({(route.group, route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_health_documentation_and_the_page_itself_stay_open() -> None:
    public = {route.path for route in ROUTES if route.role is Role.PUBLIC}

    assert public == {"/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/", "/static/{path}"}
