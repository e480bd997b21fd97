// What a job works on, as a link.
import { boot, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { plural } from "../lib/i18n.js";

const target = (job) => ["guest", "host", "image", "host-image", "difference"].map((type) => job.resources.find((one) => one.type === type)).find(Boolean);

/** "3 servers" of a job of many. */
const many = (job) => job.children && (boot.staff ? plural("%(count)s guest", "%(count)s guests", job.children.total)
  : plural("%(count)s server", "%(count)s servers", job.children.total));

/** Its name, or "". */
export const targetName = (job) => target(job)?.name || "";

export function Target({ job }) {
  if (job.children) return html`<a href=${`/jobs/${job.id}`}>${many(job)}</a>`;
  const found = target(job);
  const text = found?.name || found?.id.slice(0, 8);
  const left = job.action === "guest.adopt" && ["error", "cancelled"].includes(job.status); // then there is no such guest
  if (found?.type === "guest" && !left) return html`<a href=${serverPath(found.id)}>${text}</a>`;
  if (found?.type === "host" && boot.staff) return html`<a href=${`/hosts/${found.id}`}>${text}</a>`;
  if (found?.type === "difference") return html`<a href="/differences?state=any">${text}</a>`;
  return found ? html`<span>${text}</span>` : html`<span class="muted none">–</span>`;
}
