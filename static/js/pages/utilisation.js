// How much of the fleet is really used: idle hosts first, then all of them over time.
import { useResource } from "../lib/data.js";
import { mib, number, percent } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { Card, Empty, Pending, ProblemNotice, State } from "../ui/basic.js";
import { Graph } from "../ui/graph.js";
import { ValuesTable, percentWords, timesNote, useRange, useTableView } from "../ui/metrics.js";
import { PageHead, mount } from "../ui/page.js";

const EVERY_MS = 300_000;
const IDLE_PERCENT = 15;
const isIdle = (host) => host.cpu_percent.average !== null && host.cpu_percent.average < IDLE_PERCENT;

function Bars({ words, most, lines }) {
  return html`<span class="use-bars" role="img" aria-label=${words} title=${words}>${lines.map(([look, value]) => html`<span class="bar-track" key=${look}><span class=${`bar-fill is-${look}`} style=${{ width: `${percent(value, most)}%` }}></span></span>`)}</span>`;
}

function CpuBars({ host }) {
  const used = ((host.cpu_percent.average || 0) * host.cpus) / 100;
  const words = _("%(cpus)s processors, %(sold)s vCPUs sold, %(used)s busy on average", { cpus: number(host.cpus), sold: number(host.sold.vcpus), used: number(used, 1) });
  return html`<${Bars} words=${words} most=${Math.max(host.cpus, host.sold.vcpus, 1)} lines=${[["physical", host.cpus], ["sold", host.sold.vcpus], ["used", used]]} />`;
}

function MemoryBars({ host }) {
  const used = host.memory_used_mib.average || 0;
  const words = _("%(all)s memory, %(sold)s sold, %(used)s in use on average", { all: mib(host.memory_mib), sold: mib(host.sold.memory_mib), used: mib(Math.round(used)) });
  return html`<${Bars} words=${words} most=${Math.max(host.memory_mib, host.sold.memory_mib, 1)} lines=${[["physical", host.memory_mib], ["sold", host.sold.memory_mib], ["used", used]]} />`;
}

const known = (value) => (value === null ? html`<span class="muted none">–</span>` : percentWords(value));

const waited = (hosts) => hosts.some((host) => host.cpu_delay_percent);

function Hosts({ hosts }) {
  const waits = waited(hosts);
  return html`<div class="card list-card"><table class="list use-list"><caption class="visually-hidden">${_("Hosts, the idlest first")}</caption>
    <thead><tr><th scope="col">${_("Host")}</th><th scope="col">${_("State")}</th><th scope="col">${_("Processors")}</th><th scope="col" class="cell-num">${_("Average")}</th><th scope="col" class="cell-num"><abbr title=${_("CPU was below this for 95 % of the time")}>${_("95 % below")}</abbr></th>
      <th scope="col" class="cell-num">${_("Peak")}</th>${waits && html`<th scope="col" class="cell-num"><abbr title=${_("How long virtual processors were ready and waited for a real one, on average")}>${_("Waiting")}</abbr></th>`}<th scope="col">${_("Memory")}</th><th scope="col" class="cell-num">${_("In use")}</th></tr></thead>
    <tbody>${hosts.map((host) => html`<tr key=${host.id}>
      <td class="cell-name"><span class="two-lines"><a href=${`/hosts/${host.id}?tab=metrics`}>${host.name}</a><small>${host.location}</small></span></td>
      <td class="cell-state">${host.cpu_percent.average === null ? html`<${State} status="unknown" word=${_("No samples")} />` : isIdle(host) ? html`<${State} status="off" word=${_("Idle")} />` : html`<${State} status="running" word=${_("In use")} />`}</td>
      <td data-label=${_("CPU")}><${CpuBars} host=${host} /></td>
      <td class="cell-num" data-label=${_("Average")}>${known(host.cpu_percent.average)}</td><td class="cell-num" data-label=${_("95 % below")}>${known(host.cpu_percent.p95)}</td><td class="cell-num" data-label=${_("Peak")}>${known(host.cpu_percent.peak)}</td>
      ${waits && html`<td class="cell-num" data-label=${_("Waiting")}>${known(host.cpu_delay_percent ? host.cpu_delay_percent.average : null)}</td>`}
      <td class="cell-memory" data-label=${_("Memory")}><${MemoryBars} host=${host} /></td>
      <td class="cell-num" data-label=${_("In use")}>${host.memory_used_mib.average === null ? html`<span class="muted none">–</span>` : mib(Math.round(host.memory_used_mib.average))}</td></tr>`)}</tbody></table></div>`;
}

