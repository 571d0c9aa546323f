// The table of alerts: rows are kept by alert, so that new ones neither move the focus nor repaint the others.

import { button, comparison, element, money, pill, riskBar, time } from "./dom.js";

const SHOWN = 200;

export class Table {
  /** `handlers`: onOpen(alert), onAct(alert, action). */
  constructor(body, handlers) {
    this.body = body;
    this.handlers = handlers;
    this.rows = new Map(); // alert id -> {alert, row}
    this.body.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Show the first rows of `alerts`; `fresh` ids are highlighted, `openId` is marked. Returns how many are shown. */
  show(alerts, { fresh, openId }) {
    const shown = alerts.slice(0, SHOWN);
    const ids = new Set(shown.map((alert) => alert.alert_id));
    for (const [id, { row }] of this.rows) {
      if (!ids.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
    let next = this.body.firstElementChild;
    for (const alert of shown) {
      const row = this.rowOf(alert, fresh.has(alert.alert_id));
      row.setAttribute("aria-selected", String(alert.alert_id === openId));
      if (row === next) next = row.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
    this.makeReachable();
    return shown.length;
  }

  rowOf(alert, isFresh) {
    const known = this.rows.get(alert.alert_id);
    if (known?.alert === alert) return known.row;
    const row = known?.row ?? this.newRow(alert.alert_id, isFresh);
    row.dataset.status = alert.status;
    this.fill(row, alert);
    this.rows.set(alert.alert_id, { alert, row });
    return row;
  }

  newRow(alertId, isFresh) {
    const row = element("tr", { tabindex: "-1", className: isFresh ? "fresh" : "", "data-id": alertId });
    row.addEventListener("click", () => this.handlers.onOpen(alertId));
    return row;
  }

  fill(row, alert) {
    const hadFocus = row.contains(document.activeElement) && row !== document.activeElement;
    row.replaceChildren(
      element("td", {}, time(alert.created_at)),
      element("td", { className: "id" }, alert.account_id),
      element("td", { className: "id" }, alert.merchant_id),
      element("td", { className: "number" }, money(alert.amount, alert.currency)),
      element("td", {}, riskBar(alert.risk, alert.risk_label)),
      element("td", {}, pill(alert.risk_label)),
      element("td", { className: "why" }, ...this.reasons(alert)),
      element("td", {}, pill(alert.disposition ?? alert.status)),
      element("td", { className: "act" }, ...this.quickAction(alert)),
    );
    if (hadFocus) row.focus();
  }

  reasons({ reasons }) {
    const [strongest, ...others] = reasons;
    if (!strongest) return [];
    const more = others.length ? [element("span", { className: "more" }, `+${others.length}`)] : [];
    return [element("span", { title: strongest.code }, strongest.text), ...more, comparison(strongest)];
  }

  quickAction(alert) {
    if (alert.status === "open") return [button("Acknowledge", () => this.handlers.onAct(alert.alert_id, "acknowledge"))];
    return alert.status === "acknowledged" ? [button("Close…", () => this.handlers.onOpen(alert.alert_id))] : [];
  }

  /** One row takes part in the tab order: the focused one, else the first. */
  makeReachable() {
    const current = this.body.querySelector("tr[tabindex='0']") ?? this.body.firstElementChild;
    current?.setAttribute("tabindex", "0");
  }

  focus(row) {
    if (!row) return;
    for (const other of this.body.querySelectorAll("tr[tabindex='0']")) other.setAttribute("tabindex", "-1");
    row.setAttribute("tabindex", "0");
    row.focus();
  }

  focusAlert(alertId) {
    this.focus(this.rows.get(alertId)?.row ?? this.body.firstElementChild);
  }

  onKey(event) {
    const row = event.target.closest("tr");
    if (event.key === "ArrowDown") this.focus(row.nextElementSibling);
    else if (event.key === "ArrowUp") this.focus(row.previousElementSibling);
    else if (event.target !== row) return;
    else if (event.key === "Enter") this.handlers.onOpen(row.dataset.id);
    else if (event.key === "a") this.handlers.onAct(row.dataset.id, "acknowledge");
    else return;
    event.preventDefault();
  }
}
