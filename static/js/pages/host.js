// One host: facts, what it can do and why not, its room and load, its guests and jobs.
import { post } from "../lib/api.js";
import { may, pageData } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { patchChanges } from "../lib/edit.js";
import { bytes, gib, mib, number } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { kindWord, severityLook, worstFirst } from "../lib/differences.js";
import { TYPE_NAMES } from "../lib/words.js";
import { Ago, Button, Card, Copy, Facts, Icon, Meter, Notice, Pending, ProblemNotice, State, TypeMark } from "../ui/basic.js";
import { FormDialog } from "../ui/dialog.js";
import { NumberField, TextField } from "../ui/fields.js";
import { GuestList, guestColumns } from "../ui/guests.js";
import { LOOK_EVERY_MS, hostStatus, isSilent, silentTypes } from "../ui/hosts.js";
import { Menu } from "../ui/menu.js";
import { LastHour, Metrics } from "../ui/metrics.js";
import { PageHead, Stale, Waiting, mount, setTitle } from "../ui/page.js";
import { tabPanel, useTabs } from "../ui/tabs.js";
import { toast, toastProblem } from "../ui/toast.js";

const id = pageData.ids.id;
const CAPABILITIES = {
  acceleration: _("Hardware virtualization"), anti_spoofing: _("Protection against stolen addresses"), bandwidth: _("Traffic shaping"),
  bulk_stats: _("Statistics in one call"), graphics: _("Screen (VNC)"), guest_agent: _("Guest agent"), pause: _("Pausing"),
  process_limit: _("Limit of processes"), reset: _("Reset"),
};

function silence(host) {
  const types = silentTypes(host);
  if (!host.last_seen_at) return types ? _("%(types)s has not been seen here yet.", { types }) : _("The host has not been seen yet.");
  if (types) return _("%(types)s does not answer here. Of its guests stands what was seen last; they may well run. It is asked again by itself.", { types });
  return _("The host does not answer. What stands here is what was seen last; its guests may well run. It is asked again by itself.");
}

function Capabilities({ host }) {
  return html`<${Card} title=${_("What it can do")} id="capabilities">${host.connections.map((connection) => html`<div class="capability-group" key=${connection.host_type}>
    <div class="spread"><span class="row-line"><${TypeMark} type=${connection.host_type} /> <span class="soft">${connection.hypervisor}${connection.libvirt_version && ` · libvirt ${connection.libvirt_version}`}</span></span>
      ${connection.emulated && html`<span class="badge badge-warning">${_("emulated: slow")}</span>`}</div>
    <ul class="capabilities">${connection.capabilities.map((entry) => html`<li class=${entry.available ? "is-there" : "is-missing"} key=${entry.capability}>
      <${Icon} name=${entry.available ? "check" : "x"} small /><span>${CAPABILITIES[entry.capability] || entry.capability}
      <span class="visually-hidden">: ${entry.available ? _("yes") : _("no")}</span>${entry.reason && html`<small>${entry.reason}</small>`}</span></li>`)}</ul>
    ${connection.last_error && html`<${Notice} kind="warning">${connection.last_error}<//>`}
  </div>`)}<//>`;
}

function Room({ host }) {
  const { vcpus, memory_mib: memory, disk_gib: disk } = host.capacity;
  return html`<${Card} title=${_("Room and load")} id="room"><div class="stack">
    <${Meter} label=${_("vCPUs sold")} used=${vcpus.used} limit=${vcpus.limit} />
    <${Meter} label=${_("Memory sold")} used=${memory.used} limit=${memory.limit} show=${mib} />
    <${Meter} label=${_("Disk sold")} used=${disk.used} limit=${disk.limit} show=${gib} />
    ${host.load.cpu_percent !== null && html`<${Meter} label=${_("CPU really used")} used=${Math.round(host.load.cpu_percent)} limit=${100} text=${`${number(host.load.cpu_percent)} %`} />`}
    ${host.load.memory_percent !== null && html`<${Meter} label=${_("Memory really used")} used=${Math.round(host.load.memory_percent)} limit=${100} text=${`${number(host.load.memory_percent)} %`} />`}
  </div><//>`;
}

function roomOf(pool) {
  if (pool.left_alone) return pool.path === "/" ? _("Directories of containers that were taken over: known, and left alone") : _("Disks of servers that were taken over: counted, and left alone");
  if (!pool.for_new_guests) return _("Disks of servers that were taken over; no new ones go there. %(free)s free of %(all)s on disk", { free: bytes(pool.available_bytes), all: bytes(pool.capacity_bytes) });
  return _("%(free)s free of %(all)s on disk, may be sold %(times)s times", { free: bytes(pool.available_bytes), all: bytes(pool.capacity_bytes), times: number(Number(pool.overcommit), 2) });
}

