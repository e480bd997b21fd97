// The small parts of every page.
import { boot } from "../lib/boot.js";
import { useNow } from "../lib/data.js";
import { exactTime, momentTime, number, percent, relativeTime } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { unknownWhy } from "../lib/sentences.js";
import { TYPE_NAMES, TYPE_SENTENCES, lookOf, statusWord } from "../lib/words.js";

export const Icon = ({ name, small }) => html`<svg class=${small ? "icon icon-small" : "icon"} aria-hidden="true"
  focusable="false"><use href=${`${boot.icons}#${name}`} /></svg>`;

/** Lines that stand where something is still on its way. */
export const Pending = ({ lines = 1 }) => html`<div class="stack-small pending" aria-busy="true">${Array.from({ length: lines }, (unused, line) => html`<span class="skeleton" key=${line}></span>`)}</div>`;

/** Dot and word; the dot's shape differs too, so that colour never carries the meaning alone. */
export const State = ({ status, word, title }) => html`<span class=${`state state-${lookOf(status)}`} title=${title}>
  <span class="state-dot"></span>${word || statusWord(status)}</span>`;

/** A guest's state; of one that is unknown, when it was seen last. */
export function GuestState({ guest }) {
  if (guest.status !== "unknown" || !guest.observed_at) return html`<${State} status=${guest.status} title=${guest.status_reason} />`;
  const title = [exactTime(guest.observed_at), unknownWhy(guest)].join("\n");
  return html`<${State} status="unknown" word=${_("Unknown, last seen %(time)s", { time: momentTime(guest.observed_at) })} title=${title} />`;
}

export const TypeMark = ({ type }) => html`<span class="type-mark" title=${TYPE_SENTENCES[type]?.()}>
  ${TYPE_NAMES[type] || type}</span>`;

const OS_SHAPES = {
  debian: ["#b4174a", "M15.5 15.7C15.6 15.5 15.6 14.6 16.1 14.4C16.5 14.2 17.7 14.2 18.2 14.6C18.6 15.1 19.3 16.5 19.0 17.3C18.7 18.2 17.5 19.6 16.4 19.7C15.3 19.8 13.2 19.3 12.5 18.2C11.7 17.1 11.3 14.6 12.0 13.3C12.7 12.0 15.0 10.2 16.7 10.2C18.4 10.2 21.4 11.7 22.2 13.4C23.1 15.1 22.0 19.3 22.0 20.4"],
  micro: ["#0f766e", "M11 9v9a4 4 0 0 0 8 0V9v9q0 4 3 3.6M11 18v6"],
  ubuntu: ["#c2410c", "M16 10a6 6 0 1 0 .01 0M16 7v4M8.4 20.2l3.4-2M23.6 20.2l-3.4-2"],
  other: ["#56676a", "M16 9a7 7 0 1 0 .01 0M16 14.4a1.6 1.6 0 1 0 .01 0"],
};

/** Our own mark of an operating system: a tile with a sign. */
export function OsMark({ os, large }) {
  const known = Object.keys(OS_SHAPES).find((name) => String(os || "").toLowerCase().includes(name)) || "other";
  const [colour, line] = OS_SHAPES[known];
  return html`<svg class=${large ? "os-mark os-mark-large" : "os-mark"} viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill=${colour} /><path d=${line} fill="none" stroke="#fff" stroke-width="2.4"
    stroke-linecap="round" stroke-linejoin="round" /></svg>`;
}

