// Building elements and formatting values. Text from outside only ever becomes a text node.

/** An element with a class, attributes and children; strings become text. */
export function element(tag, { className = "", ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(child))));
  return node;
}

export function button(label, onClick, className = "") {
  const node = element("button", { type: "button", className }, label);
  node.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return node;
}

/** The time of day, with the date where it is not today; the exact instant is the title. */
export function time(instant) {
  const at = new Date(instant);
  const isToday = at.toDateString() === new Date().toDateString();
  const text = isToday ? at.toLocaleTimeString() : at.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
  return element("time", { datetime: instant, title: instant }, text);
}

/** The amount with as many decimals as its currency has, more where it has more. */
export function money(amount, currency) {
  const { minimumFractionDigits } = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions();
  const digits = { minimumFractionDigits, maximumFractionDigits: 4 };
  return `${Number(amount).toLocaleString(undefined, digits)} ${currency}`;
}

/** A bar from 0 to 1 with its number. */
export function riskBar(risk, label) {
  const fill = element("span", { className: "fill" });
  fill.style.width = `${Math.round(Math.min(1, Math.max(0, risk)) * 100)}%`;
  const bar = element("span", { className: "bar", "aria-hidden": "true" }, fill);
  return element("span", { className: "risk", "data-label": label }, bar, risk.toFixed(2));
}

export function pill(text) {
  return element("span", { className: "pill", "data-value": text }, text);
}

/** "observed 7 · usual 1" of a reason. */
export function comparison({ observed, usual }) {
  const parts = [observed && `observed ${observed}`, usual && `usual ${usual}`];
  return element("span", { className: "comparison" }, parts.filter(Boolean).join(" · "));
}
