// Whether the browser's session is still the one that this page was made for. Nothing typed is given up for it.
import { isTyping } from "./typed.js";

const listeners = new Set();
let state = "";

/** Call `listener` now and at each change with "", "signed-out" or "somebody-else". */
export function onSession(listener) {
  listeners.add(listener);
  listener(state);
  return () => listeners.delete(listener);
}

function set(next) {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener(state);
}

export const signedOut = () => set("signed-out");

/** An answer came as usual. */
export const signedIn = () => { if (state === "signed-out") set(""); };

/** Another tab has made the browser somebody else: show their page, unless something is being typed here. */
export function identityChanged() {
  if (isTyping()) set("somebody-else");
  else location.reload();
}
