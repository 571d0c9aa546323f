"""The dashboard in a real browser: alerts arrive by themselves, restarts lose nothing, analysts act."""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest
from playwright.async_api import Page, expect

from tests.builders import an_alarm
from tests.contract.books import TABLES
from tests.live_alerts import AlertsServer, PrivateRedis, Scorer


@pytest.fixture(scope="module")
def private_redis() -> Iterator[PrivateRedis]:
    server = PrivateRedis()
    with server.running():
        yield server


@pytest.fixture(scope="module")
def server(database_url: str, private_redis: PrivateRedis) -> Iterator[AlertsServer]:
    server = AlertsServer(database_url, private_redis.url)
    with server.running():
        yield server


@pytest.fixture
def scorer(database_url: str, private_redis: PrivateRedis) -> Iterator[Scorer]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLES}")
    scorer = Scorer(database_url, private_redis.url)
    yield scorer
    scorer.close()


@pytest.fixture
async def dashboard(server: AlertsServer, scorer: Scorer, page: Page) -> Page:
    await page.goto(server.url)
    await expect(page.locator("#connection")).to_have_text("live")
    return page


async def accounts(page: Page) -> list[str]:
    return await page.locator("#rows tr td:nth-child(2)").all_inner_texts()


async def test_an_empty_dashboard_says_what_to_do(dashboard: Page) -> None:
    await expect(dashboard.locator("#empty")).to_contain_text("POST a transaction")
    await expect(dashboard.locator("#count-open")).to_have_text("0")


