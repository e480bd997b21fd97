// How a job looks: its steps with times, its end, and what can be done about it.
import { post } from "../lib/api.js";
import { boot } from "../lib/boot.js";
import { useNow } from "../lib/data.js";
import { bytes, elapsed } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { said, stepWord } from "../lib/sentences.js";
import { actionWord, jobStatusWord } from "../lib/words.js";
import { Button, Copy, Icon, State } from "./basic.js";
import { toast, toastProblem } from "./toast.js";

export const isActive = (job) => job.status === "queued" || job.status === "running";

export const JobState = ({ job }) => html`<${State} status=${job.status === "running" ? "working" : job.status}
  word=${job.cancel_requested && isActive(job) ? _("Stopping") : jobStatusWord(job.status)} />`;

export function ProgressLine({ job }) {
  const end = { success: " is-good", error: " is-bad", cancelled: " is-bad" }[job.status] || "";
  const share = job.status === "success" ? 100 : job.progress_percent;
  return html`<div class=${`progress-line${end}`} role="progressbar" aria-valuenow=${share} aria-valuemin="0" aria-valuemax="100"
    aria-label=${actionWord(job.action)}><i style=${{ width: `${Math.max(share, isActive(job) ? 3 : 0)}%` }}></i></div>`;
}

export function Duration({ job }) {
  const now = useNow(isActive(job) ? 500 : 60_000);
  if (!job.started_at) return job.status === "queued" ? _("waiting") : "–";
  return html`<span class="tabular nowrap">${elapsed(job.started_at, job.finished_at || now)}</span>`;
}

/** "1.2 of 2 GiB · 210 MiB/s" of a step that copies. */
function copied(step) {
  if (!step.bytes_total) return "";
  const rate = step.rate_bytes_s ? ` · ${_("%(size)s/s", { size: bytes(step.rate_bytes_s) })}` : "";
  const size = step.status === "running" ? _("%(done)s of %(total)s", { done: bytes(step.bytes_done), total: bytes(step.bytes_total) }) : bytes(step.bytes_total);
  return size + rate;
}

function Step({ step, now }) {
  const sign = { success: "circle-check", error: "circle-x" }[step.status];
  const time = step.status === "running" ? elapsed(step.started_at, now) : step.finished_at && elapsed(step.started_at, step.finished_at);
  return html`<li class=${`step is-${step.status}`}>
    ${step.status === "running" ? html`<span class="step-spin"></span>` : html`<${Icon} name=${sign || "circle-dashed"} />`}
    <span>${stepWord(step.title)}${step.note && html` <span class="muted">${step.note}</span>`}
      ${step.bytes_total ? html` <small class="step-copied muted tabular">${copied(step)}</small>` : ""}
      <span class="visually-hidden">, ${jobStatusWord(step.status)}</span></span>
    <span class="step-time">${step.status === "running" && step.percent > 0 && `${step.percent} % · `}${time || ""}</span></li>`;
}

/** How far the jobs are that a job of many is made of. */
function Children({ job }) {
  const count = job.children;
  const parts = [["success", _("%(n)s done", { n: count.success })], ["running", _("%(n)s running", { n: count.running })], ["queued", _("%(n)s waiting", { n: count.queued })],
    ["error", _("%(n)s failed", { n: count.error })], ["cancelled", _("%(n)s cancelled", { n: count.cancelled })]].filter(([status]) => count[status]);
  return html`<p class="tabular">${parts.map(([, words]) => words).join(" · ")}</p>`;
}

export function JobSteps({ job }) {
  const now = useNow(isActive(job) ? 500 : 60_000);
  if (job.children) return html`<${Children} job=${job} />`;
  if (!job.steps.length) return html`<p class="muted">${isActive(job) ? _("Waiting for a worker.") : _("It had no steps.")}</p>`;
  return html`<ol class="job-steps">${job.steps.map((step) => html`<${Step} key=${step.name} step=${step} now=${now} />`)}</ol>`;
}

const OUTCOMES = { running: () => _("Running"), success: () => _("Done"), error: () => _("Failed"), cancelled: () => _("Cancelled"),
  again: () => _("Failed, tried again"), lost: () => _("Its worker was lost") };

