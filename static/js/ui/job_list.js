// Jobs in lists: their columns, and the jobs that a job of many is made of.
import { boot } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { said, stepWord } from "../lib/sentences.js";
import { actionWord } from "../lib/words.js";
import { Ago } from "./basic.js";
import { Duration, JobState, ProgressLine, isActive } from "./jobs.js";
import { List } from "./list.js";
import { Target, targetName } from "./target.js";

const stepTitle = (job) => job.steps.find((step) => step.name === job.step)?.title || "";

/** What it does now, or what it failed with. */
function Now({ job }) {
  const words = isActive(job) ? stepTitle(job) && stepWord(stepTitle(job)) : said(job.error?.message);
  return words && html`<small>${words}</small>`;
}

export const jobColumns = [
  { key: "action", title: _("Job"), class: "cell-name", cell: (job) => html`<span class="two-lines"><a href=${`/jobs/${job.id}`}>${actionWord(job.action)}</a>
    <${Now} job=${job} /></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (job) => html`<${JobState} job=${job} />` },
  { key: "progress", title: _("Progress"), class: "cell-progress", cell: (job) => html`<div class="progress-cell"><${ProgressLine} job=${job} />${isActive(job) && html`<span class="tabular">${job.progress_percent} %</span>`}</div>` },
  { key: "on", title: _("Works on"), label: true, cell: (job) => html`<${Target} job=${job} />` },
  { key: "actor", title: _("Asked by"), class: "cell-minor", cell: (job) => html`<span class="soft">${job.actor}</span>` },
  { key: "took", title: _("Took"), class: "cell-minor", cell: (job) => html`<${Duration} job=${job} />` },
  { key: "created", title: _("When"), sort: "created_at", firstSort: "-created_at", cell: (job) => html`<${Ago} at=${job.created_at} />` },
];

/** All of them do the same: each row begins with what it is done to. */
const childName = { key: "on", title: boot.staff ? _("Guest") : _("Server"), class: "cell-name", cell: (job) => html`<span class="two-lines"><a href=${`/jobs/${job.id}`}>${targetName(job) || actionWord(job.action)}</a><${Now} job=${job} /></span>` };
const childColumns = [childName, ...jobColumns.filter((column) => ["state", "progress", "took"].includes(column.key))];

/** The jobs of a job of many. */
export const ChildJobs = ({ job }) => html`<${List} endpoint="/jobs" caption=${_("Jobs")} columns=${childColumns}
  fixed=${{ parent: job.id }} sort="-created_at" href=${(child) => `/jobs/${child.id}`} when=${(message) => message.type === "job"} empty=${{ text: _("It has no jobs.") }} />`;
