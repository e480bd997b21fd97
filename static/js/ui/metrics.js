// Usage over time: which graphs there are, the choice of the time, and the same as a table.
import { useResource, useUrlQuery } from "../lib/data.js";
import { bytes, exactTime, mib, number, stepTime, zoneWords } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { thing } from "../lib/words.js";
import { Card, Empty, Icon, Pending, ProblemNotice } from "./basic.js";
import { Graph } from "./graph.js";

export const RANGES = [["1h", _("1 h"), _("Last hour")], ["6h", _("6 h"), _("Last 6 hours")], ["24h", _("24 h"), _("Last 24 hours")], ["7d", _("7 d"), _("Last 7 days")], ["30d", _("30 d"), _("Last 30 days")], ["1y", _("1 y"), _("Last year")]];
const EVERY_MS = { "1h": 15_000, "6h": 15_000, "24h": 60_000 };
const SELDOM_MS = 300_000;
const ONE = "--graph-1";
const TWO = "--graph-2";

export const percentWords = (value) => `${number(value, value < 10 ? 1 : 0)} %`;
const rateWords = (value) => _("%(size)s/s", { size: bytes(value) });
const opsWords = (value) => _("%(n)s/s", { n: number(value, value < 10 ? 1 : 0) });

/** The graphs of a guest or host; `lines`: [name of the series, word, colour]. One without values is left out if
 * `optional`, and if `missed` it is said that it is. */
const GRAPHS = [
  { id: "cpu", title: _("CPU"), lines: [["cpu_percent", _("CPU"), ONE]], show: percentWords, least: 10 },
  { id: "memory", title: _("Memory"), lines: [["memory_used_mib", _("Memory"), ONE]], show: (value) => mib(Math.round(value)), top: (data) => data.memory_mib, binary: true },
  { id: "disk", title: _("Disk throughput"), missed: true, lines: [["disk_read_bytes_per_s", _("Read"), ONE], ["disk_write_bytes_per_s", _("Written"), TWO]], show: rateWords, least: 1024, binary: true },
  { id: "network", title: _("Network"), lines: [["net_received_bytes_per_s", _("Received"), ONE], ["net_sent_bytes_per_s", _("Sent"), TWO]], show: rateWords, least: 1024, binary: true },
  { id: "operations", title: _("Disk operations"), missed: true, lines: [["disk_read_ops_per_s", _("Read"), ONE], ["disk_write_ops_per_s", _("Written"), TWO]], show: opsWords, least: 4 },
  { id: "delay", title: _("Waiting for a processor"), lines: [["cpu_delay_percent", _("Waited"), ONE]], show: percentWords, least: 5, optional: true,
    note: _("How long virtual processors were ready to run and waited for a real one. Above 5 % people notice.") },
];

const isOf = (data) => (graph) => graph.lines.some(([name]) => name in data.series);
const hasValues = (data) => (graph) => graph.lines.some(([name]) => data.series[name].some((value) => value !== null));
/** The graphs that these data have something for. */
const graphsFor = (data) => GRAPHS.filter(isOf(data)).filter((graph) => !(graph.optional || graph.missed) || hasValues(data)(graph));
/** Which graphs these data have nothing for although something else was seen, in words; of `only` these. */
function missedNote(data, only) {
  const missed = GRAPHS.filter(isOf(data)).filter((graph) => graph.missed && !hasValues(data)(graph) && (!only || only.includes(graph.id)));
  return missed.length > 0 && _("Not shown: %(graphs)s. This host does not measure it for this %(thing)s, or there was none since the last start.", { graphs: missed.map((graph) => graph.title).join(", "), thing: thing() });
}
/** Whether there are values before and after some that nobody saw. */
const hasGap = (data) => Object.values(data.series).some((values) => {
  const seen = values.flatMap((value, place) => (value === null ? [] : [place]));
  return seen.length > 0 && seen.at(-1) - seen[0] >= seen.length;
});
const nothingSeen = (data) => Object.values(data.series).every((values) => values.every((value) => value === null));

/** The choice of the time; it is in the address. Returns [name, the buttons]. */
export function useRange(initial = "1h") {
  const [query, setQuery] = useUrlQuery();
  const now = RANGES.some(([name]) => name === query.range) ? query.range : initial;
  return [now, html`<div class="segments" role="group" aria-label=${_("Time shown")}>${RANGES.map(([name, short, long]) => html`<button key=${name} type="button" class="segment" aria-pressed=${name === now ? "true" : "false"}
    title=${long} onClick=${() => setQuery({ range: name === initial ? "" : name }, { push: true })}>${short}</button>`)}</div>`];
}

/** Whether the table stands in the graphs' place; it is in the address too. Returns [asTable, the button]. */
export function useTableView() {
  const [query, setQuery] = useUrlQuery();
  const asTable = query.view === "table";
  return [asTable, html`<button type="button" class="btn" aria-pressed=${asTable ? "true" : "false"} onClick=${() => setQuery({ view: asTable ? "" : "table" }, { push: true })}><${Icon} name=${asTable ? "chart-line" : "table"} />${asTable ? _("Show graphs") : _("Show table")}</button>`];
}