/** Of a place where only disks are that were taken over nothing more may be sold. */
const soldOf = (pool) => (pool.left_alone && !pool.used_gib ? _("of no size of their own") : pool.for_new_guests ? "" : gib(pool.used_gib));

function Pools({ host }) {
  const pools = useResource("/pools", { host: host.id, limit: 100 }, { every: LOOK_EVERY_MS });
  return html`<${Card} title=${_("Storage pools")} id="pools"><div class="stack">
    ${pools.loading && html`<${Pending} lines=${2} />`}<${ProblemNotice} problem=${pools.problem} retry=${pools.reload} />
    ${pools.data?.results.length === 0 && html`<p class="soft">${_("None yet: a check of the host prepares its storage.")}</p>`}
    ${(pools.data?.results || []).filter((pool) => !pool.left_alone || pool.used_gib || pool.path === "/").map((pool) => html`<div class="stack-small" key=${pool.id}>
    <${Meter} label=${pool.name} used=${pool.used_gib} limit=${pool.limit_gib} show=${gib} text=${soldOf(pool)} />
    <small class="muted">${roomOf(pool)} · <span class="mono">${pool.path}</span></small>
  </div>`)}</div><//>`;
}

const HostFacts = ({ host }) => html`<${Card} title=${_("Facts")} id="facts"><${Facts} rows=${[
  [_("Location"), host.location],
  [_("Address"), host.address ? html`<${Copy} value=${host.address} />` : "–"],
  [_("Processor"), html`${plural("%(count)s CPU", "%(count)s CPUs", host.cpus)}${host.cpu_model && html`<br /><span class="muted">${host.cpu_model}</span>`}`],
  [_("Memory"), mib(host.memory_mib)],
  [_("Kept for itself"), mib(host.memory_reserve_mib)],
  [_("Over-commit"), _("CPU %(cpu)s ×, memory %(memory)s ×", { cpu: number(Number(host.cpu_overcommit), 2), memory: number(Number(host.memory_overcommit), 2) })],
  [_("Networks"), host.networks.length ? host.networks.map((network, index) => html`${index > 0 && ", "}<a class="nowrap" href=${`/networks/${network.id}`}>${network.name}</a>`) : "–"],
  [_("Last seen"), html`<${Ago} at=${host.last_seen_at} none=${_("never")} />`],
  [_("Enrolled"), html`<${Ago} at=${host.created_at} />`],
  [_("Id"), html`<${Copy} value=${host.id} />`],
]} /><//>`;

/** How many things differ here from the panel, worst first; the list itself is a page of its own. */
function HostDifferences({ host }) {
  const found = useResource("/differences", { host: host.id, limit: 100 }, { when: (message) => message.type === "difference", every: LOOK_EVERY_MS });
  const rows = found.data?.results || [];
  return html`<${Card} title=${_("Differences")} id="differences" action=${html`<a href=${`/differences?host=${host.id}`}>${_("Show all")}</a>`}>
    ${found.loading && html`<${Pending} lines=${1} />`}<${ProblemNotice} problem=${found.problem} retry=${found.reload} />
    ${found.data && !rows.length && html`<p class="soft">${isSilent(host) ? _("When it was seen last, the host had what the panel has.") : _("The host has what the panel has.")}</p>`}
    ${rows.length > 0 && html`<ul class="stack-small plain-list">${worstFirst(rows).slice(0, 5).map((row) => html`<li key=${row.id}><${State} status=${severityLook(row)} word=${kindWord(row.kind)} /> <span class="muted">${row.label}</span></li>`)}</ul>`}<//>`;
}

