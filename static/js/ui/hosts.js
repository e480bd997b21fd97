// Words and bars for hosts.
import { exactTime, momentTime } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { percent } from "../lib/format.js";
import { TYPE_NAMES } from "../lib/words.js";

export const LOOK_EVERY_MS = 30_000; // no event tells that a host was seen again

/** Whether an active host has not been seen for a while, by the panel's own clock. */
export const isSilent = (host) => host.state === "active" && !host.answers;

/** The names of the hypervisors of a silent host that do not answer while another one does. */
export function silentTypes(host) {
  const used = host.connections.filter((connection) => connection.enabled);
  const silent = used.filter((connection) => !connection.answers);
  return silent.length < used.length ? silent.map((connection) => TYPE_NAMES[connection.host_type]).join(", ") : "";
}

/** The props of its State. */
export function hostStatus(host) {
  if (!isSilent(host)) return { status: host.state };
  const types = silentTypes(host);
  if (!host.last_seen_at) return { status: "unreachable", word: types ? _("%(types)s never seen", { types }) : _("Never seen"), title: host.last_error };
  const title = [exactTime(host.last_seen_at), host.last_error].filter(Boolean).join("\n");
  const time = momentTime(host.last_seen_at);
  return { status: "unreachable", word: types ? _("%(types)s last seen %(time)s", { types, time }) : _("Last seen %(time)s", { time }), title };
}

/** How much of what may be sold is sold. */
export function Fill({ room, show }) {
  const share = percent(room.used, room.limit);
  const look = share >= 95 ? " is-full" : share >= 85 ? " is-high" : "";
  const text = _("%(used)s of %(limit)s", { used: show(room.used), limit: show(room.limit) });
  return html`<span class="fill" title=${text}><span class="meter-track"><span class=${`meter-fill${look}`} style=${{ width: `${share}%` }}></span></span>
    <span class="tabular">${share} %</span><span class="visually-hidden">${text}</span></span>`;
}
