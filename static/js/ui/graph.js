// One graph: lines over time with gaps where nothing was seen, exact values at the pointer or by the arrow keys.
// The drawing is uPlot's, which is fetched when the first graph is shown.
import { boot } from "../lib/boot.js";
import { exactTime } from "../lib/format.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";

const LIBRARY = "uplot"; // a name of the import map; written in import() itself it would be taken for a path
const HEIGHT = 168;
const NARROW = 420;
const DAY_S = 86_400;
const BINARY = Array.from({ length: 50 }, (unused, power) => 2 ** power);
let loading = null;

function uPlotLoaded() {
  loading ??= new Promise((done, failed) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: boot.graph_css, onerror: failed });
    link.onload = () => import(LIBRARY).then((module) => done(module.default), failed);
    document.head.append(link);
  });
  loading.catch(() => { loading = null; });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const format = (options) => new Intl.DateTimeFormat(boot.language, { hourCycle: "h23", ...options });
const clock = format({ hour: "2-digit", minute: "2-digit" });
const date = format({ month: "short", day: "numeric" });
const month = format({ month: "short", year: "numeric" });

/** The words of the time axis: times within a day, dates above, months above a quarter. */
function timeWords(plot, splits) {
  const span = plot.scales.x.max - plot.scales.x.min;
  const words = span <= 1.1 * DAY_S ? clock : span <= 100 * DAY_S ? date : month;
  return splits.map((at, place) => {
    const word = words.format(new Date(at * 1000));
    return place > 0 && word === words.format(new Date(splits[place - 1] * 1000)) ? "" : word;
  });
}

/** Room for the longest word of the value axis, in pixels. */
const labelsWidth = (plot, words) => 14 + Math.ceil(6.3 * Math.max(4, ...(words || []).map((word) => word.length)));

/** Single samples with a gap on both sides: a line would not show them. */
const lonely = (values) => values.map((value, place) => (value !== null && (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null ? place : -1)).filter((place) => place >= 0);

function optionsOf({ series, show, top, least, binary, width, onCursor }) {
  const line = (name) => () => colour(name);
  const axis = { stroke: line("--text-3"), font: `11px ${colour("--font")}`, ticks: { show: false }, grid: { stroke: line("--line"), width: 1 } };
  return {
    width, height: HEIGHT, legend: { show: false }, padding: [10, 20, 0, 0], // half of the last label stands beside the graph
    cursor: { sync: { key: "graphs", setSeries: false }, drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (plot, low, high) => [0, top || Math.max(least, (high || 0) * 1.1)] } },
    axes: [{ ...axis, grid: { show: false }, values: timeWords, space: width < NARROW ? 64 : 84, size: 28, gap: 6 },
      { ...axis, values: (plot, splits) => splits.map(show), size: labelsWidth, space: 34, gap: 6, ...(binary ? { incrs: BINARY } : {}) }],
    series: [{}, ...series.map((one) => ({ label: one.word, width: 1.6, stroke: line(one.colour), spanGaps: false,
      fill: one.fill ? () => `${colour(one.colour)}1f` : undefined, points: { show: false, size: 4, filter: (plot, at, shown) => (shown ? null : lonely(plot.data[at])) } }))],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

/**
 * `times`: seconds since 1970. `series`: {word, values, peaks, colour, fill}. `show`: a value with its unit. `top`: the
 * scale's end where it is known, else at least `least`. `step`: seconds between points.
 */
export function Graph({ title, id, times, series, show, top = 0, least = 1, binary = false, step, note }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(null);
  const [mine, setMine] = useState(false); // the pointer or the focus is here, not on a graph beside it
  const [ready, setReady] = useState(false);
  const [failed, setFailed] = useState(false);
  const data = [times, ...series.map((one) => one.values)];
  const shape = [series.map((one) => one.word).join(), top, binary].join("|");
  const present = useRef(null);
  present.current = { data, options: { series, show, top, least, binary, onCursor: setAt } };
  useLayoutEffect(() => {
    let alive = true;
    const observer = new ResizeObserver(([entry]) => plot.current?.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT }));
    const repaint = new MutationObserver(() => plot.current?.redraw(false, true));
    uPlotLoaded().then((UPlot) => {
      if (!alive) return;
      const { data: now, options } = present.current;
      plot.current = new UPlot(optionsOf({ ...options, width: place.current.clientWidth }), now, place.current);
      observer.observe(place.current);
      repaint.observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
      setReady(true);
    }, () => alive && setFailed(true));
    return () => { alive = false; observer.disconnect(); repaint.disconnect(); plot.current?.destroy(); plot.current = null; };
  }, [shape]);
  useEffect(() => { plot.current?.setData(data); }, [ready, times, ...series.map((one) => one.values)]);
  const keys = (event) => {
    const now = at ?? times.length;
    const go = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: times.length - 1 }[event.key];
    if (go === undefined || !plot.current) return;
    event.preventDefault();
    const there = Math.max(0, Math.min(times.length - 1, go));
    plot.current.setCursor({ left: plot.current.valToPos(times[there], "x"), top: 20 });
  };
  const leave = () => { setMine(false); plot.current?.setCursor({ left: -10, top: -10 }); };
  const newest = (values) => values.findLast((value) => value !== null) ?? null;
  const words = series.map((one) => `${one.word}: ${newest(one.values) === null ? "–" : show(newest(one.values))}`).join(", ");
  return html`<figure class="graph"><figcaption class="graph-head"><h3 id=${id}>${title}</h3>
      <span class="graph-legend">${series.map((one) => html`<span key=${one.word}><i class="graph-mark" style=${{ background: `var(${one.colour})` }}></i>${series.length > 1 && html`${one.word} `}<b>${newest(one.values) === null ? "–" : show(newest(one.values))}</b></span>`)}</span></figcaption>
    <div class="graph-box" onPointerEnter=${() => setMine(true)} onPointerLeave=${leave}>
      ${failed ? html`<p class="soft graph-failed">${_("The graph could not be loaded. The table shows the same.")}</p>`
        : html`<div class="graph-place" ref=${place} role="img" tabIndex="0" aria-label=${_("%(title)s. %(words)s. The arrow keys read values.", { title, words })} aria-busy=${ready ? undefined : "true"} onKeyDown=${keys} onFocus=${() => setMine(true)} onBlur=${leave}></div>`}
      <div role="status" class="graph-tip-slot">${mine && at !== null && times[at] !== undefined && html`<${Tip} plot=${plot.current} at=${at} times=${times} series=${series} show=${show} step=${step} />`}</div></div>
    ${note && html`<p class="field-hint">${note}</p>`}</figure>`;
}

/** What was at one moment, beside it. */
function Tip({ plot, at, times, series, show, step }) {
  const left = plot ? plot.valToPos(times[at], "x") + plot.over.offsetLeft : 0;
  const right = plot && left > plot.width / 2;
  const side = right ? { right: `${plot.width - left + 12}px` } : { left: `${left + 12}px` };
  return html`<div class="graph-tip" style=${side}><div class="graph-tip-time">${exactTime(times[at] * 1000)}</div>
    ${series.map((one) => html`<div class="graph-tip-line" key=${one.word}><i class="graph-mark" style=${{ background: `var(${one.colour})` }}></i><span>${one.word}</span><b>${one.values[at] === null ? _("not seen") : show(one.values[at])}</b>
      ${step > 15 && one.peaks && one.peaks[at] !== null && html`<span class="muted">${_("peak %(value)s", { value: show(one.peaks[at]) })}</span>`}</div>`)}</div>`;
}