async def test_an_alert_appears_without_a_reload(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert(account_id="acct-42", merchant_id="mer-42")
    row = dashboard.locator("#rows tr")
    await expect(row).to_have_count(1)
    for text in ("acct-42", "mer-42", "25.00 USD", "0.95", "HIGH", "far above the account", "observed 900.00"):
        await expect(row).to_contain_text(text)
    await expect(dashboard.locator("#count-open")).to_have_text("1")


async def test_amounts_have_as_many_decimals_as_their_currency(dashboard: Page, scorer: Scorer) -> None:
    for amount, currency in (("2500", "JPY"), ("2.5", "KWD"), ("0.0125", "USD")):
        scorer.raise_alert(amount=Decimal(amount), currency=currency)
    shown = dashboard.locator("#rows td.number")
    await expect(shown).to_have_text(["0.0125 USD", "2.500 KWD", "2,500 JPY"])


async def test_the_page_shows_what_it_missed_after_a_restart_of_the_server_each_alert_once(
    dashboard: Page, scorer: Scorer, server: AlertsServer
) -> None:
    streams = []
    dashboard.on("websocket", lambda stream: streams.append(stream.url))
    before = scorer.raise_alert(account_id="acct-before")
    await expect(dashboard.locator("#rows tr")).to_have_count(1)
    server.stop()
    await expect(dashboard.locator("#connection")).to_contain_text("trying again")
    scorer.raise_alert(account_id="acct-meanwhile")
    server.start()
    await expect(dashboard.locator("#connection")).to_have_text("live", timeout=20_000)
    scorer.raise_alert(account_id="acct-after")
    await expect(dashboard.locator("#rows tr")).to_have_count(3)
    assert await accounts(dashboard) == ["acct-after", "acct-meanwhile", "acct-before"]
    assert set(streams) == {f"{server.stream_url}?after={before.seq}"}


async def test_a_page_opened_while_the_server_is_down_comes_up_with_it(server: AlertsServer, page: Page) -> None:
    await page.goto(server.url)
    server.stop()
    await expect(page.locator("#connection")).to_contain_text("trying again")
    server.start()
    await expect(page.locator("#connection")).to_have_text("live", timeout=20_000)


async def test_an_analyst_acknowledges_closes_and_reopens_an_alert(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert()
    await dashboard.get_by_label("Analyst").fill("Ada")
    row = dashboard.locator("#rows tr")
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row.locator(".pill", has_text="acknowledged")).to_be_visible()
    await row.click()
    await dashboard.get_by_label("Note").fill("Called the customer")
    await dashboard.get_by_role("button", name="Close as fraud").click()
    await expect(row.locator(".pill", has_text="fraud")).to_be_visible()
    events = dashboard.locator("#details-events")
    await expect(events).to_contain_text("acknowledge by Ada")
    await expect(events).to_contain_text("close as fraud by Ada")
    await expect(events).to_contain_text("Called the customer")
    await dashboard.get_by_role("button", name="Reopen").click()
    await expect(row.locator(".pill", has_text="open")).to_be_visible()
    await dashboard.reload()
    await expect(dashboard.get_by_label("Analyst")).to_have_value("Ada")


async def test_nobody_acts_without_a_name(dashboard: Page, scorer: Scorer) -> None:
    scorer.raise_alert()
    await dashboard.locator("#rows tr").get_by_role("button", name="Acknowledge").click()
    await expect(dashboard.get_by_label("Analyst")).to_be_focused()
    await expect(dashboard.locator("#rows tr .pill", has_text="open")).to_be_visible()


async def test_what_another_analyst_did_first_is_told_and_shown(
    dashboard: Page, scorer: Scorer, server: AlertsServer
) -> None:
    alert = scorer.raise_alert()
    await expect(dashboard.locator("#rows tr")).to_have_count(1)
    await dashboard.request.post(f"{server.url}/alerts/{alert.alert_id}/acknowledge", data={"by": "Grace"})
    await dashboard.get_by_label("Analyst").fill("Ada")
    await dashboard.locator("#rows tr").get_by_role("button", name="Acknowledge").click()
    await expect(dashboard.locator("#details-error")).to_contain_text("it allows: close, reopen")
    await expect(dashboard.locator("#details-events")).to_contain_text("acknowledge by Grace")


async def test_text_from_outside_is_shown_as_text(dashboard: Page, scorer: Scorer) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    alarm = an_alarm()
    [reason] = alarm.reasons
    scorer.raise_alert(decision=replace(alarm, reasons=(replace(reason, text=evil, observed=evil),)))
    row = dashboard.locator("#rows tr")
    await expect(row).to_contain_text(evil)
    await row.click()
    await expect(dashboard.locator("#details-reasons")).to_contain_text(evil)
    assert await dashboard.locator("main img, aside img").count() == 0
    await expect(dashboard).to_have_title(re.compile("FraudSense"))


async def test_filters_choose_and_clear(dashboard: Page, scorer: Scorer) -> None:
    for account in ("acct-alpha", "acct-beta"):
        scorer.raise_alert(account_id=account)
    await expect(dashboard.locator("#rows tr")).to_have_count(2)
    await dashboard.locator("#filter-text").fill("BETA")
    await expect(dashboard.locator("#rows tr")).to_have_count(1)
    assert await accounts(dashboard) == ["acct-beta"]
    await dashboard.locator("#filter-status").select_option("closed")
    await expect(dashboard.locator("#empty")).to_contain_text("No alert matches")
    await dashboard.locator("#filter-status").select_option("")
    await dashboard.locator("#filter-text").fill("")
    await expect(dashboard.locator("#rows tr")).to_have_count(2)


async def test_the_keyboard_alone_is_enough(dashboard: Page, scorer: Scorer) -> None:
    await dashboard.get_by_label("Analyst").fill("Ada")
    for account in ("acct-1", "acct-2"):
        scorer.raise_alert(account_id=account)
    await expect(dashboard.locator("#rows tr")).to_have_count(2)
    await dashboard.locator("#rows tr").first.focus()
    await dashboard.keyboard.press("ArrowDown")
    await dashboard.keyboard.press("a")
    await expect(dashboard.locator("#rows tr").nth(1).locator(".pill", has_text="acknowledged")).to_be_visible()
    await dashboard.keyboard.press("Enter")
    await expect(dashboard.locator("#details")).to_contain_text("acct-1")
    await dashboard.keyboard.press("Escape")
    await expect(dashboard.locator("#details")).to_be_hidden()
    await expect(dashboard.locator("#rows tr").nth(1)).to_be_focused()
