"""The Azure Functions app: registers the groups named in FRAUDSENSE_FUNCTIONS and imports no others."""

from importlib import import_module

import azure.functions as func

from shared.settings import Group, Settings, load_settings
from shared.telemetry.logs import shape_logs

GROUPS: dict[Group, str] = {"ingest": "functions.ingest.blueprint", "score": "functions.score.blueprint"}


def build_app(settings: Settings) -> func.FunctionApp:
    """One FunctionApp with the chosen groups; each group's door imports only what that group needs."""
    shape_logs(",".join(settings.groups), settings.log_level)
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for group in settings.groups:
        app.register_functions(import_module(GROUPS[group]).blueprint(settings))
    return app


app = build_app(load_settings())
