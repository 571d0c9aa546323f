"""What score decides with: deployed models, lists and signals, kept up to date with the database."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import psycopg

from functions.score.drift import Drift
from ml.forest import load_scorer
from shared.database.connection import open_connection
from shared.database.deployments import read_deployments
from shared.database.listed import read_lists
from shared.database.signals import newest_signals, newest_version
from shared.domain.decision import Decision
from shared.domain.deployment import Deployments, Stage
from shared.domain.errors import FraudSenseError, ModelInvalid
from shared.domain.history import History
from shared.domain.lists import NO_LISTS, Lists
from shared.domain.scoring import Scorer
from shared.domain.scoring_snapshot import ScoringSnapshot, Trial
from shared.domain.signals import Signals
from shared.domain.transaction import Transaction
from shared.ports import ModelRegistry
from shared.telemetry import metrics
from shared.telemetry.logs import Event, log

logger = logging.getLogger(__name__)

REFRESHED_EVERY = timedelta(seconds=10)
ANSWERING = timedelta(seconds=3)
"""No batch waits longer for news."""


class NotAsDeployed(FraudSenseError):
    """Other models decide than those that the database names; the message says why."""


@dataclass(frozen=True, slots=True)
class BatchScorer:
    """Implements ports.Scorer with one snapshot."""

    snapshot: ScoringSnapshot

    def decide(self, transactions: Sequence[Transaction], histories: Sequence[History]) -> list[Decision]:
        """See the port."""
        return self.snapshot.decide(transactions, histories)

    def shadows(
        self, transactions: Sequence[Transaction], histories: Sequence[History]
    ) -> list[tuple[Decision, ...]]:
        """See the port."""
        told = [self._shadow(scorer, transactions, histories) for scorer in self.snapshot.shadows]
        columns = [decisions for decisions in told if decisions is not None]
        return [tuple(column[n] for column in columns) for n in range(len(transactions))]

    def _shadow(
        self, scorer: Scorer, transactions: Sequence[Transaction], histories: Sequence[History]
    ) -> list[Decision] | None:
        try:
            return scorer.decide(transactions, histories)
        except Exception:
            metrics.count(metrics.SHADOW_FAILURES)
            extra = {"event": str(Event.UNEXPECTED_ERROR), "model_version": scorer.model_version}
            logger.exception("A shadow failed; the decisions stand without it.", extra=extra)
            return None


class DeployedModels:
    """Hands out what to score a batch with; between batches, at most every ten seconds, it asks for news.

    What fails to load is logged, counted and told by `check`, and what runs is kept. Safe for threads, which take
    turns.
    """

    def __init__(
        self,
        url: str,
        registry: ModelRegistry,
        model: Scorer,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`model`, that of `folder`, serves as long as there is no champion."""
        self._url, self._registry, self._model, self._clock = url, registry, model, clock
        self._folders = {model.model_version: folder}
        self._drift = Drift(clock)
        self._turn = Lock()
        self._asked_at = float("-inf")
        self._deployments, self._models = Deployments(), ScoringSnapshot(model)
        self._signals: Signals | None = None
        self._problem = ""
        self._drift.follow(folder)
        metrics.show_from(metrics.DRIFT, self._drift.indices)
        self._equip(NO_LISTS)

    def scorer(self, now: datetime) -> BatchScorer:
        """For one batch; never fails, and asks for news for 3 s at most."""
        with self._turn:
            self._keep_up()
            return BatchScorer(self._snapshot.at(now))

    def check(self) -> None:
        """Raises NotAsDeployed where the news could not be had or loaded; asks for them as a batch would."""
        with self._turn:
            self._keep_up()
            if self._problem:
                raise NotAsDeployed(self._problem)

    def _keep_up(self) -> None:
        if self._clock() - self._asked_at >= REFRESHED_EVERY.total_seconds():
            self._refresh()
            self._asked_at = self._clock()

    def _refresh(self) -> None:
        try:
            deployments, lists = self._read()
            self._equip(lists)
            self._change_models(deployments)
            self._equip(lists)
            self._problem = ""
        except Exception as error:  # noqa: BLE001 - counted and logged; what runs goes on
            self._tell_failure(error)

    def _equip(self, lists: Lists) -> None:
        equipped = self._models.equipped(lists, self._signals)
        self._snapshot = replace(equipped, champion=replace(equipped.champion, watch=self._drift.add))

    def _read(self) -> tuple[Deployments, Lists]:
        with open_connection(self._url, within=ANSWERING) as connection:
            self._read_signals(connection)
            return read_deployments(connection), read_lists(connection)

    def _read_signals(self, connection: psycopg.Connection) -> None:
        """Megabytes, so only where they are others than those at hand."""
        known = self._signals and self._signals.version
        if newest_version(connection) != known:
            self._signals = newest_signals(connection)

    def _change_models(self, deployments: Deployments) -> None:
        """All of them, or none where one cannot be loaded."""
        if deployments == self._deployments:
            return
        loaded = {version: self._load(version, deployments.stage(version)) for version in deployments.versions}
        canary = deployments.canary
        former = self._models.champion.model_version
        self._models = ScoringSnapshot(
            champion=loaded[deployments.champion] if deployments.champion else self._model,
            trial=Trial(canary, loaded[canary.model_version]) if canary else None,
            shadows=tuple(loaded[version] for version in deployments.shadows),
        )
        self._deployments = deployments
        if (version := self._models.champion.model_version) != former:
            self._drift.follow(self._folders[version])
        log(
            logger,
            logging.INFO,
            Event.MODELS_CHANGED,
            champion=self._models.champion.model_version,
            canary=canary and f"{canary.model_version} for {canary.share / 100:g} % of the accounts",
            shadows=deployments.shadows,
        )

    def _load(self, model_version: str, stage: Stage) -> Scorer:
        try:
            return self._loaded(model_version)
        except FraudSenseError as error:
            running = self._models.champion.model_version
            told = f"The {stage} {model_version} cannot be loaded; scoring with {running}. {error}"
            raise NotAsDeployed(told) from error

    def _loaded(self, model_version: str) -> Scorer:
        """From memory where it serves already; raises ModelInvalid or RegistryUnavailable."""
        for scorer in (self._model, *self._models.scorers):
            if scorer.model_version == model_version:
                return scorer
        folder = self._registry.fetch(model_version)
        scorer = load_scorer(folder)
        if scorer.model_version != model_version:
            raise ModelInvalid(
                f"{folder} holds {scorer.model_version} instead of {model_version}: register that model again."
            )
        self._folders[model_version] = folder
        return scorer

    def _tell_failure(self, error: Exception) -> None:
        metrics.count(metrics.RELOAD_FAILURES)
        version = self._models.champion.model_version
        problem = str(error) if isinstance(error, NotAsDeployed) else _unreadable(error, version)
        if problem != self._problem:
            log(logger, logging.ERROR, Event.RELOAD_FAILED, problem, keeps=version)
        self._problem = problem


def _unreadable(error: Exception, running: str) -> str:
    cause = f"{type(error).__name__}: {error}"
    return f"Deployments, lists or signals cannot be read; scoring with {running}. {cause}"