/** Each try with its time and its end, newest last. Nothing while one sufficed. */
export function JobAttempts({ job }) {
  const now = useNow(isActive(job) ? 500 : 60_000);
  if (job.attempts.length < 2) return null;
  return html`<section class="card" aria-labelledby="attempts"><div class="card-head"><h2 id="attempts">${_("Attempts")}</h2></div>
    <table class="list"><caption class="visually-hidden">${_("Attempts")}</caption>
      <thead><tr><th scope="col">${_("Attempt")}</th><th scope="col">${_("Ended")}</th><th scope="col">${_("Took")}</th>${boot.staff && html`<th scope="col" class="cell-minor">${_("Worker")}</th>`}</tr></thead>
      <tbody>${job.attempts.map((one, index) => html`<tr key=${one.number}><td class="tabular" data-label=${_("Attempt")}>${index + 1}</td>
        <td class="cell-name"><span class="two-lines"><span>${OUTCOMES[one.outcome]()}</span>${one.message && html`<small>${said(one.message)}</small>`}</span></td>
        <td class="tabular nowrap" data-label=${_("Took")}>${elapsed(one.started_at, one.ended_at || now)}</td>${boot.staff && html`<td class="cell-minor mono">${one.worker}</td>`}</tr>`)}</tbody></table></section>`;
}

/** What can be done about a failed job, or why nothing can. */
function wayOut(job) {
  if (job.retry_refusal) return _("It cannot be tried again now. %(why)s", { why: said(job.retry_refusal) });
  if (!job.can_retry) return "";
  return job.children ? _("You can try again: only what failed is asked for anew.") : _("You can try again: nothing is made twice by it.");
}

/** What happened, what can be done, the request to quote; staff may unfold the raw error. */
export function JobFailure({ job }) {
  if (!job.error) return null;
  return html`<div class="notice notice-danger" role="group" aria-label=${_("What happened")}><${Icon} name="alert-triangle" /><div class="grow stack-small">
    <div>${said(job.error.message)} ${wayOut(job)}</div>
    ${job.request_id && html`<small>${_("Request")} <${Copy} value=${job.request_id} /></small>`}
    ${boot.staff && job.error.detail && html`<details class="fold"><summary><${Icon} name="chevron-right" />${_("Raw error")}</summary>
      <pre class="mono">${job.error.code}${"\n"}${job.error.detail}</pre></details>`}
  </div></div>`;
}

/** `small`: inside a card. */
export function JobActions({ job, onChange, small }) {
  const act = (verb, words) => async () => {
    try {
      const answer = await post(`/jobs/${job.id}/actions/${verb}`);
      toast(words, verb === "retry" && { link: { href: `/jobs/${answer.job.id}`, text: _("Open the new job") } });
      onChange?.(answer.job);
    } catch (problem) { toastProblem(problem); }
  };
  const kind = small ? "btn-sm" : "";
  return html`${job.can_cancel && !job.cancel_requested && html`<${Button} kind=${kind} onClick=${act("cancel", _("The job was asked to stop."))}>${_("Cancel job")}<//>`}
    ${job.can_retry && html`<${Button} kind=${kind} icon="refresh" onClick=${act("retry", _("The work begins again."))}>${_("Try again")}<//>`}`;
}

/** The panel that a page shows while a job works on its object. */
export const JobPanel = ({ job, onChange }) => html`<section class=${`card job-panel${job.status === "error" ? " is-failed" : ""}`} aria-label=${actionWord(job.action)}>
  <${ProgressLine} job=${job} />
  <div class="card-head"><h2>${actionWord(job.action)}</h2><span class="row-line"><span class="muted"><${Duration} job=${job} /></span><${JobState} job=${job} /></span></div>
  <div class="card-pad stack-small"><${JobSteps} job=${job} /><${JobFailure} job=${job} />
    <div class="row-line"><${JobActions} small job=${job} onChange=${onChange} /><a class="btn btn-sm btn-quiet" href=${`/jobs/${job.id}`}>${_("Open job")}</a></div></div>
</section>`;
