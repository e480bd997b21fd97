// Staff's first page: problems first, then the fleet, then what is physical, sold and really used.
import { boot } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { gib, mib, number, percent } from "../lib/format.js";
import { html } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { kindWord } from "../lib/differences.js";
import { said } from "../lib/sentences.js";
import { actionWord } from "../lib/words.js";
import { Ago, Card, Empty, Icon, ProblemNotice, State } from "../ui/basic.js";
import { LOOK_EVERY_MS, hostStatus, isSilent, silentTypes } from "../ui/hosts.js";
import { PageHead, mount } from "../ui/page.js";
import { targetName } from "../ui/target.js";

const MANY = 1000;
const WEEK_EVERY_MS = 300_000;
const DAY_MS = 86_400_000;
const FULL_PERCENT = 85;
const ALMOST_PERCENT = 95;

function silentText(host) {
  const types = silentTypes(host);
  return types ? _("%(types)s on %(name)s does not answer", { types, name: host.name }) : _("%(name)s does not answer", { name: host.name });
}

/** One pool of each file system: directories of what was taken over are mostly on one that counts already. As `hosts.selectors.file_systems`. */
function fileSystems(pools) {
  const found = new Map();
  for (const pool of [...pools].sort((one, other) => other.for_new_guests - one.for_new_guests)) {
    const key = `${pool.host.id} ${pool.capacity_bytes}`;
    if (!pool.left_alone && !found.has(key)) found.set(key, pool);
  }
  return [...found.values()];
}

function problemsOf({ hosts, pools, jobs, networks, differences }) {
  const silent = hosts.filter(isSilent).map((host) => ({ key: host.id, look: "failed", text: silentText(host), at: host.last_seen_at,
    href: `/hosts/${host.id}`, action: _("Open host") }));
  const full = pools.filter((pool) => pool.for_new_guests && percent(pool.used_gib, pool.limit_gib) >= FULL_PERCENT).map((pool) => ({ key: pool.id, look: "unknown", href: `/hosts/${pool.host.id}`, action: _("Open host"),
    text: _("Disk of %(host)s is %(share)s % sold", { host: pool.host.name, share: percent(pool.used_gib, pool.limit_gib) }) }));
  const used = (pool) => percent(pool.capacity_bytes - pool.available_bytes, pool.capacity_bytes);
  const filling = fileSystems(pools).filter((pool) => used(pool) >= FULL_PERCENT).map((pool) => ({ key: `${pool.id}-real`, look: used(pool) >= ALMOST_PERCENT ? "failed" : "unknown", href: `/hosts/${pool.host.id}`, action: _("Open host"),
    text: _("The file system of %(pool)s on %(host)s is %(share)s % full", { pool: pool.name, host: pool.host.name, share: used(pool) }) }));
  const scarce = networks.filter((network) => network.enabled && network.cidr_v4 && network.addresses_v4_free === 0).map((network) => ({ key: network.id, look: "unknown",
    text: _("%(name)s has no free IPv4 address", { name: network.name }), href: `/networks/${network.id}`, action: _("Open network") }));
  const failed = jobs.filter((job) => Date.now() - new Date(job.finished_at) < DAY_MS).slice(0, 5).map((job) => ({ key: job.id, look: "failed", at: job.finished_at,
    text: _("%(what)s failed: %(why)s", { what: [actionWord(job.action), targetName(job)].filter(Boolean).join(" "), why: said(job.error?.message) }), href: `/jobs/${job.id}`, action: _("Open job") }));
  const high = differences.filter((row) => row.severity === "high" && row.state === "open").slice(0, 5).map((row) => ({ key: row.id, look: "failed", at: row.first_seen_at,
    text: `${kindWord(row.kind)}: ${row.label}`, href: "/differences?severity=high", action: _("Open differences") }));
  const all = [...silent, ...high, ...filling, ...full, ...scarce, ...failed];
  return [...all.filter((problem) => problem.look === "failed"), ...all.filter((problem) => problem.look !== "failed")];
}

/** `unknown`: what could not be asked, so that silence is not taken for health. */
function Problems({ problems, ready, unknown }) {
  if (!ready) return html`<div class="card skeleton-card short"><span class="skeleton"></span><span class="skeleton"></span></div>`;
  if (!problems.length && unknown.length) return null;
  if (!problems.length) return html`<div class="notice notice-good"><${Icon} name="circle-check" /><div>${_("Nothing needs you. All hosts answer, no job failed in the last day, no pool is nearly full.")}</div></div>`;
  return html`<${Card} title=${plural("%(count)s thing needs you", "%(count)s things need you", problems.length)} id="problems" pad=${false}><div class="problem-list">
    ${problems.map((problem) => html`<div class="problem-line" key=${problem.key}><${State} status=${problem.look} word=${problem.text} />
      <span class="grow muted">${problem.at && html`<${Ago} at=${problem.at} />`}</span><a class="btn btn-sm" href=${problem.href}>${problem.action}</a></div>`)}</div><//>`;
}

