// Calls of the HTTP routes; a problem document becomes an Error with its sentence.

async function call(path, options) {
  const response = await fetch(path, { cache: "no-store", ...options });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const fields = (body.errors ?? []).map((each) => `${each.pointer}: ${each.detail}`);
  throw new Error([body.detail ?? `The server answered ${response.status}.`, ...fields].join(" "));
}

/** The newest alerts that match `filters` ({status, risk_label, since, ...}, empty ones ignored). */
export function listAlerts(filters = {}, limit = 200) {
  const given = Object.entries(filters).filter(([, value]) => value);
  return call(`/alerts?${new URLSearchParams([...given, ["limit", limit]])}`);
}

/** One alert with its events. */
export function findAlert(alertId) {
  return call(`/alerts/${encodeURIComponent(alertId)}`);
}

/** Acknowledge, close or reopen an alert; answers with the alert. */
export function act(alertId, action, body) {
  return call(`/alerts/${encodeURIComponent(alertId)}/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}