function EditHost({ host, onClose, onDone }) {
  const [opened] = useState(host);
  const [form, setForm] = useState({ name: host.name, location: host.location, cpu_overcommit: host.cpu_overcommit, memory_overcommit: host.memory_overcommit, memory_reserve_mib: host.memory_reserve_mib });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  const save = async () => {
    const saved = await patchChanges(`/hosts/${host.id}`, opened, form);
    if (saved) onDone(saved);
    onClose();
  };
  return html`<${FormDialog} title=${_("Edit host")} submit=${_("Save host")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <div class="fields-2"><${TextField} label=${_("Name")} error=${problem?.field("name")} ...${bind("name")} />
      <${TextField} label=${_("Location")} error=${problem?.field("location")} ...${bind("location")} />
      <${TextField} label=${_("vCPUs sold for each CPU")} inputmode="decimal" error=${problem?.field("cpu_overcommit")} ...${bind("cpu_overcommit")} />
      <${TextField} label=${_("Memory sold for each MiB")} inputmode="decimal" error=${problem?.field("memory_overcommit")} ...${bind("memory_overcommit")} /></div>
    <${NumberField} label=${_("Memory kept for the host, MiB")} error=${problem?.field("memory_reserve_mib")} ...${bind("memory_reserve_mib")} />`}<//>`;
}

const noSamples = (host) => (isSilent(host) ? _("No samples of this time: nobody has seen it.") : "");

function Host() {
  const resource = useResource(`/hosts/${id}`, null, { when: (message) => message.type === "host" && message.id === id, every: LOOK_EVERY_MS });
  const [editing, setEditing] = useState(false);
  const [tab, tabs] = useTabs([["overview", _("Overview")], ["metrics", _("Metrics")], ["guests", _("Guests")]], _("Parts of the host"));
  const host = resource.data;
  useEffect(() => { if (host) setTitle(host.name); }, [host?.name]);
  const crumbs = [["/hosts", _("Hosts")]];
  if (!host) return html`<${PageHead} title=${_("Host")} crumbs=${crumbs} /><${Waiting} resource=${resource} back=${["/hosts", _("All hosts")]} missing=${_("There is no such host.")} />`;
  const act = (verb, words) => async () => {
    try {
      const answer = await post(`/hosts/${id}/actions/${verb}`);
      resource.mutate(answer.host || answer);
      toast(words, answer.job && { link: { href: `/jobs/${answer.job.id}`, text: _("Open job") } });
    } catch (problem) { toastProblem(problem); }
  };
  const inMaintenance = host.state === "maintenance";
  return html`<${PageHead} crumbs=${crumbs} title=${host.name} sub=${html`<span class="row-line facts-line"><${State} ...${hostStatus(host)} /><span>${host.location}</span>
      ${host.host_types.map((type) => html`<${TypeMark} key=${type} type=${type} />`)}</span>`}>
      ${may("fleet.manage") && html`<${Button} icon="stethoscope" onClick=${act("check", _("The host is being looked at."))}>${_("Check host")}<//>
        <${Menu} label=${_("More")} button=${html`<${Icon} name="dots" />`} items=${[
          { text: _("Edit host"), icon: "edit", note: _("Name, location, how much is sold"), onSelect: () => setEditing(true) },
          inMaintenance ? { text: _("End maintenance"), icon: "tool", note: _("New guests may be placed on it again."), onSelect: act("leave-maintenance", _("Maintenance has ended.")) }
            : { text: _("Begin maintenance"), icon: "tool", note: _("No new guests; those it has run on."), onSelect: act("enter-maintenance", _("No new guests are placed on this host.")) },
        ]} />`}<//>
    ${tabs}<${Stale} resource=${resource} />
    ${isSilent(host) && html`<div class="page-notice"><${Notice} kind="warning">${silence(host)}${host.last_error && html`<br /><small>${_("It says: %(error)s", { error: host.last_error })}</small>`}<//></div>`}
    ${host.emulated && html`<div class="page-notice"><${Notice} kind="warning">${_("No hardware virtualization here: full machines (%(type)s) are emulated, about ten times slower. Containers run at full speed.", { type: TYPE_NAMES.kvm })}<//></div>`}
    <div ...${tabPanel(tab)}>${tab === "guests"
      ? html`<${GuestList} fixed=${{ host: id }} caption=${_("Guests of this host")} columns=${guestColumns({ customer: true })} empty=${{ text: _("No guest on this host.") }} />`
      : tab === "metrics" ? html`<${Metrics} path=${`/hosts/${id}/metrics`} none=${noSamples(host)} />`
      : html`<div class="columns"><div class="stack"><${LastHour} path=${`/hosts/${id}/metrics`} none=${noSamples(host)} only=${["cpu", "memory"]} /><${Room} host=${host} /><${Capabilities} host=${host} /></div><div class="stack"><${HostDifferences} host=${host} /><${HostFacts} host=${host} /><${Pools} host=${host} /></div></div>`}</div>
    ${editing && html`<${EditHost} host=${host} onClose=${() => setEditing(false)} onDone=${resource.mutate} />`}`;
}

mount(Host);
