// Words and bars for hosts.
import { clockTime } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { percent } from "../lib/format.js";

const SILENT_MS = 60_000;

/** Whether an active host has not been seen for a while. */
export const isSilent = (host) => host.state === "active" && (!host.last_seen_at || Date.now() - new Date(host.last_seen_at) > SILENT_MS);

/** The props of its State. */
export function hostStatus(host) {
  if (!isSilent(host)) return { status: host.state };
  return { status: "unreachable", word: host.last_seen_at ? _("Last seen %(time)s", { time: clockTime(host.last_seen_at) }) : _("Never seen"), title: host.last_error };
}

/** How much of what may be sold is sold. */
export function Fill({ room, show }) {
  const share = percent(room.used, room.limit);
  const look = share >= 95 ? " is-full" : share >= 85 ? " is-high" : "";
  const text = _("%(used)s of %(limit)s", { used: show(room.used), limit: show(room.limit) });
  return html`<span class="fill" title=${text}><span class="meter-track"><span class=${`meter-fill${look}`} style=${{ width: `${share}%` }}></span></span>
    <span class="tabular">${share} %</span><span class="visually-hidden">${text}</span></span>`;
}
