// The bell: jobs under way, on every page, and a word when one that this person asked for ends.
import { get } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { useRefresh, useResource } from "../lib/data.js";
import { html, useCallback, useEffect, useRef, useState } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { said } from "../lib/sentences.js";
import { actionWord, isHousekeeping } from "../lib/words.js";
import { Icon } from "../ui/basic.js";
import { Duration, ProgressLine, isActive } from "../ui/jobs.js";
import { useTopLayer } from "../ui/place.js";
import { targetName } from "../ui/target.js";
import { toast } from "../ui/toast.js";

const LIMIT = 20;
const FEW = 3; // more that end together are told as one
const TITLE_MARK = /^(✓|✗) /;
const FOLLOWED = `innkeeper.followed.${boot.user_id}.${boot.acting_for || ""}`;
const isJob = (message) => message.type === "job";

export function RunningJobs() {
  const [open, setOpen] = useState(false);
  const anchor = useRef(null);
  const box = useRef(null);
  useTopLayer(box, anchor, open);
  const jobs = useResource(may("job.view") ? "/jobs" : null, { active: "true", top: "true", limit: LIMIT }, { when: isJob });
  const running = (jobs.data?.results || []).filter((job) => boot.staff || !isHousekeeping(job));
  useEnded();
  useEffect(() => {
    if (!open) return undefined;
    const close = (event) => { if (event.type === "keydown" ? event.key === "Escape" : !anchor.current?.contains(event.target)) setOpen(false); };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => { document.removeEventListener("pointerdown", close); document.removeEventListener("keydown", close); };
  }, [open]);
  const count = jobs.data?.next ? `${LIMIT}+` : running.length;
  const words = plural("%(count)s job under way", "%(count)s jobs under way", running.length);
  return html`<div class="menu-anchor" ref=${anchor}>
    <button type="button" class="icon-button" aria-expanded=${String(open)} aria-label=${words} title=${words} onClick=${() => setOpen(!open)}>
      <${Icon} name="bell" />${running.length > 0 && html`<span class="count-badge" aria-hidden="true">${count}</span>`}</button>
    ${open && html`<div class="menu jobs-menu" popover="manual" ref=${box} role="region" aria-label=${_("Jobs under way")}>
      ${running.length === 0 && html`<p class="menu-head muted">${_("No job is under way.")}</p>`}
      ${running.map((job) => html`<a key=${job.id} class="job-line" href=${`/jobs/${job.id}`}>
        <span class="spread"><span class="ellipsis">${actionWord(job.action)} <b>${targetName(job)}</b></span><span class="muted"><${Duration} job=${job} /></span></span>
        <${ProgressLine} job=${job} /></a>`)}
      <a class="menu-item" href=${boot.staff ? "/jobs" : "/activity"}><${Icon} name="list-check" />${boot.staff ? _("All jobs") : _("All activity")}</a>
    </div>`}
  </div>`;
}

function followed() {
  try { return new Set(JSON.parse(sessionStorage.getItem(FOLLOWED) || "[]")); } catch { return new Set(); }
}

/** Say once how each job ended that this person asked for and this tab has seen running, on whatever page it was. */
function useEnded() {
  const seen = useRef(followed());
  const keep = () => { try { sessionStorage.setItem(FOLLOWED, JSON.stringify([...seen.current].slice(-LIMIT))); } catch { /* this page only */ } };
  const load = useCallback(async () => {
    if (!may("job.view")) return;
    const page = await get("/jobs", { active: "true", mine: "true", top: "true", limit: LIMIT }).catch(() => null);
    if (!page) return;
    const now = new Set(page.results.map((job) => job.id));
    const ended = [...seen.current].filter((id) => !now.has(id));
    seen.current = page.next ? new Set([...seen.current, ...now]) : now;
    keep();
    const jobs = (await Promise.all(ended.map((id) => get(`/jobs/${id}`).catch(() => null)))).filter(Boolean);
    for (const job of jobs) if (isActive(job)) seen.current.add(job.id); else seen.current.delete(job.id);
    keep();
    tellEnds(jobs.filter((job) => !isActive(job)));
  }, []);
  useEffect(() => { load(); }, [load]);
  useEffect(() => {
    const asked = (event) => { seen.current.add(event.detail); keep(); };
    addEventListener("innkeeper:asked", asked);
    return () => removeEventListener("innkeeper:asked", asked);
  }, []);
  useRefresh(load, isJob);
}

function tellEnds(jobs) {
  const good = jobs.filter((job) => job.status === "success");
  if (good.length <= FEW) good.forEach(tellEnd);
  else toast(plural("%(count)s job done", "%(count)s jobs done", good.length), { link: { href: boot.staff ? "/jobs" : "/activity", text: _("Open jobs") } });
  jobs.filter((job) => job.status !== "success").forEach(tellEnd);
}

function tellEnd(job) {
  const good = job.status === "success";
  const what = [actionWord(job.action), targetName(job)].filter(Boolean).join(" ");
  const text = good ? _("%(what)s: done", { what })
    : job.status === "cancelled" ? _("%(what)s: cancelled", { what })
      : _("%(what)s failed: %(why)s", { what, why: said(job.error?.message) });
  toast(text, { kind: good ? "good" : "bad", link: { href: `/jobs/${job.id}`, text: _("Open job") } });
  if (!document.hidden) return;
  document.title = `${good ? "✓" : "✗"} ${document.title.replace(TITLE_MARK, "")}`;
  document.addEventListener("visibilitychange", () => { document.title = document.title.replace(TITLE_MARK, ""); }, { once: true });
}
