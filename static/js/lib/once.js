// One-time secrets (a root password, a token) live in this tab only, until dismissed.
const name = (key) => `innkeeper.once.${key}`;

export function keepOnce(key, value) {
  try { sessionStorage.setItem(name(key), value); } catch { /* then it is shown only here and now */ }
}

export function readOnce(key) {
  try { return sessionStorage.getItem(name(key)) || ""; } catch { return ""; }
}

export function forgetOnce(key) {
  try { sessionStorage.removeItem(name(key)); } catch { /* nothing kept */ }
}
