// Live changes. One tab of the browser holds the stream (browsers allow few connections) and tells the others.
// The stream carries ids only: who listens fetches anew. After a gap everything shown is fetched anew.
import { boot } from "./boot.js";

const URL_OF_STREAM = "/api/v1/events";
const GRACE_MS = 2500; // a gap shorter than this is not worth a banner
const RETRY_MS = [1000, 2000, 4000, 8000];

const listeners = new Set();
const statusListeners = new Set();
const scope = `innkeeper.events.${boot.user_id}.${boot.acting_for || ""}`;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(scope) : null;
let status = "connecting";
let wasLive = false;
let staleTimer = null;

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

function setStatus(next) {
  if (next === "live") {
    clearTimeout(staleTimer);
    staleTimer = null;
    if (status === "stale" || (wasLive && status !== "live")) tell({ type: "resync" });
    wasLive = true;
  }
  if (next === status) return;
  status = next;
  for (const listener of statusListeners) listener(status);
}

function lost() {
  if (status === "stale" || staleTimer) return;
  staleTimer = setTimeout(() => { staleTimer = null; setStatus("stale"); }, GRACE_MS);
}

function share(kind, value) {
  channel?.postMessage({ kind, value });
}

function hold() {
  return new Promise(() => {
    let tries = 0;
    const connect = () => {
      const source = new EventSource(URL_OF_STREAM);
      source.onopen = () => { tries = 0; setStatus("live"); share("status", "live"); };
      const receive = (event) => {
        let message;
        try { message = JSON.parse(event.data); } catch { return; }
        if (!message?.type) return;
        tell(message);
        share("event", message);
      };
      source.onmessage = receive;
      source.onerror = () => {
        lost();
        share("status", "lost");
        source.close();
        const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
        setTimeout(connect, wait);
      };
      addEventListener("pagehide", () => source.close(), { once: true });
    };
    connect();
    channel?.addEventListener("message", ({ data }) => {
      if (data.kind === "ask" && status === "live") share("status", "live");
    });
  });
}

/** Start listening; called once by the shell. */
export function startEvents() {
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  if (!channel || !navigator.locks) {
    hold();
    return;
  }
  channel.addEventListener("message", ({ data }) => {
    if (data.kind === "event") tell(data.value);
    if (data.kind === "status") data.value === "live" ? setStatus("live") : lost();
  });
  share("ask");
  navigator.locks.request(scope, hold);
}
