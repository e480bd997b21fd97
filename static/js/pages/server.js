// A server's page: how to log in, what is happening, what it is.
import { post } from "../lib/api.js";
import { boot, may, pageData, serverPath } from "../lib/boot.js";
import { useResource, useUrlQuery } from "../lib/data.js";
import { patchChanged } from "../lib/edit.js";
import { momentTime, money, sizeWords } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { isGone, said, unknownWhy } from "../lib/sentences.js";
import { actionWord } from "../lib/words.js";
import { Ago, Button, Card, Copy, Facts, GuestState, Icon, Notice, OsMark, Pending, TypeMark } from "../ui/basic.js";
import { AuditList } from "../ui/audit.js";
import { LOOK_EVERY_MS } from "../ui/guests.js";
import { Duration, JobPanel, JobState, isActive } from "../ui/jobs.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { LastHour, Metrics } from "../ui/metrics.js";
import { PageHead, Stale, Waiting, mount, setTitle } from "../ui/page.js";
import { powerItems } from "../ui/power.js";
import { RootCard } from "../ui/root.js";
import { ServerSettings } from "../ui/server_settings.js";
import { tabPanel, useTabs } from "../ui/tabs.js";
import { toast, toastProblem } from "../ui/toast.js";

const id = pageData.ids.id;
const COST_EVERY_MS = 300_000;
const word = boot.staff ? _("Guest") : _("Server");
const crumbs = [[serverPath(), boot.staff ? _("Guests") : _("Servers")]];

function Name({ guest, onGuest }) {
  const [editing, setEditing] = useState(false);
  const [name, setName] = useState(guest.name);
  const [error, setError] = useState("");
  const opened = useRef(guest); // as it was when the editing began
  const field = useRef(null);
  const pencil = useRef(null);
  const back = useRef(false);
  useEffect(() => {
    if (editing) field.current?.select();
    else if (back.current) pencil.current?.focus();
    back.current = editing;
  }, [editing]);
  const save = async (event) => {
    event.preventDefault();
    if (name === opened.current.name) { setEditing(false); return; }
    try { onGuest(await patchChanged(`/guests/${id}`, opened.current, { name })); setEditing(false); setError(""); } catch (problem) { setError(problem.field("name") || problem.message); }
  };
  const stop = () => { setEditing(false); setName(guest.name); setError(""); };
  if (!editing) {
    return html`<h1><span>${guest.name}</span>${guest.lifecycle !== "deleted" && may("guest.operate", guest.customer) && html`<button type="button" class="icon-button tight" ref=${pencil} aria-label=${_("Rename")} title=${_("Rename")} onClick=${() => { opened.current = guest; setName(guest.name); setEditing(true); }}><${Icon} name="edit" small /></button>`}</h1>`;
  }
  return html`<form class="rename" onSubmit=${save} onKeyDown=${(event) => event.key === "Escape" && stop()}><h1 class="visually-hidden">${guest.name}</h1>
    <input ref=${field} class="form-control" aria-label=${_("Name")} aria-invalid=${error ? "true" : undefined} value=${name} onInput=${(event) => setName(event.target.value)} />
    <button class="btn btn-primary btn-sm" type="submit">${_("Save name")}</button><button class="btn btn-sm" type="button" onClick=${stop}>${_("Cancel")}</button>
    ${error && html`<p class="field-error" role="alert">${error}</p>`}</form>`;
}

function Head({ guest, onGuest, onAnswer }) {
  const start = guest.supports.find((entry) => entry.action === "start");
  const run = async () => { try { onAnswer(await post(`/guests/${id}/actions/start`)); toast(_("%(name)s is starting.", { name: guest.name })); } catch (problem) { toastProblem(problem); } };
  const operate = may("guest.operate", guest.customer) && !["deleted", "deleting"].includes(guest.status);
  return html`<nav class="crumbs" aria-label=${_("Where you are")}>${crumbs.map(([href, text]) => html`<a href=${href}><${Icon} name="arrow-left" small />${text}</a>`)}</nav>
    <div class="server-head"><div class="server-title"><${OsMark} os=${guest.os} large /><div><${Name} guest=${guest} onGuest=${onGuest} />
      <div class="server-sub"><${GuestState} guest=${guest} /><span>${guest.image_name}</span><${TypeMark} type=${guest.host_type} />
        ${guest.addresses[0] && html`<${Copy} value=${guest.addresses[0].address} />`}${guest.emulated && html`<span class="badge badge-warning" title=${_("The host has no hardware virtualization; full machines are emulated there.")}>${_("emulated: slow")}</span>`}</div></div></div>
      ${operate && html`<div class="server-actions">${start?.allowed && guest.status !== "unknown" && html`<${Button} kind="btn-primary" icon="player-play" onClick=${run}>${boot.staff ? _("Start guest") : _("Start server")}<//>`}
        <${Menu} label=${_("Power")} button=${html`<${Icon} name="power" />${_("Power")}<${Icon} name="chevron-down" small />`} items=${powerItems(guest, onAnswer).filter((item) => item.text !== _("Start") || !item.disabled)} /></div>`}</div>`;
}

