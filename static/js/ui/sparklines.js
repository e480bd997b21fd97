// The last hour's CPU use in a list's rows: fetched for all rows at once, beside the list.
import { get } from "../lib/api.js";
import { number } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";

const EVERY_MS = 300_000;
const AT_ONCE = 100;
const WIDTH = 72;
const HEIGHT = 22;

/** Return what is known of these guests: id to values. Without an answer the list stands as it is. */
export function useSparklines(ids) {
  const [known, setKnown] = useState({});
  const key = ids.join();
  useEffect(() => {
    let alive = true;
    const fetchAll = async () => {
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        try {
          const answer = await get("/guests/sparklines", { ids: ids.slice(start, start + AT_ONCE).join() });
          if (alive) setKnown((old) => ({ ...old, ...Object.fromEntries(answer.results.map((one) => [one.id, one.cpu_percent])) }));
        } catch { return; }
      }
    };
    fetchAll();
    const clock = setInterval(() => { if (!document.hidden) fetchAll(); }, EVERY_MS);
    return () => { alive = false; clearInterval(clock); };
  }, [key]);
  return known;
}

/** A line of values from 0 to 100, with gaps. */
export function Sparkline({ values }) {
  const seen = values?.filter((value) => value !== null) || [];
  if (!seen.length) return html`<span class="muted none">–</span>`;
  const most = Math.max(20, ...seen);
  const x = (place) => (1 + (place * (WIDTH - 2)) / (values.length - 1)).toFixed(1);
  const y = (value) => (HEIGHT - 1.5 - (value * (HEIGHT - 4)) / most).toFixed(1);
  const path = values.map((value, place) => (value === null ? "" : `${place && values[place - 1] !== null ? "L" : "M"}${x(place)} ${y(value)}h.01`)).join("");
  const words = _("CPU in the last hour: now %(now)s %, at most %(most)s %", { now: number(seen.at(-1)), most: number(Math.max(...seen)) });
  return html`<span class="sparkline" title=${words}><svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} width=${WIDTH} height=${HEIGHT} role="img" aria-label=${words}><path d=${path} /></svg><span class="tabular" aria-hidden="true">${number(seen.at(-1))} %</span></span>`;
}
