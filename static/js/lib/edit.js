// Forms on an object that may change behind them: what they send, and the version it is meant for.
import { get, patch } from "./api.js";

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Of `values` what differs from `opened`. */
export const changesOf = (opened, values) =>
  Object.fromEntries(Object.entries(values).filter(([name, value]) => !same(value, opened[name])));

/**
 * Send `changed` to `path`; refused when somebody changed these very fields since `opened`, which what the page
 * shows may not know yet. Returns the object, or null when there was nothing to send.
 */
export async function patchChanged(path, opened, changed) {
  const fields = Object.keys(changed);
  if (!fields.length) return null;
  const now = await get(path);
  const { version } = fields.every((name) => same(opened[name], now[name])) ? now : opened;
  return patch(path, changed, { etag: `"${version}"` });
}

/** Send to `path` what of `values` differs from `opened`, as `patchChanged` does. */
export const patchChanges = (path, opened, values) => patchChanged(path, opened, changesOf(opened, values));
