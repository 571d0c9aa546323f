"""The dashboard in a real browser: alerts arrive by themselves, restarts lose nothing, analysts act."""

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.builders import an_alarm
from tests.contract.books import TABLES
from tests.live_alerts import AlertsServer, Scorer


@pytest.fixture
def empty_database(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    return database_url


@pytest.fixture
def server(empty_database: str, redis_url: str) -> Iterator[AlertsServer]:
    server = AlertsServer(empty_database, redis_url)
    with server.running():
        yield server


@pytest.fixture
def scorer(empty_database: str, redis_url: str) -> Iterator[Scorer]:
    scorer = Scorer(empty_database, redis_url)
    yield scorer
    scorer.close()


@pytest.fixture
def dashboard(server: AlertsServer, page: Page) -> Page:
    page.goto(server.url)
    expect(page.locator("#connection")).to_have_text("live")
    return page


def accounts(page: Page) -> list[str]:
    return page.locator("#rows tr td:nth-child(2)").all_inner_texts()


def test_an_empty_dashboard_says_what_to_do(dashboard: Page) -> None:
    expect(dashboard.locator("#empty")).to_contain_text("POST a transaction")
    expect(dashboard.locator("#count-open")).to_have_text("0")


def test_an_alert_appears_without_a_reload(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert(account_id="acct-42", merchant_id="mer-42")
    row = dashboard.locator("#rows tr")
    expect(row).to_have_count(1)
    for text in ("acct-42", "mer-42", "25.00 USD", "0.95", "HIGH", "far above the account", "observed 900.00"):
        expect(row).to_contain_text(text)
    expect(dashboard.locator("#count-open")).to_have_text("1")


def test_the_page_shows_what_it_missed_after_a_restart_of_the_server_each_alert_once(
    dashboard: Page, scorer: Scorer, server: AlertsServer
) -> None:
    scorer.raise_alert(account_id="acct-before")
    expect(dashboard.locator("#rows tr")).to_have_count(1)
    server.stop()
    expect(dashboard.locator("#connection")).to_contain_text("trying again")
    scorer.raise_alert(account_id="acct-meanwhile")
    server.start()
    expect(dashboard.locator("#connection")).to_have_text("live", timeout=20_000)
    scorer.raise_alert(account_id="acct-after")
    expect(dashboard.locator("#rows tr")).to_have_count(3)
    assert accounts(dashboard) == ["acct-after", "acct-meanwhile", "acct-before"]


def test_a_page_opened_while_the_server_is_down_comes_up_with_it(server: AlertsServer, page: Page) -> None:
    page.goto(server.url)
    server.stop()
    expect(page.locator("#connection")).to_contain_text("trying again")
    server.start()
    expect(page.locator("#connection")).to_have_text("live", timeout=20_000)


def test_an_analyst_acknowledges_closes_and_reopens_an_alert(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert()
    dashboard.get_by_label("Analyst").fill("Ada")
    row = dashboard.locator("#rows tr")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row.locator(".pill", has_text="acknowledged")).to_be_visible()
    row.click()
    dashboard.get_by_label("Note").fill("Called the customer")
    dashboard.get_by_role("button", name="Close as fraud").click()
    expect(row.locator(".pill", has_text="fraud")).to_be_visible()
    events = dashboard.locator("#details-events")
    expect(events).to_contain_text("acknowledge by Ada")
    expect(events).to_contain_text("close as fraud by Ada")
    expect(events).to_contain_text("Called the customer")
    dashboard.get_by_role("button", name="Reopen").click()
    expect(row.locator(".pill", has_text="open")).to_be_visible()
    dashboard.reload()
    expect(dashboard.get_by_label("Analyst")).to_have_value("Ada")


def test_nobody_acts_without_a_name(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert()
    dashboard.locator("#rows tr").get_by_role("button", name="Acknowledge").click()
    expect(dashboard.get_by_label("Analyst")).to_be_focused()
    expect(dashboard.locator("#rows tr .pill", has_text="open")).to_be_visible()


def test_what_another_analyst_did_first_is_told_and_shown(
    dashboard: Page, scorer: Scorer, server: AlertsServer
) -> None:
    alert = scorer.raise_alert()
    expect(dashboard.locator("#rows tr")).to_have_count(1)
    dashboard.request.post(f"{server.url}/alerts/{alert.alert_id}/acknowledge", data={"by": "Grace"})
    dashboard.get_by_label("Analyst").fill("Ada")
    dashboard.locator("#rows tr").get_by_role("button", name="Acknowledge").click()
    expect(dashboard.locator("#details-error")).to_contain_text("it allows: close, reopen")
    expect(dashboard.locator("#details-events")).to_contain_text("acknowledge by Grace")


def test_text_from_outside_is_shown_as_text(dashboard: Page, scorer: Scorer) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    alarm = an_alarm()
    [reason] = alarm.reasons
    scorer.raise_alert(decision=replace(alarm, reasons=(replace(reason, text=evil, observed=evil),)))
    row = dashboard.locator("#rows tr")
    expect(row).to_contain_text(evil)
    row.click()
    expect(dashboard.locator("#details-reasons")).to_contain_text(evil)
    assert dashboard.locator("main img, aside img").count() == 0
    expect(dashboard).to_have_title(re.compile("FraudSense"))


def test_filters_choose_and_clear(dashboard: Page, scorer: Scorer) -> None:
    for account in ("acct-alpha", "acct-beta"):
        scorer.raise_alert(account_id=account)
    expect(dashboard.locator("#rows tr")).to_have_count(2)
    dashboard.locator("#filter-text").fill("BETA")
    expect(dashboard.locator("#rows tr")).to_have_count(1)
    assert accounts(dashboard) == ["acct-beta"]
    dashboard.locator("#filter-status").select_option("closed")
    expect(dashboard.locator("#empty")).to_contain_text("No alert matches")
    dashboard.locator("#filter-status").select_option("")
    dashboard.locator("#filter-text").fill("")
    expect(dashboard.locator("#rows tr")).to_have_count(2)


def test_the_keyboard_alone_is_enough(dashboard: Page, scorer: Scorer) -> None:
    dashboard.get_by_label("Analyst").fill("Ada")
    for account in ("acct-1", "acct-2"):
        scorer.raise_alert(account_id=account)
    expect(dashboard.locator("#rows tr")).to_have_count(2)
    dashboard.locator("#rows tr").first.focus()
    dashboard.keyboard.press("ArrowDown")
    dashboard.keyboard.press("a")
    expect(dashboard.locator("#rows tr").nth(1).locator(".pill", has_text="acknowledged")).to_be_visible()
    dashboard.keyboard.press("Enter")
    expect(dashboard.locator("#details")).to_contain_text("acct-1")
    dashboard.keyboard.press("Escape")
    expect(dashboard.locator("#details")).to_be_hidden()
    expect(dashboard.locator("#rows tr").nth(1)).to_be_focused()
