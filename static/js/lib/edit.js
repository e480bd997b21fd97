// Forms on an object that may change behind them: what they send, and the version it is meant for.
import { get, patch } from "./api.js";

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The ETag for a change of `fields`: the version shown, unless somebody changed these very fields since `opened`. */
export const versionFor = (opened, live, fields) =>
  `"${(fields.every((name) => same(opened[name], live[name])) ? live : opened).version}"`;

/** Of `values` what differs from `opened`. */
export const changesOf = (opened, values) =>
  Object.fromEntries(Object.entries(values).filter(([name, value]) => !same(value, opened[name])));

/**
 * Send to `path` what of `values` differs from `opened`; refused when somebody changed these very fields meanwhile.
 * Returns the object, or null when there was nothing to send.
 */
export async function patchChanges(path, opened, values) {
  const changed = changesOf(opened, values);
  const fields = Object.keys(changed);
  return fields.length ? patch(path, changed, { etag: versionFor(opened, await get(path), fields) }) : null;
}