function Bars({ hosts, pools }) {
  const sum = (pick) => hosts.reduce((total, host) => total + (pick(host) || 0), 0);
  const physicalDisk = fileSystems(pools).reduce((total, pool) => total + pool.capacity_bytes, 0) / 1024 ** 3;
  const freeDisk = fileSystems(pools).reduce((total, pool) => total + pool.available_bytes, 0) / 1024 ** 3;
  const rows = [
    { name: _("CPU"), show: (value, look) => (look === "is-sold" ? plural("%(count)s vCPU", "%(count)s vCPUs", Math.round(value), { count: number(Math.round(value)) }) : plural("%(count)s CPU", "%(count)s CPUs", Math.round(value), { count: number(Math.round(value)) })), physical: sum((host) => host.cpus), sold: sum((host) => host.capacity.vcpus.used),
      used: sum((host) => (host.cpus * (host.load.cpu_percent || 0)) / 100) },
    { name: _("Memory"), show: (value) => mib(Math.round(value)), physical: sum((host) => host.memory_mib), sold: sum((host) => host.capacity.memory_mib.used),
      used: sum((host) => (host.memory_mib * (host.load.memory_percent || 0)) / 100) },
    { name: _("Disk"), show: (value) => gib(Math.round(value)), physical: physicalDisk, sold: sum((host) => host.capacity.disk_gib.used), used: physicalDisk - freeDisk },
  ];
  return html`<${Card} title=${_("Physical, sold, really used")} id="bars"><div class="bars">${rows.map((row) => {
    const most = Math.max(row.physical, row.sold, row.used, 1);
    const line = (word, value, look) => html`<div class="bar-line"><span>${word}</span><div class="bar-track"><div class=${`bar-fill ${look}`} style=${{ width: `${(100 * value) / most}%` }}></div></div><b>${row.show(value, look)}</b></div>`;
    return html`<div class="bar-row" key=${row.name}><h3>${row.name}</h3><div class="bar-lines">${line(_("Physical"), row.physical, "")}${line(_("Sold"), row.sold, "is-sold")}${line(_("Used"), row.used, "is-used")}</div></div>`;
  })}</div><//>`;
}

function Tile({ host }) {
  const { vcpus, memory_mib: memory, disk_gib: disk } = host.capacity;
  const shares = [[_("CPU"), percent(vcpus.used, vcpus.limit)], [_("Memory"), percent(memory.used, memory.limit)], [_("Disk"), percent(disk.used, disk.limit)]];
  return html`<a class="host-tile" href=${`/hosts/${host.id}`} title=${_("CPU now: %(cpu)s %", { cpu: number(host.load.cpu_percent || 0) })}>
    <span class="host-tile-name"><span class="ellipsis">${host.name}</span><${State} ...${hostStatus(host)} /></span>
    <span class="tile-bars">${shares.map(([word, share]) => html`<span class="tile-bar" key=${word}><span>${word}</span><span class="meter-track"><span class=${`meter-fill${share >= 95 ? " is-full" : share >= FULL_PERCENT ? " is-high" : ""}`}
      style=${{ width: `${share}%` }}></span></span><span class="tabular">${share} %</span></span>`)}</span></a>`;
}

function Fleet({ hosts }) {
  const places = [...new Set(hosts.map((host) => host.location))].sort();
  if (!hosts.length) return html`<${Card}><${Empty}>${_("No host yet. Set-up enrols the machine it runs on as the first one.")}<//><//>`;
  return html`<div class="stack"><div class="section-head"><h2>${_("Hosts")}</h2><span class="muted">${_("Bars: how much of what may be sold is sold")}</span></div>${places.map((place) => html`<section key=${place} aria-label=${place} class="stack-small"><h3>${place}</h3>
    <div class="host-grid">${hosts.filter((host) => host.location === place).map((host) => html`<${Tile} key=${host.id} host=${host} />`)}</div></section>`)}</div>`;
}

const weekday = new Intl.DateTimeFormat(boot.language, { weekday: "short", timeZone: "UTC" });

