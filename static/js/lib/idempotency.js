// Idempotency keys: the same request, sent again because its answer never came, is the same request to the server.
import { boot } from "./boot.js";

const NAME = `innkeeper.unanswered.${boot.user_id}.${boot.acting_for || ""}`;
const MOST = 20;
const SAME_MS = 120_000; // later, the same request is meant anew
const UNSETTLED = ["idempotency_in_flight"];

const isFresh = ([, { at }]) => Date.now() - at < SAME_MS;

function stored() {
  try { return JSON.parse(sessionStorage.getItem(NAME) || "[]").filter(isFresh); } catch { return []; }
}

const unanswered = new Map(stored()); // path and digest of the body -> the key it was sent with, and when

function keep() {
  try { sessionStorage.setItem(NAME, JSON.stringify([...unanswered].slice(-MOST))); } catch { /* for this page only */ }
}

/** A short name for a body: what is kept in the tab must not hold the passwords and user-data in it. */
function digest(text) {
  let [low, high] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 2654435761);
    high = Math.imul(high ^ unit, 1597334677);
  }
  return `${(low >>> 0).toString(36)}.${(high >>> 0).toString(36)}.${text.length}`;
}

const nameOf = (path, text) => `${path} ${digest(text || "")}`;

/** The key for a POST: a new one, unless the very same request was sent a moment ago and is without an answer. */
export function keyFor(path, text) {
  const name = nameOf(path, text);
  for (const entry of unanswered) if (!isFresh(entry)) unanswered.delete(entry[0]);
  if (!unanswered.has(name)) unanswered.set(name, { key: crypto.randomUUID(), at: Date.now() });
  keep();
  return unanswered.get(name).key;
}

/** The answer has come: the next such request is a new one, unless this one may still have been carried out. */
export function settleKey(path, text, status, code) {
  if (status >= 500 || UNSETTLED.includes(code)) return;
  unanswered.delete(nameOf(path, text));
  keep();
}
