// The REST API for pages: JSON, the session's cookie with CSRF, problems as exceptions.
import { boot } from "./boot.js";
import { _ } from "./i18n.js";
import { keyFor, settleKey } from "./idempotency.js";
import { identityChanged, signedIn, signedOut } from "./session.js";

const ROOT = "/api/v1";

/** An answer that is not a success. `message` is one sentence a person may read. */
export class Problem extends Error {
  constructor({ status, code, detail, errors, request_id, ...facts }) {
    super(code === "version_mismatch" ? _("Somebody else changed the same while you were typing. What you typed stays here: copy what you need, then open the form anew.") : detail);
    Object.assign(this, { status, code, errors: errors || [], requestId: request_id || "", facts });
  }

  /** The sentence for a field (its path as in the request body), or "". */
  field(name) {
    return this.errors.find((entry) => entry.field === name)?.message || "";
  }
}

/** Return what was thrown as a Problem: a mistake of the page's own is told in a sentence, and to the browser's console. */
export function asProblem(thrown) {
  if (thrown instanceof Problem) return thrown;
  reportError(thrown);
  return new Problem({ status: 0, code: "page_failed", detail: _("Something went wrong in this page. It may or may not have been done: look before you try again.") });
}

/** Whose page this is: a request that another tab has made somebody else's is refused, not carried out. */
const identity = `${boot.user_id || ""}/${boot.acting_for || ""}`;
const csrfToken = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] || boot.csrf;

/** Return path with a query string of the values that are set. */
export function withQuery(path, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values || {})) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

async function call(method, path, { body, etag, signal } = {}) {
  const headers = { Accept: "application/json", "X-Innkeeper-Identity": identity };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  const text = body === undefined ? undefined : JSON.stringify(body);
  const once = method === "POST" && !path.includes("dry_run="); // asking what would be does nothing twice
  if (once) headers["Idempotency-Key"] = keyFor(path, text);
  if (etag) headers["If-Match"] = etag;
  let response;
  try {
    response = await fetch(ROOT + path, {
      method, headers, signal, credentials: "same-origin", body: text,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, code: "unreachable", detail: _("The panel cannot be reached at the moment.") });
  }
  const data = response.status === 204 ? null : await response.json().catch(() => null);
  if (once) settleKey(path, text, response.status, data?.code);
  if (response.ok) {
    signedIn();
    if (method !== "GET" && data?.job?.mine) dispatchEvent(new CustomEvent("innkeeper:asked", { detail: data.job.id }));
    return { data, status: response.status, etag: response.headers.get("ETag") };
  }
  if (response.status === 401) signedOut();
  if (data?.code === "identity_changed") identityChanged();
  throw new Problem({
    detail: _("The panel could not do this. Try again in a moment."), code: "error", ...data, status: response.status,
  });
}

export const get = async (path, query, options) => (await call("GET", withQuery(path, query), options)).data;
export const post = async (path, body = {}, options) => (await call("POST", path, { body, ...options })).data;
export const patch = async (path, body, options) => (await call("PATCH", path, { body, ...options })).data;
export const remove = async (path, options) => (await call("DELETE", path, options)).data;
