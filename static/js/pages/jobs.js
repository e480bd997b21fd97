// Jobs (staff) and activity (customers): what was asked for and how far it is.
import { boot, may, serverPath } from "../lib/boot.js";
import { html } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { useUrlQuery } from "../lib/data.js";
import { ACTIONS, actionWord } from "../lib/words.js";
import { jobColumns } from "../ui/job_list.js";
import { List } from "../ui/list.js";
import { PageHead, mount } from "../ui/page.js";

const filters = [
  { param: "status", label: _("State"), options: [["queued", _("Waiting")], ["running", _("Running")], ["success", _("Done")], ["error", _("Failed")], ["cancelled", _("Cancelled")]] },
  { param: "action", label: _("Action"), options: ACTIONS.map((action) => [action, actionWord(action)]) },
];

/** Of one action all jobs are shown, also those that are part of a job of many: its own row has another action. */
function Jobs() {
  const [url] = useUrlQuery();
  return html`<${PageHead} title=${boot.staff ? _("Jobs") : _("Activity")} sub=${boot.staff ? "" : _("What was done with your servers, by whom, and how it ended.")} />
  <${List} endpoint="/jobs" fixed=${url.action ? {} : { top: "true" }} caption=${_("Jobs")} columns=${jobColumns} filters=${filters} sort="-created_at" href=${(job) => `/jobs/${job.id}`}
    when=${(message) => message.type === "job"} empty=${{ text: _("Nothing has happened yet. Each action on a server appears here."),
      action: may(boot.staff ? "guest.place" : "guest.create") && html`<a class="btn btn-primary" href=${serverPath("new")}>${boot.staff ? _("Create guest") : _("Create server")}</a>` }} />`;
}

mount(Jobs);