/** Not known is not off: said in so many words, with when it was seen and, for staff, where the reason is. */
function Unseen({ guest }) {
  const when = guest.observed_at && html` ${_("Last seen %(time)s", { time: momentTime(guest.observed_at) })} (<${Ago} at=${guest.observed_at} />).`;
  const gone = isGone(guest);
  const where = gone ? html`<a class="btn btn-sm" href="/differences">${_("Open differences")}</a>` : html`<a class="btn btn-sm" href="/health">${_("Show health")}</a>`;
  const hidden = boot.staff ? _("It may well run: only the panel cannot see it.") : _("It may well run and be reachable: only the panel cannot see it. You need not do anything.");
  const lost = boot.staff ? _("The differences say what can be done.") : _("Those who run the panel are told.");
  return html`<div class="page-notice"><${Notice} kind="warning" action=${boot.staff && where}>${unknownWhy(guest)}${when} ${gone ? lost : hidden}<//></div>`;
}

/** `told` is a reason that stands on the page already. */
function Notices({ guest, told = "" }) {
  return html`${guest.status === "unknown" ? html`<${Unseen} guest=${guest} />` : guest.status_reason && guest.status_reason !== told && html`<div class="page-notice"><${Notice} kind=${["error", "crashed"].includes(guest.status) ? "danger" : "warning"}>${said(guest.status_reason)}<//></div>`}
    ${guest.notice && html`<div class="page-notice"><${Notice}>${guest.notice}<//></div>`}`;
}

function Recent({ jobs }) {
  if (!jobs.length) return null;
  return html`<${Card} title=${_("Recent activity")} id="recent" pad=${false} action=${html`<a class="btn btn-sm btn-quiet" href="?tab=activity">${_("All activity")}</a>`}><div class="recent">
    ${jobs.map((job) => html`<a key=${job.id} class="recent-line" href=${`/jobs/${job.id}`}><span class="grow ellipsis">${actionWord(job.action)}</span><${JobState} job=${job} /><span class="muted recent-when"><${Ago} at=${job.created_at} /></span></a>`)}</div><//>`;
}

/** What it costs this month so far, from its hours begun. */
function useCost(guest) {
  const usage = useResource(guest.plan && may("usage.view") ? "/usage" : null, { guest: guest.id }, { every: COST_EVERY_MS });
  if (usage.loading) return html`<${Pending} />`;
  const totals = usage.data?.results.flatMap((one) => one.totals) || [];
  return totals.map((total) => money(total.amount, total.currency)).join(" + ");
}

function Details({ guest }) {
  const cost = useCost(guest);
  const plan = useResource(guest.plan ? `/plans/${guest.plan}` : null);
  const price = plan.data && html`${money(plan.data.price_monthly, plan.data.currency)} ${_("a month")}`;
  const labels = Object.entries(guest.labels || {});
  return html`<${Card} title=${_("Facts")} id="facts"><${Facts} rows=${[
    [_("Image"), html`<span class="os-line"><${OsMark} os=${guest.os} />${guest.image_name}</span>`],
    [_("Size"), sizeWords(guest)],
    guest.plan && [_("Plan"), plan.loading ? html`<${Pending} lines=${2} />` : html`${plan.data?.name || guest.plan}${price && html`<br /><span class="muted">${price}</span>`}`],
    cost && [_("So far this month"), cost],
    guest.location && [_("Location"), guest.location],
    guest.host && [_("Host"), html`<a href=${`/hosts/${guest.host}`}>${guest.host_name}</a>`],
    boot.staff && [_("Customer"), html`<a href=${`/customers/${guest.customer}`}>${guest.customer_name}</a>`],
    boot.customers.length > 1 && [_("Team"), guest.customer_name],
    [_("Created"), html`<${Ago} at=${guest.created_at} />`],
    guest.external_id && [_("External id"), html`<${Copy} value=${guest.external_id} />`],
    [_("Labels"), labels.length ? html`<span class="row-line">${labels.map(([key, value]) => html`<span class="badge" key=${key}>${key}${value && `=${value}`}</span>`)}</span>` : html`<span class="muted none">–</span>`],
    [_("Id"), html`<${Copy} value=${guest.id} />`],
  ]} /><//>`;
}

/** Why there may be no samples; "" when they come by themselves. */
const noSamples = (guest) => ({ unknown: _("No samples of this time: nobody has seen it."), off: _("No samples of this time: it is off.") })[guest.status] || "";

