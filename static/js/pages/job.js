// One job: live steps, its end, and what can be done about it.
import { boot, pageData } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html, useEffect } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { actionWord } from "../lib/words.js";
import { Ago, Card, Copy, Facts, Pending } from "../ui/basic.js";
import { ChildJobs } from "../ui/job_list.js";
import { Duration, JobActions, JobAttempts, JobFailure, JobState, JobSteps, ProgressLine } from "../ui/jobs.js";
import { PageHead, Stale, Waiting, mount, setTitle } from "../ui/page.js";
import { Target, targetName } from "../ui/target.js";

const id = pageData.ids.id;
const list = boot.staff ? ["/jobs", _("Jobs")] : ["/activity", _("Activity")];

function Job() {
  const resource = useResource(`/jobs/${id}`, null, { when: (message) => message.type === "job" && message.id === id });
  const job = resource.data;
  const customer = useResource(boot.staff && job?.customer ? `/customers/${job.customer}` : null);
  const title = job && [actionWord(job.action), targetName(job)].filter(Boolean).join(" ");
  useEffect(() => { if (title) setTitle(title); }, [title]);
  if (!job) return html`<${PageHead} title=${_("Job")} crumbs=${[list]} /><${Waiting} resource=${resource} back=${[list[0], _("All jobs")]} missing=${_("There is no such job.")} />`;
  return html`<${PageHead} title=${title} crumbs=${[list]}><${JobActions} job=${job} onChange=${(next) => (next.id === id ? resource.mutate(next) : location.assign(`/jobs/${next.id}`))} /><//>
    <${Stale} resource=${resource} /><div class="columns">
      <div class="stack"><section class="card" aria-labelledby="steps"><${ProgressLine} job=${job} />
        <div class="card-head"><h2 id="steps">${job.children ? _("Progress") : _("Steps")}</h2><span class="row-line"><span class="muted"><${Duration} job=${job} /></span><${JobState} job=${job} /></span></div>
        <div class="card-pad stack-small"><${JobSteps} job=${job} /><${JobFailure} job=${job} /></div></section>
        ${job.children && html`<${ChildJobs} job=${job} />`}<${JobAttempts} job=${job} /></div>
      <${Card} title=${_("Facts")} id="facts"><${Facts} rows=${[
        [_("Works on"), html`<${Target} job=${job} />`],
        [_("Asked by"), job.actor],
        [_("Asked"), html`<${Ago} at=${job.created_at} />`],
        [_("Began"), html`<${Ago} at=${job.started_at} />`],
        [_("Ended"), html`<${Ago} at=${job.finished_at} />`],
        job.attempts.length > 1 && [_("Attempts"), String(job.attempts.length)],
        boot.staff && job.customer && [_("Customer"), html`<a href=${`/customers/${job.customer}`}>${customer.data?.name || (customer.loading ? html`<${Pending} />` : _("Open customer"))}</a>`],
        [_("Job id"), html`<${Copy} value=${job.id} />`],
        job.request_id && [_("Request"), html`<${Copy} value=${job.request_id} />`],
      ]} /><//>
    </div>`;
}

mount(Job);
