// Short messages that come from below, and what screen readers hear.
import { asProblem } from "../lib/api.js";
import { html, render, useEffect } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Icon } from "./basic.js";

const SHOW_MS = 6000;
const SPEAK_MS = 100;
let shown = [];
let last = 0;

function draw() {
  const root = document.getElementById("toasts");
  if (root) render(html`${shown.map((toast) => html`<${Toast} key=${toast.id} ...${toast} />`)}`, root);
}

const drop = (id) => { shown = shown.filter((toast) => toast.id !== id); draw(); };

function Toast({ id, kind, text, link, requestId }) {
  useEffect(() => {
    if (kind === "bad") return undefined;
    const timer = setTimeout(() => drop(id), SHOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class=${`toast-card is-${kind}`}>
    <${Icon} name=${kind === "bad" ? "alert-triangle" : "circle-check"} />
    <p>${text}${requestId && html`<br /><small class="muted mono">${requestId}</small>`}
      ${link && html`<br /><a href=${link.href}>${link.text}</a>`}</p>
    <button type="button" class="icon-button tight" onClick=${() => drop(id)} aria-label=${_("Close")}><${Icon} name="x" small /></button>
  </div>`;
}

/** Say something once: on screen, and to screen readers. `kind`: good or bad. */
export function toast(text, { kind = "good", link, requestId } = {}) {
  last += 1;
  shown = [...shown.slice(-3), { id: last, kind, text, link, requestId }];
  draw();
  announce(text);
}

/** Show a Problem that no field can show; whatever else was thrown too. */
export function toastProblem(thrown) {
  const { message, requestId } = asProblem(thrown);
  toast(message, { kind: "bad", requestId });
}

export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region) return;
  region.textContent = ""; // the same words again are news again
  setTimeout(() => { region.textContent = text; }, SPEAK_MS);
}
