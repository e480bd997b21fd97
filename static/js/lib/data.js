// State that comes from outside a component: the API, the address bar, the clock.
import { get, withQuery } from "./api.js";
import { boot } from "./boot.js";
import { onEvent, onStatus } from "./events.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

const SETTLE_MS = 150; // several events at once become one fetch,
const LEAST_MS = 1000; // and a storm of them one a second
const POLL_STALE_MS = 15_000;

/**
 * Fetch `path` and keep it fresh: again at each event for which `when` is true, after a gap in the stream,
 * every 15 s while the stream is cut, and every `every` ms where no event tells of a change. `path` null fetches
 * nothing. `data` is always the present path's; `problem` is that of the last attempt.
 */
export function useResource(path, query, { when = () => false, every = 0 } = {}) {
  const url = path && withQuery(path, query);
  const [kept, setState] = useState({ data: undefined, problem: null, url: null });
  const state = kept.url === url ? kept : { data: undefined, problem: null, url };
  const running = useRef(null);
  const load = useCallback(async () => {
    if (!url) return;
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    try {
      const data = await get(url, undefined, { signal: control.signal });
      setState({ data, problem: null, url });
    } catch (problem) {
      if (problem.name !== "AbortError") setState((old) => ({ data: old.url === url ? old.data : undefined, problem, url }));
    }
  }, [url]);
  useEffect(() => { load(); return () => running.current?.abort(); }, [load]);
  useRefresh(load, when, every);
  const mutate = (data) => { running.current?.abort(); setState({ data, problem: null, url }); };
  return { ...state, loading: Boolean(url) && state.data === undefined && !state.problem, reload: load, mutate };
}

/** Call `load` at matching events, after gaps, regularly while the stream is cut, and every `every` ms (0: never). */
export function useRefresh(load, when, every = 0) {
  const test = useRef(when);
  test.current = when;
  useEffect(() => {
    let timer = null;
    let poll = null;
    let last = 0;
    const run = () => { timer = null; last = Date.now(); load(); };
    const soon = () => { timer ??= setTimeout(run, Math.max(SETTLE_MS, last + LEAST_MS - Date.now())); };
    const offEvent = onEvent((message) => { if (message.type === "resync" || test.current(message)) soon(); });
    const offStatus = onStatus((status) => {
      clearInterval(poll);
      if (status === "stale") poll = setInterval(load, POLL_STALE_MS);
    });
    const clock = every ? setInterval(() => { if (!document.hidden) soon(); }, every) : null;
    const shown = () => { if (every && !document.hidden && Date.now() - last > every) soon(); };
    document.addEventListener("visibilitychange", shown);
    return () => {
      offEvent(); offStatus(); clearTimeout(timer); clearInterval(poll); clearInterval(clock);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [load, every]);
}

/** The address bar's query as state: `[values, set]`; `set(changes, {push})` drops empty values. */
export function useUrlQuery() {
  const read = () => Object.fromEntries(new URLSearchParams(location.search));
  const [values, setValues] = useState(read);
  useEffect(() => {
    const changed = () => setValues(read());
    addEventListener("popstate", changed);
    addEventListener("innkeeper:query", changed);
    return () => { removeEventListener("popstate", changed); removeEventListener("innkeeper:query", changed); };
  }, []);
  const set = useCallback((changes, { push = false } = {}) => {
    const target = withQuery(location.pathname, { ...read(), ...changes });
    history[push ? "pushState" : "replaceState"](null, "", target);
    dispatchEvent(new Event("innkeeper:query"));
  }, []);
  return [values, set];
}

/** A clock that ticks every `every_ms` while the component is shown. */
export function useNow(everyMs = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** State kept in sessionStorage for this person, so that a reload or an expired login loses nothing. */
export function useDraft(key, initial) {
  const name = `innkeeper.draft.${boot.user_id}.${boot.acting_for || ""}.${key}`;
  const [value, setValue] = useState(() => {
    try { return { ...initial, ...JSON.parse(sessionStorage.getItem(name) || "{}") }; } catch { return initial; }
  });
  const change = useCallback((changes) => setValue((old) => {
    const next = { ...old, ...changes };
    try { sessionStorage.setItem(name, JSON.stringify(next)); } catch { /* kept in memory then */ }
    return next;
  }), [name]);
  const clear = useCallback(() => { try { sessionStorage.removeItem(name); } catch { /* nothing kept */ } }, [name]);
  return [value, change, clear];
}
