// What a job works on, as a link.
import { boot, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";

const target = (job) => ["guest", "host", "image"].map((type) => job.resources.find((one) => one.type === type)).find(Boolean);

/** Its name, or "". */
export const targetName = (job) => target(job)?.name || "";

export function Target({ job }) {
  const found = target(job);
  const text = found?.name || found?.id.slice(0, 8);
  if (found?.type === "guest") return html`<a href=${serverPath(found.id)}>${text}</a>`;
  if (found?.type === "host" && boot.staff) return html`<a href=${`/hosts/${found.id}`}>${text}</a>`;
  return found ? html`<span>${text}</span>` : html`<span class="muted none">–</span>`;
}