function Overview({ guest, onAnswer }) {
  const seen = useRef(new Set());
  const jobs = useResource("/jobs", { guest: id, limit: 6 }, { when: (message) => message.type === "job" || (message.type === "guest" && message.id === id) });
  const rows = jobs.data?.results || [];
  for (const job of rows) if (isActive(job)) seen.current.add(job.id);
  const newest = rows.find(isActive) || rows[0];
  const first = newest && (isActive(newest) || newest.status === "error" || seen.current.has(newest.id)) ? newest : null;
  const told = jobs.loading && guest.status === "error" ? guest.status_reason : first?.error?.message;
  return html`<${Notices} guest=${guest} told=${told} /><div class="columns"><div class="stack"><${RootCard} guest=${guest} onDone=${onAnswer} />${jobs.loading && html`<div class="card skeleton-card"><${Pending} lines=${3} /></div>`}${first && html`<${JobPanel} job=${first} onChange=${jobs.reload} />`}
    ${guest.lifecycle === "active" && html`<${LastHour} path=${`/guests/${id}/metrics`} none=${noSamples(guest)} only=${["cpu", "memory", "disk", "network"]} />`}<${Recent} jobs=${rows.filter((job) => job !== first).slice(0, 5)} /></div><div class="stack"><${Details} guest=${guest} /></div></div>`;
}

const NetworkTab = ({ guest }) => html`<div class="card list-card"><table class="list"><caption>${_("Addresses")}</caption><thead><tr><th scope="col">${_("Address")}</th><th scope="col">${_("Family")}</th><th scope="col">${_("MAC")}</th></tr></thead>
  <tbody>${guest.addresses.map((one) => html`<tr key=${one.address}><td class="cell-name"><${Copy} value=${one.address} /></td><td class="cell-state">IPv${one.family}</td><td><${Copy} value=${one.mac} /></td></tr>`)}</tbody></table></div>
  <p class="field-hint">${_("These addresses belong to it alone: others cannot use them, and it cannot send from any other.")}</p>`;

const activityColumns = [
  { key: "action", title: _("Job"), class: "cell-name", cell: (job) => html`<span class="two-lines"><a href=${`/jobs/${job.id}`}>${actionWord(job.action)}</a>${job.error && html`<small>${said(job.error.message)}</small>`}</span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (job) => html`<${JobState} job=${job} />` },
  { key: "actor", title: _("Asked by"), cell: (job) => job.actor },
  { key: "took", title: _("Took"), class: "cell-minor", cell: (job) => html`<${Duration} job=${job} />` },
  { key: "when", title: _("When"), sort: "created_at", firstSort: "-created_at", cell: (job) => html`<${Ago} at=${job.created_at} />` },
];

const Activity = () => html`<div class="stack"><div><${List} endpoint="/jobs" fixed=${{ guest: id }} caption=${_("Activity")} columns=${activityColumns} sort="-created_at" href=${(job) => `/jobs/${job.id}`} when=${(message) => message.type === "job"} empty=${{ text: _("Nothing has happened yet.") }} /></div>
  ${may("audit.view") && html`<div class="stack-small"><h2>${_("Audit")}</h2><${AuditList} name="audit" fixed=${{ object: id }} /></div>`}</div>`;

function Server() {
  const resource = useResource(`/guests/${id}`, null, { when: (message) => message.id === id || message.type === "job", every: LOOK_EVERY_MS });
  const guest = resource.data;
  const gone = guest?.lifecycle === "deleted";
  const [tab, tabs] = useTabs([["overview", _("Overview")], ["metrics", _("Metrics")], ["network", _("Network")], ["activity", _("Activity")], ...(gone ? [] : [["settings", _("Settings")]])], boot.staff ? _("Parts of the guest") : _("Parts of the server"));
  useEffect(() => { if (guest) setTitle(guest.name); }, [guest?.name]);
  const [, setQuery] = useUrlQuery();
  if (!guest) return html`<${PageHead} title=${word} crumbs=${crumbs} /><${Waiting} resource=${resource} back=${[serverPath(), _("All servers")]} missing=${boot.staff ? _("There is no such guest, or not any more.") : _("There is no such server, or not any more.")} />`;
  const answer = (result) => { if (result?.guest) resource.mutate(result.guest); };
  // What takes a while shows its steps, and its password, on the first tab.
  const begin = (result) => { answer(result); setQuery({ tab: "" }, { push: true }); scrollTo({ top: 0 }); };
  return html`<${Head} guest=${guest} onGuest=${resource.mutate} onAnswer=${answer} />${tabs}<${Stale} resource=${resource} />${tab !== "overview" && html`<${Notices} guest=${guest} />`}
    <div ...${tabPanel(tab)}>${tab === "overview" && html`<${Overview} guest=${guest} onAnswer=${answer} />`}${tab === "metrics" && html`<${Metrics} path=${`/guests/${id}/metrics`} none=${noSamples(guest)} />`}${tab === "network" && html`<${NetworkTab} guest=${guest} />`}
      ${tab === "activity" && html`<${Activity} />`}${tab === "settings" && html`<${ServerSettings} guest=${guest} onGuest=${resource.mutate} onAnswer=${answer} onBegin=${begin} />`}</div>`;
}

mount(Server);
