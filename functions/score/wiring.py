"""Score's wiring: settings to real adapters; nothing connects before it is needed."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import TypeVar

from functions.score.deployments import DeployedModels
from functions.score.fault import faults
from functions.score.health import Health
from functions.score.invocation import Parts
from functions.score.poison import PoisonLimits
from functions.score.put_back import PutBack, keep_locked, republish_with
from functions.score.sabotage import sabotaged
from ml.forest import load_scorer
from shared.broker.selection import publisher_for
from shared.database.past import PostgresPasts
from shared.database.recorder import PostgresRecorder
from shared.domain.scoring import Scorer
from shared.feature_store.redis_history import RedisHistory, connect
from shared.live_feed import RedisAnnouncer
from shared.model_registry import registry_for
from shared.settings import Settings
from shared.telemetry.metrics import configure_metrics

T = TypeVar("T")


def scorer_for(settings: Settings) -> Scorer:
    """The model of the settings' folder; raises ModelInvalid, and then score does not start."""
    return load_scorer(settings.model_dir)


def wire(settings: Settings, scorer: Scorer, sleep: Callable[[float], object] = time.sleep) -> Parts:
    """Score as the settings say, with `scorer` until a champion is deployed; its invocations wait by `sleep`."""
    configure_metrics("score")
    planned = faults(settings.fault)
    redis = connect(settings.redis_url)
    history = RedisHistory(redis, PostgresPasts(settings.postgres_url))
    recorder = PostgresRecorder(settings.postgres_url)
    models = DeployedModels(settings.postgres_url, registry_for(settings), scorer, settings.model_dir)
    parts = Parts(
        history=history,
        scorer=lambda: models.scorer(datetime.now(UTC)),
        recorder=recorder,
        announcer=RedisAnnouncer(redis),
        put_back=_put_back(settings),
        health=Health({"redis": history.check, "postgres": recorder.check, "models": models.check}),
        retry_budget=timedelta(seconds=settings.retry_budget_seconds),
        poison_limits=PoisonLimits(settings.poison_window, settings.poison_minimum, settings.poison_share),
        poison_pause=timedelta(seconds=settings.poison_pause_seconds),
        reach=planned.reach,
        sleep=sleep,
    )
    return sabotaged(parts, planned.off, settings.postgres_url)


def once(make: Callable[[], T]) -> Callable[[], T]:
    """`make()` at the first call, whichever thread comes first; the same result ever after."""
    turn, made = Lock(), list[T]()

    def get() -> T:
        with turn:
            if not made:
                made.append(make())
            return made[0]

    return get


def _put_back(settings: Settings) -> PutBack:
    republish = republish_with(partial(publisher_for, settings))
    return PutBack(newer=republish, outage=keep_locked if settings.broker == "servicebus" else republish)