const useMetrics = (path, range) => useResource(path, { range }, { every: EVERY_MS[range] || SELDOM_MS });
const secondsOf = (timestamps) => timestamps.map((at) => Date.parse(at) / 1000);

function Graphs({ data, graphs }) {
  const times = useMemo(() => secondsOf(data.timestamps), [data]);
  return graphs.map((graph) => html`<${Card} key=${graph.id}><${Graph} id=${`graph-${graph.id}`} title=${graph.title} times=${times} step=${data.step_s} show=${graph.show} least=${graph.least} binary=${graph.binary} note=${graph.note}
    top=${graph.top?.(data) || 0} series=${graph.lines.map(([name, word, colour]) => ({ word, colour, values: data.series[name], peaks: data.peaks?.[name], fill: graph.lines.length === 1 }))} /><//>`);
}

/** `columns`: {title, values, show}; `step`: seconds from one row to the next. The newest first. */
export function ValuesTable({ caption, timestamps, step, columns }) {
  const rows = timestamps.map((at, place) => place).reverse();
  return html`<div class="card list-card values-table" tabIndex="0" role="region" aria-label=${caption}><table class="list"><caption>${caption}</caption>
    <thead><tr><th scope="col">${_("Time")}</th>${columns.map((column) => html`<th scope="col" class="cell-num" key=${column.title}>${column.title}</th>`)}</tr></thead>
    <tbody>${rows.map((place) => html`<tr key=${timestamps[place]}><th scope="row" title=${exactTime(timestamps[place])}>${stepTime(timestamps[place], step)}</th>
      ${columns.map((column) => html`<td class="cell-num" key=${column.title}>${column.values[place] === null ? html`<span class="muted" title=${_("Nobody saw it")}>–</span>` : column.show(column.values[place])}</td>`)}</tr>`)}</tbody></table></div>`;
}

const tableColumns = (data) => graphsFor(data).flatMap((graph) => graph.lines.map(([name, word]) => ({ title: graph.lines.length > 1 ? `${graph.title}: ${word}` : graph.title, values: data.series[name], show: graph.show })));

export const timesNote = () => _("Times are in %(zone)s.", { zone: zoneWords() });
const NoSamples = ({ why }) => html`<${Card}><${Empty}>${why || _("No samples yet: the first appear within a minute.")}<//><//>`;
const GraphsPending = ({ count, small }) => html`<div class=${small ? "graphs is-small" : "graphs"}>${Array.from({ length: count }, (unused, place) => html`<div class="card graph-pending" key=${place}><${Pending} lines=${3} /></div>`)}</div>`;

/** The whole tab: choice of the time, graphs or table. `path`: of the API; `none`: why there may be no samples. */
export function Metrics({ path, none }) {
  const [range, picker] = useRange();
  const [asTable, toggle] = useTableView();
  const metrics = useMetrics(path, range);
  const { data } = metrics;
  const long = RANGES.find(([name]) => name === range)[2];
  return html`<div class="stack"><h2 class="visually-hidden">${_("Metrics")}</h2><div class="graph-tools">${picker}${toggle}</div>
    <${ProblemNotice} problem=${metrics.problem} retry=${metrics.reload} />
    ${metrics.loading && html`<${GraphsPending} count=${4} />`}
    ${data && (nothingSeen(data) ? html`<${NoSamples} why=${none} />`
      : asTable ? html`<${ValuesTable} caption=${_("Usage: %(time)s", { time: long })} timestamps=${data.timestamps} step=${data.step_s} columns=${tableColumns(data)} />`
        : html`<div class="graphs"><${Graphs} data=${data} graphs=${graphsFor(data)} /></div>`)}
    ${data && !nothingSeen(data) && html`<p class="field-hint">${[missedNote(data), !asTable && hasGap(data) && _("Where a line is interrupted, it was off or nobody saw it: nothing is made up."), timesNote()].filter(Boolean).join(" ")}</p>`}</div>`;
}

/** The last hour on a first page; `only`: which graphs. */
export function LastHour({ path, none, only }) {
  const metrics = useMetrics(path, "1h");
  const { data } = metrics;
  return html`<section class="stack-small" aria-labelledby="last-hour"><div class="section-head"><h2 id="last-hour">${_("Last hour")}</h2><a class="btn btn-sm btn-quiet" href="?tab=metrics">${_("All metrics")}</a></div>
    <${ProblemNotice} problem=${metrics.problem} retry=${metrics.reload} />
    ${metrics.loading && html`<${GraphsPending} count=${only.length} small />`}
    ${data && (nothingSeen(data) ? html`<${NoSamples} why=${none} />` : html`<div class="graphs is-small"><${Graphs} data=${data} graphs=${graphsFor(data).filter((graph) => only.includes(graph.id))} /></div>
      ${missedNote(data, only) && html`<p class="field-hint">${missedNote(data, only)}</p>`}`)}</section>`;
}
