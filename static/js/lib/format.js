// How numbers and times are written. Sizes in binary units, times relative with the exact one on hover.
import { boot } from "./boot.js";
import { _ } from "./i18n.js";

const language = boot.language || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const counted = new Intl.RelativeTimeFormat(language, { style: "short" }); // "1 mo. ago", not "last mo."
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const second = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60]];

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);

/** The zone in which all times stand, as "Europe/Berlin (GMT+1)". */
export function zoneWords() {
  const parts = new Intl.DateTimeFormat(language, { timeZoneName: "short" }).formatToParts(new Date());
  const short = parts.find((part) => part.type === "timeZoneName").value;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone === short ? short : `${timeZone} (${short})`;
}

export const exactTime = (at) => exact.format(new Date(at));

/** When a step of so many seconds began, as short as it can be told from the others of a table. */
export const stepTime = (at, seconds) => (seconds < 60 ? second : day).format(new Date(at));

/** "14:02" today, else with the day. */
export function momentTime(at) {
  const moment = new Date(at);
  return (moment.toDateString() === new Date().toDateString() ? clock : day).format(moment);
}

export function relativeTime(at, now = Date.now()) {
  const seconds = (new Date(at).getTime() - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return (size > 86_400 ? counted : relative).format(Math.trunc(seconds / size), unit);
  }
  return _("just now");
}

/** Seconds between two moments as "12 s", "3 min 05 s" or "2 h 10 min". */
export function elapsed(from, to = Date.now()) {
  const seconds = Math.max(0, (new Date(to).getTime() - new Date(from).getTime()) / 1000);
  if (seconds < 10) return _("%(s)s s", { s: seconds.toFixed(1) });
  if (seconds < 60) return _("%(s)s s", { s: Math.round(seconds) });
  if (seconds < 3600) {
    return _("%(m)s min %(s)s s", { m: Math.floor(seconds / 60), s: String(Math.floor(seconds % 60)).padStart(2, "0") });
  }
  return _("%(h)s h %(m)s min", { h: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
}

export const mib = (value) => (value < 1024 ? `${number(value)} MiB` : gib(value / 1024));

/** `value` GiB, as TiB when large; one decimal while it says something. */
export function gib(value) {
  const [size, unit] = value >= 1024 ? [value / 1024, "TiB"] : [value, "GiB"];
  return `${number(size, size < 100 ? 1 : 0)} ${unit}`;
}

/** What a guest or plan has of disk. 0 is a container on a directory of its host, which has no size of its own. */
export const diskWords = (value) => (value ? _("%(size)s disk", { size: gib(value) }) : _("disk left to its host"));

/** The size of a guest or plan in one line, which breaks between its parts only. */
export const sizeWords = (size) =>
  [`${number(size.vcpus)} vCPU`, _("%(size)s memory", { size: mib(size.memory_mib) }), diskWords(size.disk_gib)].map((part) => part.replaceAll(" ", "\u00a0")).join("\u00a0· ");

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = Number(value) || 0;
  let at = 0;
  while (size >= 1024 && at < units.length - 1) { size /= 1024; at += 1; }
  return `${number(size, size < 10 && at > 0 ? 1 : 0)} ${units[at]}`;
}

export function money(amount, currency, digits = 2) {
  return new Intl.NumberFormat(language, {
    style: "currency", currency: currency || "EUR", minimumFractionDigits: 2, maximumFractionDigits: digits,
  }).format(Number(amount));
}

export const percent = (part, whole) => (whole > 0 ? Math.min(100, Math.round((100 * part) / whole)) : 0);