/** A moment as "3 min ago", exact with zone on hover. */
export function Ago({ at, none = "–" }) {
  const now = useNow(20_000);
  if (!at) return html`<span class="muted">${none}</span>`;
  return html`<time dateTime=${at} title=${exactTime(at)} class="nowrap">${relativeTime(at, now)}</time>`;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Text that copies itself on click. */
export function Copy({ value, children, label }) {
  const [done, setDone] = useState(false);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (event) => {
    event.stopPropagation();
    if (!(await copyText(value))) return;
    setDone(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 1600);
  };
  return html`<button type="button" class=${`copy-text${done ? " is-done" : ""}`} onClick=${copy}
    title=${done ? _("Copied") : label || _("Copy %(value)s", { value })}>
    <span class="ellipsis">${children || value}</span><${Icon} name=${done ? "check" : "copy"} />
    <span class="visually-hidden" role="status">${done ? _("Copied") : ""}</span></button>`;
}

/** An icon button that copies. */
export function CopyButton({ value, label }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    if (!(await copyText(value))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1600);
  };
  return html`<button type="button" class="btn btn-sm btn-quiet" onClick=${copy} aria-label=${label}>
    <${Icon} name=${done ? "check" : "copy"} />${done ? _("Copied") : _("Copy")}</button>`;
}

/** `text`: the figures, where they are not "used of limit". */
export function Meter({ used, limit, label, show = number, text: given }) {
  const share = percent(used, limit);
  const look = share >= 95 ? " is-full" : share >= 85 ? " is-high" : "";
  const text = given || (limit ? _("%(used)s of %(limit)s", { used: show(used), limit: show(limit) })
    : _("%(used)s, no limit", { used: show(used) }));
  return html`<div class="meter"><div class="meter-figures"><span>${label}</span><span>${text}</span></div>
    <div class="meter-track"><div class=${`meter-fill${look}`} style=${{ width: `${share}%` }}></div></div></div>`;
}

/** `rows`: [word, content] pairs; falsy rows are left out. */
export const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(Boolean).map(([word, content]) =>
  html`<dt>${word}</dt><dd>${content}</dd>`)}</dl>`;

const NOTICE_ICONS = { warning: "alert-triangle", danger: "alert-triangle", info: "info-circle", good: "circle-check" };
export const Notice = ({ kind = "info", action, children }) => html`<div class=${`notice notice-${kind}`}>
  <${Icon} name=${NOTICE_ICONS[kind]} /><div class="grow">${children}</div>${action}</div>`;

/** What went wrong, with the request id to copy and a way to try again. */
export function ProblemNotice({ problem, retry }) {
  if (!problem) return null;
  return html`<${Notice} kind="danger" action=${retry && html`<button class="btn btn-sm" onClick=${retry}>${_("Try again")}</button>`}>
    <div>${problem.message}</div>
    ${problem.requestId && html`<small>${_("Request")} <${Copy} value=${problem.requestId} /></small>`}
  <//>`;
}

/** One picture line, one sentence, one button. */
export const Empty = ({ children, action }) => html`<div class="empty-state">
  <svg class="empty-picture" viewBox="0 0 112 72" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"
    aria-hidden="true"><path d="M4 66h104M22 66V28a6 6 0 0 1 6-6h56a6 6 0 0 1 6 6v38M32 34h26M32 46h26M76 34h4M76 46h4M56 22V10M50 10h12" /></svg>
  <p>${children}</p>${action}</div>`;

export const Card = ({ title, action, children, danger, pad = true, id, ...rest }) => html`
  <section class=${`card${danger ? " card-danger" : ""}`} aria-labelledby=${title && id ? id : undefined} ...${rest}>
    ${title && html`<div class="card-head"><h2 id=${id}>${title}</h2>${action}</div>`}
    ${pad ? html`<div class="card-pad">${children}</div>` : children}
  </section>`;

/** A button that shows at once that it was pressed, and cannot be pressed twice. */
export function Button({ onClick, kind = "", icon, children, disabled, reason, type = "button", busy = false, ...rest }) {
  const [pressed, setPending] = useState(false);
  const pending = pressed || busy;
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);
  const press = async (event) => {
    if (pending || disabled) { event.preventDefault(); return; }
    setPending(true);
    try { await onClick?.(event); } finally { if (alive.current) setPending(false); }
  };
  return html`<button type=${type} class=${`btn ${kind}${pending ? " is-pending" : ""}`} title=${disabled ? reason : undefined}
    aria-disabled=${disabled ? "true" : undefined} aria-busy=${pending ? "true" : undefined} onClick=${press} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${children}</button>`;
}
