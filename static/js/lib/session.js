// Whether the browser's session is still the one that this page was made for. Nothing typed is given up for it.
import { isTyping } from "./typed.js";

const listeners = new Set();
let state = "";
let leaving = false;

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
  if (leaving) return;
  if (isTyping()) set("somebody-else");
  else location.reload();
}

/** Do what makes this browser somebody else, and go to a page of theirs. What this page asks meanwhile sends it nowhere. */
export async function becomeSomebodyElse(change, path) {
  leaving = true;
  try {
    await change();
    location.assign(path);
  } catch (problem) {
    leaving = false;
    throw problem;
  }
}
