// Jobs (staff) and activity (customers): what was asked for and how far it is.
import { boot, may, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { said, stepWord } from "../lib/sentences.js";
import { actionWord } from "../lib/words.js";
import { Ago } from "../ui/basic.js";
import { Duration, JobState, ProgressLine, isActive } from "../ui/jobs.js";
import { List } from "../ui/list.js";
import { PageHead, mount } from "../ui/page.js";
import { Target } from "../ui/target.js";

const stepTitle = (job) => job.steps.find((step) => step.name === job.step)?.title || "";

const columns = [
  { key: "action", title: _("Job"), class: "cell-name", cell: (job) => html`<span class="two-lines"><a href=${`/jobs/${job.id}`}>${actionWord(job.action)}</a>
    ${isActive(job) ? html`<small>${stepWord(stepTitle(job)) || _("waiting")}</small>` : job.error && html`<small>${said(job.error.message)}</small>`}</span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (job) => html`<${JobState} job=${job} />` },
  { key: "progress", title: _("Progress"), class: "cell-progress", cell: (job) => html`<div class="progress-cell"><${ProgressLine} job=${job} />${isActive(job) && html`<span class="tabular">${job.progress_percent} %</span>`}</div>` },
  { key: "on", title: _("Works on"), label: true, cell: (job) => html`<${Target} job=${job} />` },
  { key: "actor", title: _("Asked by"), class: "cell-minor", cell: (job) => html`<span class="soft">${job.actor}</span>` },
  { key: "took", title: _("Took"), class: "cell-minor", cell: (job) => html`<${Duration} job=${job} />` },
  { key: "created", title: _("When"), sort: "created_at", firstSort: "-created_at", cell: (job) => html`<${Ago} at=${job.created_at} />` },
];

const filters = [
  { param: "status", label: _("State"), options: [["queued", _("Waiting")], ["running", _("Running")], ["success", _("Done")], ["error", _("Failed")], ["cancelled", _("Cancelled")]] },
  { param: "action", label: _("Action"), options: ["create", "start", "shutdown", "stop", "reboot", "reset", "rebuild", "resize", "reset-root-password", "delete"]
    .map((verb) => [`guest.${verb}`, actionWord(`guest.${verb}`)]) },
];

mount(() => html`<${PageHead} title=${boot.staff ? _("Jobs") : _("Activity")} sub=${boot.staff ? "" : _("What was done with your servers, by whom, and how it ended.")} />
  <${List} endpoint="/jobs" caption=${_("Jobs")} columns=${columns} filters=${filters} sort="-created_at" href=${(job) => `/jobs/${job.id}`}
    when=${(message) => message.type === "job"} empty=${{ text: _("Nothing has happened yet. Each action on a server appears here."),
      action: may(boot.staff ? "guest.place" : "guest.create") && html`<a class="btn btn-primary" href=${serverPath("new")}>${boot.staff ? _("Create guest") : _("Create server")}</a>` }} />`);
