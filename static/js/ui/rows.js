// The rows of a list: fetched by page, kept fresh, sorted and filtered by the address.
import { get } from "../lib/api.js";
import { useRefresh } from "../lib/data.js";
import { useCallback, useEffect, useRef, useState } from "../lib/html.js";

export const PAGE_SIZE = 100;
const MOST = 1000; // what the API gives at once; further pages are then not refreshed, only the first ones

/** Rows of `endpoint` for `query` (an object of set values). */
export function useRows(endpoint, query, when) {
  const key = endpoint + JSON.stringify(query);
  const [state, setState] = useState({ rows: null, next: null, problem: null, key: "" });
  const shown = useRef(0);
  const now = useRef(key);
  now.current = key;
  const fetchPage = useCallback(async (more) => get(endpoint, { ...query, ...more }), [key]);

  const load = useCallback(async () => {
    try {
      const limit = Math.min(MOST, Math.max(PAGE_SIZE, shown.current));
      const page = await fetchPage({ limit });
      if (now.current !== key) return;
      shown.current = page.results.length;
      setState({ rows: page.results, next: page.next, problem: null, key });
    } catch (problem) {
      if (now.current === key) setState((old) => ({ ...old, problem, key }));
    }
  }, [key]);

  useEffect(() => { shown.current = 0; load(); }, [load]);
  useRefresh(load, when);

  const more = async () => {
    const page = await fetchPage({ cursor: state.next, limit: PAGE_SIZE });
    if (now.current !== key) return;
    setState((old) => {
      const known = new Set(old.rows.map((row) => row.id));
      const rows = [...old.rows, ...page.results.filter((row) => !known.has(row.id))];
      shown.current = rows.length;
      return { ...old, rows, next: page.next };
    });
  };
  const replace = (row) => setState((old) => ({ ...old, rows: old.rows?.map((one) => (one.id === row.id ? row : one)) }));
  return { ...state, stale: state.key !== key, more, replace, reload: load };
}
