// Live changes. One tab of the browser holds the stream (browsers allow few connections) and tells the others.
// The stream carries ids only: who listens fetches anew. After a gap everything shown is fetched anew.
import { boot } from "./boot.js";

const URL_OF_STREAM = "/api/v1/events";
const GRACE_MS = 2500; // a gap shorter than this is not worth a banner
const RETRY_MS = [1000, 2000, 4000, 8000];
const SILENCE_MS = 40_000; // the server says something every 15 s: longer silence is a dead connection
const PROMPT_MS = 1000; // a first connection later than this may have missed what changed since the page began

const listeners = new Set();
const statusListeners = new Set();
const scope = `innkeeper.events.${boot.user_id}.${boot.acting_for || ""}`;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(scope) : null;
let status = "connecting";
let staleTimer = null;
let silence = null;

/** Call `listener` with each `{type, id, customer}`; `{type: "resync"}` means: fetch whatever is shown. */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Call `listener` now and at each change with "connecting", "live" or "stale". */
export function onStatus(listener) {
  statusListeners.add(listener);
  listener(status);
  return () => statusListeners.delete(listener);
}

function tell(message) {
  for (const listener of listeners) listener(message);
}

/** Have everything shown fetched anew, in this tab. */
export const resync = () => tell({ type: "resync" });

function setStatus(next) {
  if (next === "live") {
    clearTimeout(staleTimer);
    staleTimer = null;
  }
  if (next === status) return;
  const caughtUp = next === "live" && status === "stale";
  status = next;
  for (const listener of statusListeners) listener(status);
  if (caughtUp) resync();
}

function lost() {
  if (status === "stale" || staleTimer) return;
  staleTimer = setTimeout(() => { staleTimer = null; setStatus("stale"); }, GRACE_MS);
}

/** Something was heard; when nothing follows for long, `dead` is called. */
function heard(dead) {
  clearTimeout(silence);
  silence = setTimeout(dead, SILENCE_MS);
}

function share(kind, value) {
  channel?.postMessage({ kind, value });
}

/** Hold the stream for all tabs, for as long as this one lives. */
function hold() {
  let tries = 0;
  let opened = false;
  let source = null;
  const again = () => {
    clearTimeout(silence);
    source.close();
    lost();
    share("status", "lost");
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
  const gap = () => opened || tries > 0 || performance.now() > PROMPT_MS;
  const connect = () => {
    source = new EventSource(URL_OF_STREAM);
    const here = source;
    const guarded = (work) => (event) => { if (source === here) work(event); };
    source.onopen = guarded(() => {
      const missed = gap();
      opened = true;
      tries = 0;
      setStatus("live");
      share("status", "live");
      heard(again);
      if (missed) { resync(); share("event", { type: "resync" }); }
    });
    source.onmessage = guarded((event) => {
      heard(again);
      let message;
      try { message = JSON.parse(event.data); } catch { return; }
      if (!message?.type) return;
      tell(message);
      share("event", message);
    });
    source.addEventListener("alive", guarded(() => { heard(again); share("status", "live"); }));
    source.onerror = guarded(again);
  };
  connect();
  addEventListener("pagehide", () => source.close());
  channel?.addEventListener("message", ({ data }) => {
    if (data.kind === "ask" && status === "live") share("status", "live");
  });
  return new Promise(() => {});
}

/** Start listening; called once by the shell. */
export function startEvents() {
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  if (!channel || !navigator.locks) {
    hold();
    return;
  }
  let holding = false;
  channel.addEventListener("message", ({ data }) => {
    if (holding || data.kind === "ask") return;
    if (data.kind === "event") { heard(lost); tell(data.value); }
    if (data.kind === "status" && data.value !== "live") lost();
    if (data.kind === "status" && data.value === "live") { setStatus("live"); heard(lost); }
  });
  share("ask");
  navigator.locks.request(scope, () => { holding = true; return hold(); });
}
