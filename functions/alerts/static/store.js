// The alerts the page knows, by id; the newest are kept.

const KEPT = 1000;

export class Store {
  constructor() {
    this.alerts = new Map();
    this.truncated = false; // whether the server has older alerts than the oldest one here
  }

  /** Add or update alerts; what the stream announces has no status and never overwrites one. An alert that is
   * as it was stays the same object, so that nothing is drawn again. */
  put(alerts) {
    for (const alert of alerts) {
      const known = this.alerts.get(alert.alert_id);
      const now = { status: "open", ...known, ...alert };
      if (JSON.stringify(now) !== JSON.stringify(known)) this.alerts.set(alert.alert_id, now);
    }
    if (this.alerts.size > KEPT) this.forgetOldest();
  }

  forgetOldest() {
    this.truncated = true;
    for (const alert of this.newestFirst().slice(KEPT)) this.alerts.delete(alert.alert_id);
  }

  clear() {
    this.alerts.clear();
    this.truncated = false;
  }

  get(alertId) {
    return this.alerts.get(alertId);
  }

  newestFirst() {
    return [...this.alerts.values()].sort((a, b) => b.seq - a.seq);
  }

  highestSeq() {
    return Math.max(0, ...[...this.alerts.values()].map((alert) => alert.seq));
  }

  /** Alerts that match {text, label, status}, newest first. */
  matching({ text, label, status }) {
    const wanted = text.trim().toLowerCase();
    return this.newestFirst().filter(
      (alert) =>
        (!label || alert.risk_label === label) &&
        (!status || alert.status === status) &&
        (!wanted || searchable(alert).includes(wanted)),
    );
  }

  /** How many were raised since `moment` (milliseconds), with a plus where older ones are not known here. */
  countSince(moment) {
    const alerts = this.newestFirst();
    const count = alerts.filter((alert) => Date.parse(alert.created_at) >= moment).length;
    return `${count}${this.truncated && count > 0 && count === alerts.length ? "+" : ""}`;
  }
}

function searchable(alert) {
  const reasons = alert.reasons.flatMap((reason) => [reason.code, reason.text]);
  return [alert.account_id, alert.merchant_id, alert.transaction_id, ...reasons].join("\n").toLowerCase();
}