/** What came and went on each of the last seven days: a table, drawn as bars. */
function Week({ days }) {
  const most = Math.max(1, ...days.flatMap((day) => [day.arrived, day.departed]));
  const sum = (name) => days.reduce((total, day) => total + day[name], 0);
  const cell = (name, count, sign) => html`<td><span class=${`week-bar is-${name}`} style=${{ height: `${Math.max(count ? 3 : 1, (40 * count) / most)}px` }}></span><span class=${count ? "" : "muted"}>${count ? `${sign}${number(count)}` : "–"}</span></td>`;
  return html`<${Card} title=${_("The last seven days")} id="week" action=${html`<span class="muted tabular" >${_("%(in)s ordered, %(out)s deleted", { in: number(sum("arrived")), out: number(sum("departed")) })}</span>`}>
    <table class="week"><caption class="visually-hidden">${_("Guests ordered and deleted by day, in UTC")}</caption>
      <tbody><tr class="is-up"><th scope="row">${_("Ordered")}</th>${days.map((day) => cell("arrived", day.arrived, "+"))}</tr>
        <tr class="is-down"><th scope="row">${_("Deleted")}</th>${days.map((day) => cell("departed", day.departed, "−"))}</tr></tbody>
      <tfoot><tr><td></td>${days.map((day) => html`<th scope="col" title=${day.date}>${weekday.format(new Date(`${day.date}T00:00Z`))}</th>`)}</tr></tfoot></table><//>`;
}

const Stat = ({ label, value, href }) => html`<a class="card stat" href=${href}><span class="stat-label">${label}</span><span class="stat-value">${value ?? "–"}</span></a>`;

function Overview() {
  const hosts = useResource("/hosts", { limit: MANY }, { when: (message) => message.type === "host", every: LOOK_EVERY_MS });
  const pools = useResource("/pools", { limit: MANY }, { when: (message) => message.type === "host", every: LOOK_EVERY_MS });
  const networks = useResource("/networks", { limit: 200 }, { when: (message) => message.type === "network" });
  const failed = useResource("/jobs", { status: "error", top: "true", limit: 20 }, { when: (message) => message.type === "job" });
  const active = useResource("/jobs", { active: "true", limit: 200 }, { when: (message) => message.type === "job" });
  const customers = useResource("/customers", { limit: 200 });
  const differences = useResource("/differences", { limit: 200 }, { when: (message) => message.type === "difference", every: LOOK_EVERY_MS });
  const week = useResource("/fleet/week", undefined, { when: (message) => message.type === "guest", every: WEEK_EVERY_MS });
  const rows = (resource) => resource.data?.results || [];
  const asked = [[hosts, _("hosts")], [pools, _("storage pools")], [networks, _("networks")], [failed, _("failed jobs")], [differences, _("differences")]];
  const unknown = asked.filter(([resource]) => resource.problem).map(([, words]) => words);
  const askAgain = () => asked.forEach(([resource]) => resource.problem && resource.reload());
  const ready = [hosts, pools, networks, failed, differences].every((resource) => !resource.loading);
  const count = (resource) => resource.data && `${rows(resource).length}${resource.data.next ? "+" : ""}`;
  const problems = problemsOf({ hosts: rows(hosts), pools: rows(pools), jobs: rows(failed), networks: rows(networks), differences: rows(differences) });
  const free = rows(networks).reduce((total, network) => total + network.addresses_v4_free, 0);
  return html`<${PageHead} title=${_("Overview")} />
    <div class="stack">
      ${unknown.length > 0 && html`<${ProblemNotice} problem=${{ message: _("Not known at the moment: %(what)s. %(why)s", { what: unknown.join(", "), why: asked.find(([resource]) => resource.problem)[0].problem.message }) }} retry=${askAgain} />`}
      <${Problems} problems=${problems} ready=${ready} unknown=${unknown} />
      <div class="stats">
        <${Stat} label=${_("Hosts in service")} href="/hosts" value=${hosts.data && number(rows(hosts).filter((host) => host.state === "active").length)} />
        <${Stat} label=${_("Customers")} href="/customers" value=${count(customers)} />
        <${Stat} label=${_("Jobs under way")} href="/jobs?status=running" value=${count(active)} />
        <${Stat} label=${_("Differences")} href="/differences" value=${count(differences)} />
        <${Stat} label=${_("Free IPv4 addresses")} href="/networks" value=${networks.data && number(free)} />
      </div>
      ${hosts.data ? html`<div class="columns"><${Fleet} hosts=${rows(hosts)} /><div class="stack"><${Bars} hosts=${rows(hosts)} pools=${rows(pools)} />${week.data && html`<${Week} days=${week.data.days} />`}</div></div>`
        : html`<div class="skeleton-cards">${[1, 2, 3].map((one) => html`<div class="card skeleton-card" key=${one}><span class="skeleton"></span><span class="skeleton"></span><span class="skeleton"></span></div>`)}</div>`}
    </div>`;
}

mount(Overview);
