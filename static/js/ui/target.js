// What a job works on, as a link.
import { boot, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";

export function Target({ job }) {
  const guest = job.resources.find((resource) => resource.type === "guest");
  const host = job.resources.find((resource) => resource.type === "host");
  if (guest) return html`<a href=${serverPath(guest.id)}>${boot.staff ? _("Guest") : _("Server")} <span class="mono">${guest.id.slice(0, 8)}</span></a>`;
  if (host && boot.staff) return html`<a href=${`/hosts/${host.id}`}>${_("Host")} <span class="mono">${host.id.slice(0, 8)}</span></a>`;
  return html`<span class="muted">–</span>`;
}
