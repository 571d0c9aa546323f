// The panel beside the table: everything about one alert, its history, and what an analyst can do with it.

import { button, comparison, element, money, pill, riskBar, time } from "./dom.js";

const ACTIONS = {
  open: [["Acknowledge", "acknowledge"], ["Close as fraud", "close", "fraud"],
    ["Close as legitimate", "close", "legitimate"], ["Close as inconclusive", "close", "inconclusive"]],
  acknowledged: [["Close as fraud", "close", "fraud"], ["Close as legitimate", "close", "legitimate"],
    ["Close as inconclusive", "close", "inconclusive"], ["Reopen", "reopen"]],
  closed: [["Reopen", "reopen"]],
};

const part = (name) => document.getElementById(name);

export class Details {
  /** `onAct(alertId, action, {disposition?, note?})` is called for the buttons. */
  constructor(onAct) {
    this.onAct = onAct;
    this.alert = null;
  }

  get openId() {
    return this.alert?.alert_id;
  }

  open(alert) {
    const isOther = alert.alert_id !== this.openId;
    part("details").hidden = false;
    this.update(alert);
    if (isOther) {
      part("note").value = "";
      this.complain("");
      part("details").scrollTop = 0;
      part("details").focus({ preventScroll: true });
    }
  }

  close() {
    this.alert = null;
    part("details").hidden = true;
  }

  complain(sentence) {
    part("details-error").textContent = sentence;
  }

  update(alert) {
    if (alert === this.alert) return;
    this.alert = alert;
    part("details-title").textContent = `${money(alert.amount, alert.currency)} at ${alert.merchant_id}`;
    part("details-facts").replaceChildren(...this.facts(alert));
    part("details-reasons").replaceChildren(...alert.reasons.map((reason) => this.reason(reason)));
    part("details-actions").replaceChildren(...ACTIONS[alert.status].map((choice) => this.action(choice)));
    part("details-events").replaceChildren(...this.events(alert));
  }

  facts(alert) {
    const facts = [
      ["Account", alert.account_id], ["Merchant", alert.merchant_id], ["Transaction", alert.transaction_id],
      ["Risk", riskBar(alert.risk, alert.risk_label)], ["Label", pill(alert.risk_label)],
      ["Status", pill(alert.disposition ?? alert.status)], ["Paid", time(alert.occurred_at)],
      ["Raised", time(alert.created_at)], ["Threshold", alert.threshold.toFixed(3)], ["Model", alert.model_version],
    ];
    return facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }

  reason(reason) {
    return element("li", {}, element("strong", {}, reason.text), comparison(reason), element("code", {}, reason.code));
  }

  action([label, action, disposition]) {
    const note = () => part("note").value.trim() || undefined;
    return button(label, () => this.onAct(this.openId, action, { disposition, note: note() }), disposition ?? action);
  }

  events({ created_at, events = [] }) {
    const raised = element("li", {}, time(created_at), " raised");
    return [raised, ...events.map((event) => this.event(event))];
  }

  event({ at, action, by, disposition, note }) {
    const what = `${action}${disposition ? ` as ${disposition}` : ""} by ${by}`;
    return element("li", {}, time(at), ` ${what}`, ...(note ? [element("q", {}, note)] : []));
  }
}
