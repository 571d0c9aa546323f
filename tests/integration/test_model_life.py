"""A model from its folder to decisions: registered, promoted, on trial, rolled back; scorers follow."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import psycopg
import pytest

from functions.score.deployments import DeployedModels, NotAsDeployed
from functions.score.health import Health
from ml.__main__ import COMMANDS
from ml.forest import load_scorer
from shared.command_line import main
from shared.database.recorder import PostgresRecorder
from shared.database.signals import keep_signals
from shared.domain.history import History
from shared.domain.signals import PriceLevel, Signals
from shared.model_registry import FolderRegistry
from shared.rules_file import SHIPPED_RULES
from shared.settings import SHIPPED_MODEL
from shared.telemetry.metrics import configure_metrics, render
from tests.builders import NOON, a_scored_transaction, a_transaction
from tests.contract.books import TABLES
from tests.models import a_model, spoil

ROOT = Path(__file__).parents[2]
SHIPPED = load_scorer(SHIPPED_MODEL)


@dataclass
class Life:
    """A registry and a database, and a scorer whose clock is moved by hand."""

    registry: Path
    connection: psycopg.Connection
    url: str
    clock: float = 0.0

    def __post_init__(self) -> None:
        registry = FolderRegistry(self.registry)
        self.models = DeployedModels(self.url, registry, SHIPPED, SHIPPED_MODEL, clock=lambda: self.clock)

    def ml(self, *words: str) -> int:
        return main("python -m ml", "", COMMANDS, words)

    def registered(self, seed: int) -> str:
        folder = self.registry.parent / f"model-{seed}"
        version = a_model(folder, seed=seed)
        assert self.ml("register", str(folder)) == 0
        return version

    def deciding(self, *accounts: str) -> list[str]:
        """The versions that decide for these accounts ten seconds later."""
        self.clock += 10
        transactions = [a_transaction(account_id=each) for each in accounts or ["acct-1"]]
        decisions = self.models.scorer(NOON).decide(transactions, [History()] * len(transactions))
        return [each.model_version for each in decisions]


@pytest.fixture
def life(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    registry = tmp_path / "registry"
    monkeypatch.setenv("FRAUDSENSE_DATABASE_URL", database_url)
    monkeypatch.setenv("FRAUDSENSE_MODEL_REGISTRY", str(registry))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
        yield Life(registry, connection, database_url)
        connection.execute(f"TRUNCATE {TABLES}")


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_without_a_deployment_the_model_it_was_started_with_serves(life: Life) -> None:
    assert life.deciding() == [SHIPPED.model_version]


def test_a_scorer_follows_promotion_and_rollback_without_a_restart(life: Life) -> None:
    one, two = life.registered(1), life.registered(2)
    followed = []
    for words in (("promote", one), ("promote", two), ("rollback",), ("rollback",)):
        assert life.ml(*words, *(["--stage", "champion"] if len(words) > 1 else [])) == 0
        followed += life.deciding()

    assert followed == [one, two, one, two]


def test_before_the_first_champion_was_the_model_of_the_settings(life: Life) -> None:
    life.ml("promote", life.registered(1), "--stage", "champion")

    assert life.ml("rollback") == 0
    assert life.deciding() == [SHIPPED.model_version]


def test_drift_is_the_champions_and_starts_anew_with_another(life: Life) -> None:
    def measured() -> int:
        return len(re.findall(rb"^score_drift_psi{", render(), re.MULTILINE))

    configure_metrics("score")
    one, two = life.registered(1), life.registered(2)
    life.deciding(*["acct-1"] * 1000)
    before = measured()
    life.ml("promote", one, "--stage", "canary", "--share", "100%")
    life.ml("promote", two, "--stage", "shadow")
    assert set(life.deciding()) == {one}
    beside_others = measured()
    life.ml("promote", one, "--stage", "champion")
    life.deciding()

    assert (before > 10, beside_others, measured()) == (True, before, 0)


def test_news_are_asked_for_every_ten_seconds_only(life: Life) -> None:
    before = life.deciding()
    life.ml("promote", life.registered(1), "--stage", "champion")
    life.clock += 9.9

    at_once = life.models.scorer(NOON).decide([a_transaction()], [History()])

    assert [each.model_version for each in at_once] == before
    assert life.deciding() != before


def test_a_larger_share_keeps_the_accounts_of_a_canary(life: Life) -> None:
    version, accounts = life.registered(1), [f"acct-{n}" for n in range(300)]
    inside = []
    for share in ("5%", "40%", "100%"):
        assert life.ml("promote", version, "--stage", "canary", "--share", share) == 0
        decided = life.deciding(*accounts)
        inside.append({name for name, by in zip(accounts, decided, strict=True) if by == version})

    assert 0 < len(inside[0]) < len(inside[1]) < len(inside[2]) == len(accounts)
    assert inside[0] < inside[1]


def test_the_version_that_decided_and_what_shadows_said_are_recorded(life: Life) -> None:
    champion, shadow = life.registered(1), life.registered(2)
    life.ml("promote", champion, "--stage", "champion")
    life.ml("promote", shadow, "--stage", "shadow")
    life.clock += 10
    scorer, pasts = life.models.scorer(NOON), ([a_transaction()], [History()])
    scored = a_scored_transaction(decision=scorer.decide(*pasts)[0])
    recorder = PostgresRecorder(life.url)
    for _ in range(2):
        recorder.record([replace(scored, shadows=scorer.shadows(*pasts)[0])], [])
    recorder.close()

    def rows(table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT transaction_id, model_version, round(score::numeric, 9) FROM {table}"  # noqa: S608
        return life.connection.execute(query).fetchall()

    [(name, decided_by, risk)], [(same, watched_by, shadow_risk)] = rows("scores"), rows("shadow_scores")
    assert (name, decided_by, watched_by) == (same, champion, shadow)
    assert risk == shadow_risk
    assert life.connection.execute("SELECT count(*) FROM alerts").fetchone() == (0,)


def seconds_until_recorded(life: Life, recorder: PostgresRecorder, version: str, at_least: int, table: str) -> int:
    """A batch of twenty accounts a second is recorded until the table has this version for enough of them."""
    query = f"SELECT count(*) FROM {table} WHERE model_version = %s AND transaction_id LIKE %s"  # noqa: S608
    for second in range(60):
        life.clock += 1
        names = {f"at-{life.clock:g}-{n}": f"acct-{n}" for n in range(20)}
        transactions = [a_transaction(transaction_id=name, account_id=who) for name, who in names.items()]
        pasts, scorer = (transactions, [History()] * len(names)), life.models.scorer(NOON)
        told = zip(names.items(), scorer.decide(*pasts), scorer.shadows(*pasts), strict=True)
        scored = [
            replace(a_scored_transaction(name, account_id=who, decision=decision), shadows=shadows)
            for (name, who), decision, shadows in told
        ]
        recorder.record(scored, [])
        [(found,)] = life.connection.execute(query, (version, f"at-{life.clock:g}-%")).fetchall()
        if found >= at_least:
            return second
    raise AssertionError(f"{version} never came to {table}")


def test_a_running_scorer_follows_shadow_canary_champion_and_rollback_within_30_seconds(life: Life) -> None:
    one, two = life.registered(1), life.registered(2)
    recorder, waited = PostgresRecorder(life.url), []
    for words, version, at_least, table in (
        (["promote", one, "--stage", "champion"], one, 20, "scores"),
        (["promote", two, "--stage", "shadow"], two, 20, "shadow_scores"),
        (["promote", two, "--stage", "canary", "--share", "50%"], two, 1, "scores"),
        (["promote", two, "--stage", "champion"], two, 20, "scores"),
        (["rollback"], one, 20, "scores"),
    ):
        assert life.ml(*words) == 0
        waited.append(seconds_until_recorded(life, recorder, version, at_least, table))
    recorder.close()

    assert max(waited) < 30


def missing(life: Life, version: str) -> None:
    rmtree(life.registry / version)


def altered(life: Life, version: str) -> None:
    spoil(life.registry / version)


def misnamed(life: Life, version: str) -> None:
    rmtree(life.registry / version)
    a_model(life.registry / version, seed=99)


def away(life: Life, _: str) -> None:
    life.connection.execute("ALTER TABLE model_deployments RENAME TO gone")


@pytest.mark.parametrize("spoiled", [missing, altered, misnamed, away])
def test_a_reload_that_fails_keeps_what_runs_until_it_is_mended(
    life: Life, caplog: pytest.LogCaptureFixture, spoiled: Callable[[Life, str], None]
) -> None:
    one, two = life.registered(1), life.registered(2)
    life.ml("promote", one, "--stage", "champion")
    assert life.deciding() == [one]
    life.ml("promote", two, "--stage", "champion")
    spoiled(life, two)
    try:
        assert [life.deciding(), life.deciding()] == [[one], [one]]
        assert [record.event for record in caplog.records if record.levelname == "ERROR"] == ["reload_failed"]
    finally:
        life.connection.execute("ALTER TABLE IF EXISTS gone RENAME TO model_deployments")
    rmtree(life.registry / two, ignore_errors=True)
    life.ml("register", str(life.registry.parent / "model-2"))

    assert life.deciding() == [two]


@pytest.mark.parametrize(("stage", "share"), [("champion", []), ("canary", ["--share", "5%"]), ("shadow", [])])
def test_a_scorer_is_not_ready_until_what_is_deployed_can_be_loaded(
    life: Life, stage: str, share: list[str]
) -> None:
    version, health = life.registered(1), Health({"models": life.models.check}, clock=lambda: life.clock)
    life.ml("promote", version, "--stage", stage, *share)
    missing(life, version)

    before_a_message = health.problem()
    life.ml("register", str(life.registry.parent / "model-1"))
    life.clock += 10

    assert before_a_message is not None
    assert before_a_message.startswith(
        f"models: The {stage} {version} cannot be loaded; scoring with {SHIPPED.model_version}. "
        f"{life.registry} holds no model {version}: register it"
    )
    assert health.problem() is None


@pytest.mark.parametrize("spoiled", [missing, altered, misnamed, away])
def test_nor_is_one_that_keeps_what_runs(life: Life, spoiled: Callable[[Life, str], None]) -> None:
    one, two = life.registered(1), life.registered(2)
    life.ml("promote", one, "--stage", "champion")
    assert life.deciding() == [one]
    life.ml("promote", two, "--stage", "champion")
    spoiled(life, two)
    try:
        life.clock += 10
        with pytest.raises(NotAsDeployed, match=f"; scoring with {one}\\."):
            life.models.check()
    finally:
        life.connection.execute("ALTER TABLE IF EXISTS gone RENAME TO model_deployments")


def test_lists_and_signals_are_read_even_where_a_model_cannot_be(life: Life) -> None:
    version = life.registered(1)
    life.ml("promote", version, "--stage", "shadow")
    missing(life, version)
    life.connection.execute(
        "INSERT INTO listed (kind, value, verdict, by) VALUES ('account', 'a', 'block', 'ada')"
    )
    prices = Signals(merchant_prices={"mer-1": PriceLevel(12, 3.0, 0.5)})
    newest, _ = keep_signals(life.connection, NOON.date(), prices)

    life.deciding()

    champion = life.models.scorer(NOON).snapshot.champion
    assert [value for _, value in champion.lists.entries] == ["a"]
    assert champion.signals.version == newest.version
    assert champion.signals.merchant_prices["mer-1"] == PriceLevel(12, 3.0, 0.5)


def test_the_list_tells_what_each_model_does(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = (life.registered(n) for n in (1, 2, 3))
    life.ml("promote", one, "--stage", "champion", "--by", "ada")
    life.ml("promote", two, "--stage", "canary", "--share", "2.5%", "--by", "ada")
    capsys.readouterr()

    assert life.ml("list", "--json") == 0
    models = {each["model_version"]: each for each in last_json(capsys)["models"]}
    doing = {version: each["running"] and each["running"]["stage"] for version, each in models.items()}
    assert doing == {one: "champion", two: "canary", three: None}
    assert (models[two]["running"]["share_percent"], models[two]["running"]["by"]) == (2.5, "ada")
    missing(life, two)
    assert life.ml("list") == 1
    assert "unreadable" in capsys.readouterr().out
    assert life.ml("withdraw", two) == 0
    assert life.ml("list") == 0


def test_a_canary_that_becomes_champion_is_no_canary_any_more(life: Life) -> None:
    version = life.registered(1)
    life.ml("promote", version, "--stage", "canary", "--share", "5%")
    life.ml("promote", version, "--stage", "champion")

    running = "SELECT stage FROM model_deployments WHERE retired_at IS NULL"
    assert life.connection.execute(running).fetchall() == [("serving",)]


def test_other_rules_make_another_version(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    rules = life.registry.parent / "rules.yaml"
    rules.write_text(SHIPPED_RULES.read_text() + "\n# reviewed\n")

    assert life.ml("register", str(SHIPPED_MODEL), "--rules", str(rules), "--json") == 0
    version = last_json(capsys)["model_version"]

    assert version != SHIPPED.model_version
    assert life.ml("promote", version, "--stage", "champion") == 0
    assert life.deciding() == [version]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["register", "nowhere"], "There is no readable manifest.json in nowhere"),
        (["register", str(SHIPPED_MODEL), "--rules", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["promote", "forest-0", "--stage", "champion"], "holds no model forest-0: register it with"),
        (["promote", "forest-0", "--stage", "canary"], "--share belongs to a canary"),
        (["promote", "forest-0", "--stage", "shadow", "--share", "5%"], "--share belongs to a canary"),
        (["withdraw", "forest-0"], "forest-0 is neither canary nor shadow"),
        (["rollback"], "No model was ever champion"),
    ],
)
def test_what_makes_no_sense_is_told(
    life: Life, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert life.ml(*words) == 2
    assert problem in capsys.readouterr().err


def test_the_champion_cannot_be_put_on_trial(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    version = life.registered(1)
    life.ml("promote", version, "--stage", "champion")

    assert life.ml("promote", version, "--stage", "shadow") == 2
    assert "is champion and cannot be shadow as well" in capsys.readouterr().err


def test_registering_needs_no_database(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ml", "register", str(SHIPPED_MODEL), "--json"],
        cwd=ROOT,
        env=os.environ | {"FRAUDSENSE_MODEL_REGISTRY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert json.loads(done.stdout) == {"model_version": SHIPPED.model_version, "known": False}
    assert FolderRegistry(tmp_path).versions() == [SHIPPED.model_version]
