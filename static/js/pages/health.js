// Health: what is wrong with the panel and the fleet, worst first, each with what it means and where it is mended.
import { useResource } from "../lib/data.js";
import { exactTime, momentTime } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { Ago, Card, Facts, Icon, State } from "../ui/basic.js";
import { PageHead, Stale, Waiting, mount } from "../ui/page.js";

const LOOK_EVERY_MS = 15_000; // most of it no event tells of
const WATCHED = ["job", "host", "guest", "network"];
const LOOKS = { critical: "failed", warning: "unknown", notice: "off" };
const GROUPS = [["critical", () => _("Does not work")], ["warning", () => _("Needs somebody soon")], ["notice", () => _("Worth knowing")]];
const KINDS = { web: () => _("Web"), worker: () => _("Worker"), builder: () => _("Builder"), collector: () => _("Collector") };

const OPENS = [[/^\/hosts\/./, () => _("Open host")], [/^\/hosts/, () => _("Show hosts")], [/^\/jobs\/./, () => _("Open job")], [/^\/jobs/, () => _("Show jobs")], [/^\/guests/, () => _("Show guests")], [/^\/networks\/./, () => _("Open network")], [/^\/differences/, () => _("Show differences")]];
const opens = (link) => (OPENS.find(([shape]) => shape.test(link))?.[1] || (() => _("Show")))();

const Line = ({ item }) => html`<li class="health-line">
  <div class="health-words"><${State} status=${LOOKS[item.severity]} word=${item.sentence} /><p class="soft">${item.hint}</p></div>
  <div class="health-side">${item.since && html`<span class="muted nowrap" title=${exactTime(item.since)}>${_("since %(time)s", { time: momentTime(item.since) })}</span>`}
    ${item.link && html`<a class="btn btn-sm" href=${item.link} aria-label=${`${opens(item.link)}: ${item.sentence}`}>${opens(item.link)}</a>`}</div></li>`;

function Findings({ items }) {
  if (!items.length) return html`<div class="notice notice-good"><${Icon} name="circle-check" /><div>${_("All is well: every host answers, jobs are carried out, nothing is nearly full, and there is a recent backup.")}</div></div>`;
  return GROUPS.map(([severity, title]) => {
    const mine = items.filter((item) => item.severity === severity);
    return mine.length > 0 && html`<${Card} key=${severity} title=${`${title()} (${mine.length})`} id=${`health-${severity}`} pad=${false}>
      <ul class="health-list">${mine.map((item) => html`<${Line} key=${`${item.code} ${item.subject}`} item=${item} />`)}</ul><//>`;
  });
}

/** `now`: when it was looked; machines whose clocks differ must not be heard of in the future. */
const Processes = ({ rows, now }) => html`<${Card} title=${_("Processes")} id="processes" pad=${false}>
  <div class="table-scroll"><table class="plain-table"><caption class="visually-hidden">${_("Processes of the panel that live")}</caption>
    <thead><tr><th scope="col">${_("Process")}</th><th scope="col">${_("Machine")}</th><th scope="col" class="cell-minor">${_("Started")}</th><th scope="col">${_("Heard of")}</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${`${row.machine} ${row.pid}`}><td>${KINDS[row.kind]()} <span class="muted tabular">${row.pid}</span></td><td>${row.machine}</td>
      <td class="cell-minor"><${Ago} at=${row.started_at} /></td><td><${Ago} at=${row.seen_at < now ? row.seen_at : now} /></td></tr>`)}
      ${!rows.length && html`<tr><td colspan="4" class="muted">${_("None has been heard of.")}</td></tr>`}</tbody></table></div><//>`;

function summary(items) {
  const known = items.filter((item) => item.severity === "notice").length;
  const wrong = items.length - known;
  return [wrong ? plural("%(count)s thing needs somebody.", "%(count)s things need somebody.", wrong) : _("Nothing needs anybody."),
    known > 0 && plural("%(count)s is worth knowing.", "%(count)s are worth knowing.", known)].filter(Boolean).join(" ");
}

function Health() {
  const health = useResource("/health", undefined, { when: (message) => WATCHED.includes(message.type), every: LOOK_EVERY_MS });
  const data = health.data;
  return html`<${PageHead} title=${_("Health")} sub=${data ? summary(data.items) : _("What is wrong with the panel and the fleet.")} /><${Stale} resource=${health} />
    ${data ? html`<div class="stack"><${Findings} items=${data.items} /><div class="columns"><${Processes} rows=${data.processes} now=${data.checked_at} />
      <${Card} title=${_("Looked at")} id="looked"><${Facts} rows=${[[_("Now"), html`<${Ago} at=${data.checked_at} />`], [_("Last backup"), html`<${Ago} at=${data.last_backup_at} none=${_("none")} />`],
        [_("For programs"), html`<code>/metrics</code>, <code>/readyz</code>`]]} /><//></div></div>` : html`<${Waiting} resource=${health} />`}`;
}

mount(Health);
