// Forms on an object that may change behind them: what they send, and the version it is meant for.
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The ETag for a change of `fields`: the version shown, unless somebody changed these very fields since `opened`. */
export const versionFor = (opened, live, fields) =>
  `"${(fields.every((name) => same(opened[name], live[name])) ? live : opened).version}"`;

/** Of `values` what differs from `opened`. */
export const changesOf = (opened, values) =>
  Object.fromEntries(Object.entries(values).filter(([name, value]) => !same(value, opened[name])));
