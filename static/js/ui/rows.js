// The rows of a list: fetched by page, kept fresh, sorted and filtered by the address.
import { get } from "../lib/api.js";
import { useRefresh } from "../lib/data.js";
import { useCallback, useEffect, useRef, useState } from "../lib/html.js";
import { toastProblem } from "./toast.js";

export const PAGE_SIZE = 100;
const MOST = 1000; // what the API gives at once
const NOTHING = { rows: null, next: null, problem: null, key: "" };

/** Fetch the first `count` rows, in as few calls as the API allows. */
async function fetchFirst(fetchPage, count) {
  let page = await fetchPage({ limit: Math.min(MOST, count) });
  const rows = [...page.results];
  while (page.next && rows.length < count) {
    page = await fetchPage({ cursor: page.next, limit: Math.min(MOST, count - rows.length) });
    rows.push(...page.results);
  }
  return { rows, next: page.next };
}

/** Rows of `endpoint` for `query` (an object of set values); a refresh keeps as many as are shown. */
export function useRows(endpoint, query, when, every = 0) {
  const key = endpoint + JSON.stringify(query);
  const [state, setState] = useState(NOTHING);
  const shown = useRef(0);
  const turn = useRef(0); // the newest request; answers to older ones are dropped
  const now = useRef(key);
  now.current = key;
  const fetchPage = useCallback((more) => get(endpoint, { ...query, ...more }), [key]);

  const load = useCallback(async () => {
    const mine = ++turn.current;
    const late = () => now.current !== key || turn.current !== mine;
    try {
      const page = await fetchFirst(fetchPage, Math.max(PAGE_SIZE, shown.current));
      if (late()) return;
      shown.current = page.rows.length;
      setState({ ...page, problem: null, key });
    } catch (problem) {
      if (!late()) setState((old) => ({ ...old, problem, key, ...(old.key === key ? {} : { rows: null, next: null }) }));
    }
  }, [key]);

  useEffect(() => { shown.current = 0; load(); }, [load]);
  useRefresh(load, when, every);

  const more = async () => {
    const mine = ++turn.current; // a refresh under way would undo it
    try {
      const page = await fetchPage({ cursor: state.next, limit: PAGE_SIZE });
      if (now.current !== key || turn.current !== mine) return;
      const known = new Set(state.rows.map((row) => row.id));
      const rows = [...state.rows, ...page.results.filter((row) => !known.has(row.id))];
      shown.current = rows.length;
      setState((old) => ({ ...old, rows, next: page.next }));
    } catch (problem) { toastProblem(problem); }
  };
  const replace = (row) => {
    turn.current += 1; // what is on its way may be older
    setState((old) => ({ ...old, rows: old.rows?.map((one) => (one.id === row.id ? row : one)) }));
  };
  return { ...state, stale: state.key !== key, more, replace, reload: load };
}
