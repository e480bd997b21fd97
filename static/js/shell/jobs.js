// The bell: jobs under way, on every page, and a word when one ends.
import { useResource } from "../lib/data.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { boot, may } from "../lib/boot.js";
import { get } from "../lib/api.js";
import { actionWord } from "../lib/words.js";
import { Icon } from "../ui/basic.js";
import { Duration, ProgressLine } from "../ui/jobs.js";
import { toast } from "../ui/toast.js";

const LIMIT = 20;
const TITLE_MARK = /^(✓|✗|\(\d+\)) /;

export function RunningJobs() {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  const jobs = useResource(may("job.view") ? "/jobs" : null, { active: "true", limit: LIMIT }, { when: (message) => message.type === "job" });
  const running = jobs.data?.results || [];
  useEnded(running);
  useEffect(() => {
    if (!open) return undefined;
    const close = (event) => { if (event.type === "keydown" ? event.key === "Escape" : !box.current?.contains(event.target)) setOpen(false); };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => { document.removeEventListener("pointerdown", close); document.removeEventListener("keydown", close); };
  }, [open]);
  const count = jobs.data?.next ? `${LIMIT}+` : running.length;
  const words = plural("%(count)s job under way", "%(count)s jobs under way", running.length);
  return html`<div class="menu-anchor" ref=${box}>
    <button type="button" class="icon-button" aria-expanded=${String(open)} aria-label=${words} title=${words} onClick=${() => setOpen(!open)}>
      <${Icon} name="bell" />${running.length > 0 && html`<span class="count-badge" aria-hidden="true">${count}</span>`}</button>
    ${open && html`<div class="menu jobs-menu" role="region" aria-label=${_("Jobs under way")}>
      ${running.length === 0 && html`<p class="menu-head muted">${_("No job is under way.")}</p>`}
      ${running.map((job) => html`<a key=${job.id} class="job-line" href=${`/jobs/${job.id}`}>
        <span class="spread"><span>${actionWord(job.action)}</span><span class="muted"><${Duration} job=${job} /></span></span>
        <${ProgressLine} job=${job} /></a>`)}
      <a class="menu-item" href=${boot.staff ? "/jobs" : "/activity"}><${Icon} name="list-check" />${boot.staff ? _("All jobs") : _("All activity")}</a>
    </div>`}
  </div>`;
}

/** Say how each job ended that was seen running here, and mark the tab's title while nobody looks at it. */
function useEnded(running) {
  const seen = useRef(new Map());
  const ids = running.map((job) => job.id).join();
  useEffect(() => {
    const now = new Set(running.map((job) => job.id));
    for (const [id, action] of seen.current) if (!now.has(id)) { seen.current.delete(id); tellEnd(id, action); }
    for (const job of running) seen.current.set(job.id, job.action);
  }, [ids]);
}

async function tellEnd(id, action) {
  let job;
  try { job = await get(`/jobs/${id}`); } catch { return; }
  if (job.status === "queued" || job.status === "running") return;
  const good = job.status === "success";
  const text = good ? _("%(what)s: done", { what: actionWord(action) })
    : job.status === "cancelled" ? _("%(what)s: cancelled", { what: actionWord(action) })
      : _("%(what)s failed: %(why)s", { what: actionWord(action), why: job.error?.message || "" });
  toast(text, { kind: good ? "good" : "bad", link: { href: `/jobs/${id}`, text: _("Open job") } });
  if (document.hidden) {
    const plain = document.title.replace(TITLE_MARK, "");
    document.title = `${good ? "✓" : "✗"} ${plain}`;
    document.addEventListener("visibilitychange", () => { document.title = document.title.replace(TITLE_MARK, ""); }, { once: true });
  }
}