function Sums({ hosts }) {
  const seen = hosts.filter((host) => host.cpu_percent.average !== null);
  const sum = (pick) => seen.reduce((total, host) => total + pick(host), 0);
  const cpus = sum((host) => host.cpus);
  const stat = (label, value) => html`<div class="card stat"><span class="stat-label">${label}</span><span class="stat-value">${value}</span></div>`;
  return html`<div class="stats">${stat(_("CPU used on average"), cpus ? percentWords(sum((host) => host.cpus * host.cpu_percent.average) / cpus) : "–")}
    ${stat(_("Memory used on average"), seen.length ? percentWords((100 * sum((host) => host.memory_used_mib.average || 0)) / Math.max(1, sum((host) => host.memory_mib))) : "–")}
    ${stat(_("vCPUs sold for each processor"), cpus ? number(sum((host) => host.sold.vcpus) / cpus, 1) : "–")}
    ${stat(_("Idle hosts"), _("%(idle)s of %(all)s", { idle: number(seen.filter(isIdle).length), all: number(hosts.length) }))}</div>`;
}

function OverTime({ fleet, step, asTable }) {
  const times = useMemo(() => fleet.timestamps.map((at) => Date.parse(at) / 1000), [fleet]);
  const columns = [{ title: _("CPU"), values: fleet.cpu_percent, show: percentWords }, { title: _("Memory"), values: fleet.memory_percent, show: percentWords }, { title: _("Hosts seen"), values: fleet.hosts, show: number }];
  if (asTable) return html`<${ValuesTable} caption=${_("All hosts together")} timestamps=${fleet.timestamps} step=${step} columns=${columns} />`;
  return html`<${Card}><${Graph} id="graph-fleet" title=${_("All hosts together")} times=${times} step=${step} show=${percentWords} top=${100}
    series=${[{ word: _("CPU"), colour: "--graph-1", values: fleet.cpu_percent, fill: true }, { word: _("Memory"), colour: "--graph-2", values: fleet.memory_percent }]} /><//>`;
}

function Utilisation() {
  const [range, picker] = useRange("24h");
  const [asTable, toggle] = useTableView();
  const use = useResource("/hosts/utilisation", { range }, { every: EVERY_MS });
  const { data } = use;
  const idle = data?.hosts.filter(isIdle).length;
  return html`<${PageHead} title=${_("Utilisation")} sub=${_("Most servers in the world idle at 10 to 15 %. What idles here stands first.")} />
    <div class="stack"><h2 class="visually-hidden">${_("Use over time")}</h2><div class="graph-tools">${picker}${toggle}</div>
      <${ProblemNotice} problem=${use.problem} retry=${use.reload} />
      ${use.loading && html`<div class="card graph-pending"><${Pending} lines=${4} /></div>`}
      ${data && data.hosts.length === 0 && html`<${Card}><${Empty}>${_("No host yet. Set-up enrols the machine it runs on as the first one.")}<//><//>`}
      ${data && data.hosts.length > 0 && html`<${Sums} hosts=${data.hosts} />
        ${data.fleet.cpu_percent.every((value) => value === null) ? html`<${Card}><${Empty}>${_("No samples yet: the first appear within ten minutes.")}<//><//>` : html`<${OverTime} fleet=${data.fleet} step=${data.step_s} asTable=${asTable} />`}
        ${idle > 0 && html`<p class="soft">${plural("%(count)s host was below %(limit)s % on average. Its guests may fit on the others; an emptied host can be switched off or sold anew.", "%(count)s hosts were below %(limit)s % on average. Their guests may fit on fewer hosts; an emptied host can be switched off or sold anew.", idle, { limit: IDLE_PERCENT })}</p>`}
        <div class="section-head"><h2>${_("Hosts, the idlest first")}</h2><p class="field-hint use-key"><span><i class="bar-fill is-physical"></i>${_("physical")}</span><span><i class="bar-fill is-sold"></i>${_("sold")}</span><span><i class="bar-fill is-used"></i>${_("used on average")}</span></p></div>
        <${Hosts} hosts=${data.hosts} />
        <p class="field-hint">${[_("“95 % below”: for 95 % of the time the processors were less busy than this."), waited(data.hosts) && _("“Waiting”: how long virtual processors were ready and waited for a real one; above 5 % people notice."), timesNote()].filter(Boolean).join(" ")}</p>`}</div>`;
}

mount(Utilisation);
