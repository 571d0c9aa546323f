// The dashboard: loads the newest alerts, follows the stream, and carries the analyst's actions to the server.

import { act, findAlert, listAlerts } from "./api.js";
import { Details } from "./details.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";

const REFRESH = 10_000; // other analysts' actions are seen after at most this long
const FRESH = 3_000;
const STATES = { connecting: "connecting", live: "live", away: "connection lost, trying again" };

const part = (name) => document.getElementById(name);
const store = new Store();
const fresh = new Set();
const table = new Table(part("rows"), { onOpen: openDetails, onAct: perform });
const details = new Details(perform);
const stream = new Stream({ onAlert, onState, onReady });
let drawing = false;
let counting = false;

function filters() {
  return { text: part("filter-text").value, label: part("filter-label").value, status: part("filter-status").value };
}

/** Draw once per animation frame, however many alerts arrive. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const alerts = store.matching(filters());
    const shown = table.show(alerts, { fresh, openId: details.openId });
    part("shown").textContent = shown < alerts.length ? `The newest ${shown} of ${alerts.length} alerts` : "";
    drawEmpty(shown === 0);
    drawCounts();
    if (details.openId) details.update(store.get(details.openId) ?? details.alert);
  });
}

function drawEmpty(isEmpty) {
  const hasAlerts = store.alerts.size > 0;
  part("empty").hidden = !isEmpty;
  part("alerts").hidden = isEmpty;
  part("empty-title").textContent = hasAlerts ? "No alert matches" : "No alerts yet";
  part("empty-text").textContent = hasAlerts
    ? "Clear the search or choose another label or status."
    : "POST a transaction to the ingest service; one that looks like fraud appears here by itself.";
  part("empty-example").hidden = hasAlerts;
}

function drawCounts() {
  part("count-today").textContent = store.countSince(new Date().setHours(0, 0, 0, 0));
  part("count-minute").textContent = store.countSince(Date.now() - 60_000);
}

function onAlert(alert) {
  store.put([alert]);
  fresh.add(alert.alert_id);
  setTimeout(() => fresh.delete(alert.alert_id), FRESH);
  draw();
  countOpenSoon();
}

function onState(state) {
  part("connection").dataset.state = state;
  part("connection").textContent = STATES[state];
}

/** Statuses may have changed while the page was away; a server that stands behind it has other alerts. */
function onReady(seq, mine) {
  if (seq < mine) store.clear();
  refresh();
}

async function refresh() {
  const { status, label } = filters();
  try {
    const newest = await listAlerts();
    store.put(newest.items);
    store.truncated ||= newest.next_cursor !== null;
    if (status || label) store.put((await listAlerts({ status, risk_label: label })).items);
    if (details.openId) store.put([await findAlert(details.openId)]);
    await countOpen();
    draw();
    return true;
  } catch {
    return false; // the connection's state tells the analyst; the next refresh tries again
  }
}

async function countOpen() {
  const { items, next_cursor } = await listAlerts({ status: "open" });
  part("count-open").textContent = `${items.length}${next_cursor === null ? "" : "+"}`;
}

function countOpenSoon() {
  if (counting) return;
  counting = true;
  setTimeout(() => countOpen().catch(() => {}).finally(() => (counting = false)), 1_000);
}

async function openDetails(alertId) {
  details.open(store.get(alertId));
  draw();
  try {
    store.put([await findAlert(alertId)]);
    draw();
  } catch (error) {
    details.complain(error.message);
  }
}

function closeDetails() {
  const alertId = details.openId;
  details.close();
  table.focusAlert(alertId);
  draw();
}

async function perform(alertId, action, { disposition, note } = {}) {
  const by = part("analyst").value.trim();
  if (!by) return askForName();
  try {
    store.put([await act(alertId, action, { by, disposition, note })]);
    details.complain("");
    draw();
    countOpenSoon();
  } catch (error) {
    await openDetails(alertId);
    details.complain(error.message);
  }
}

function askForName() {
  const field = part("analyst");
  field.setCustomValidity("Enter your name first: every step is recorded with who took it.");
  field.reportValidity();
  field.focus();
}

function onKey(event) {
  const isTyping = event.target.matches("input, textarea, select");
  if (event.key === "Escape" && details.openId) closeDetails();
  else if (event.key === "/" && !isTyping) part("filter-text").focus();
  else if (event.key === "ArrowDown" && event.target === document.body) table.focusAlert();
  else return;
  event.preventDefault();
}

function listenToAnalyst() {
  const analyst = part("analyst");
  analyst.value = localStorage.getItem("analyst") ?? "";
  analyst.addEventListener("input", () => {
    analyst.setCustomValidity("");
    localStorage.setItem("analyst", analyst.value.trim());
  });
  part("filter-text").addEventListener("input", draw);
  for (const name of ["filter-label", "filter-status"]) {
    part(name).addEventListener("change", () => {
      draw();
      refresh();
    });
  }
  part("filters").addEventListener("submit", (event) => event.preventDefault());
  part("details-close").addEventListener("click", closeDetails);
  document.addEventListener("keydown", onKey);
}

async function start() {
  listenToAnalyst();
  while (!(await refresh())) {
    onState("away");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  stream.start(store.highestSeq());
  setInterval(() => document.hidden || refresh(), REFRESH);
  setInterval(drawCounts, 5_000);
}

start();
