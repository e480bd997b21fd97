// Lists: sorted, filtered and searched in the address; j, k, Enter and x on the keyboard; shift selects a range.
import { useUrlQuery } from "../lib/data.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _, plural } from "../lib/i18n.js";
import { Button, Empty, Icon, ProblemNotice } from "./basic.js";
import { Menu } from "./menu.js";
import { PAGE_SIZE, useRows } from "./rows.js";
import { SavedViews } from "./views.js";

const SEARCH_WAIT_MS = 250;

/** What the address says of this list: values that the list does not know are another's, or mistyped, and do nothing. */
function useListQuery({ columns, filters, search, searchParam, sort, name }) {
  const [url, setUrl] = useUrlQuery();
  const key = (param) => (name ? `${name}.${param}` : param);
  const sorts = columns.filter((column) => column.sort).map((column) => column.sort);
  const given = url[key("sort")] || "";
  const query = { sort: sorts.includes(given.replace(/^-/, "")) ? given : sort };
  for (const filter of filters) {
    const value = url[key(filter.param)];
    if (filter.options.some(([option]) => option === value)) query[filter.param] = value;
  }
  if (search && url[key(searchParam)]) query[searchParam] = url[key(searchParam)];
  const set = (changes, options) => setUrl(Object.fromEntries(Object.entries(changes).map(([param, value]) => [key(param), value])), options);
  return [query, set];
}

/**
 * `columns`: {key, title, cell(row), sort, class}. `filters`: {param, label, options: [value, word][],
 * none: what it is called when none is chosen}.
 * `fixed`: query values that the page decides. `href(row)`: where Enter and a click lead. `bulk`: actions for
 * selected rows, {text, icon, danger, run(rows)}. `when(message)`: which live events matter; `every`: ms to refresh
 * without one. `name`: of a second list on the page, to keep their values in the address apart.
 */
export function List({ endpoint, caption, columns, filters = [], fixed = {}, search, searchParam = "search", sort = "", href, bulk, when = () => false,
  every = 0, name = "", empty, rowKey = (row) => row.id, onRows, toolbarEnd }) {
  const [url, setUrl] = useListQuery({ columns, filters, search, searchParam, sort, name });
  const query = { ...fixed, ...url };
  const list = useRows(endpoint, query, when, every);
  const tools = useRef(null);
  const picks = usePicks(list.rows || [], rowKey);
  const current = useRowKeys(list.rows || [], { href, picks, rowKey, bulk, enabled: !name });
  useEffect(() => { onRows?.(list); }, [list.rows]);
  const filtered = filters.some((filter) => url[filter.param]) || Boolean(search && url[searchParam]);
  const clear = () => {
    setUrl({ ...Object.fromEntries(filters.map((filter) => [filter.param, ""])), [searchParam]: "" }, { push: true });
    tools.current?.querySelector("input, button")?.focus(); // the pressed button is gone
  };
  return html`
    ${(search || filters.length > 0 || toolbarEnd) && html`<div class="list-tools" role="search" ref=${tools}>
      ${search && html`<${SearchField} value=${url[searchParam] || ""} label=${search} onSearch=${(text) => setUrl({ [searchParam]: text })} />`}
      ${filters.map((filter) => html`<${FilterChip} key=${filter.param} ...${filter} value=${url[filter.param] || ""}
        onChoose=${(value) => setUrl({ [filter.param]: value }, { push: true })} />`)}
      ${filtered && html`<button type="button" class="btn btn-quiet" onClick=${clear}>${_("Clear")}</button>`}
      <${SortChip} columns=${columns} sort=${query.sort} setUrl=${setUrl} />
      ${filters.length > 0 && !name && html`<${SavedViews} list=${endpoint} params=${[...filters.map((filter) => filter.param), ...(search ? [searchParam] : []), "sort"]} />`}
      ${toolbarEnd && html`<div class="list-tools-end">${toolbarEnd}</div>`}
    </div>`}
    ${list.problem && html`<${ProblemNotice} problem=${list.problem} retry=${list.reload} />`}
    ${(list.rows !== null || !list.problem) && html`<div class="card list-card" aria-busy=${list.rows === null || list.stale ? "true" : "false"}>
      ${list.rows === null ? html`<${SkeletonRows} />`
        : list.rows.length === 0 ? html`<${Empty} action=${filtered ? html`<button class="btn" onClick=${clear}>${_("Clear filters")}</button>` : empty?.action}>
          ${filtered ? _("Nothing matches these filters.") : empty?.text}<//>`
        : html`<${Table} ...${{ caption, columns, list, picks, current, href, bulk, rowKey, sort: query.sort, setUrl }} />`}
      ${list.next && html`<div class="list-foot"><${Button} onClick=${list.more}>${_("Show %(n)s more", { n: PAGE_SIZE })}<//>
        <span>${plural("%(count)s row so far", "%(count)s rows so far", list.rows.length)}</span></div>`}
    </div>`}
    ${bulk && picks.chosen.length > 0 && html`<${BulkBar} picks=${picks} bulk=${bulk} />`}`;
}

function Table({ caption, columns, list, picks, current, href, bulk, rowKey, sort, setUrl }) {
  const click = (event, row) => {
    if (!href || event.defaultPrevented || event.target.closest("a, button, input, label, .menu, dialog") || getSelection().toString()) return;
    if (event.ctrlKey || event.metaKey) window.open(href(row)); else location.assign(href(row));
  };
  return html`<table class="list"><caption>${caption}</caption>
    <thead><tr>
      ${bulk && html`<th class="cell-pick" scope="col"><input type="checkbox" class="form-check-input" aria-label=${_("Select all shown")}
        checked=${picks.all} ref=${(box) => { if (box) box.indeterminate = !picks.all && picks.chosen.length > 0; }} onChange=${picks.toggleAll} /></th>`}
      ${columns.map((column) => html`<${HeadCell} key=${column.key} column=${column} sort=${sort} setUrl=${setUrl} />`)}
    </tr></thead>
    <tbody>${list.rows.map((row, index) => html`<tr key=${rowKey(row)} data-row=${index} onClick=${(event) => click(event, row)}
      class=${`${index === current ? "is-current" : ""}${picks.has(row) ? " is-picked" : ""}`} aria-selected=${bulk ? String(picks.has(row)) : undefined}>
      ${bulk && html`<td class="cell-pick"><input type="checkbox" class="form-check-input" checked=${picks.has(row)}
        aria-label=${_("Select %(name)s", { name: row.name || rowKey(row) })} onClick=${(event) => picks.toggle(index, event.shiftKey)} /></td>`}
      ${columns.map((column) => html`<td key=${column.key} class=${column.class} data-column=${column.key} data-label=${column.label ? column.title : undefined}>${column.cell(row, list)}</td>`)}
    </tr>`)}</tbody></table>`;
}

function HeadCell({ column, sort, setUrl }) {
  if (!column.sort) return html`<th scope="col" class=${column.class}>${column.hideTitle ? html`<span class="visually-hidden">${column.title}</span>` : column.title}</th>`;
  const active = sort.replace("-", "") === column.sort;
  const down = sort.startsWith("-");
  const next = active ? (down ? column.sort : `-${column.sort}`) : column.firstSort || column.sort;
  return html`<th scope="col" class=${column.class} aria-sort=${active ? (down ? "descending" : "ascending") : undefined}>
    <button type="button" onClick=${() => setUrl({ sort: next }, { push: true })}>${column.title}
      <${Icon} name=${active ? (down ? "arrow-down" : "arrow-up") : "selector"} /></button></th>`;
}

/** Sorting where the head of the table is not shown: on a phone. */
function SortChip({ columns, sort, setUrl }) {
  const sorted = columns.filter((column) => column.sort);
  if (!sorted.length) return null;
  const present = sorted.find((column) => column.sort === sort.replace("-", ""));
  const items = sorted.flatMap((column) => [column.sort, `-${column.sort}`].map((value) => ({ text: `${column.title} ${value.startsWith("-") ? "↓" : "↑"}`,
    checked: value === sort, onSelect: () => setUrl({ sort: value }, { push: true }) })));
  return html`<span class="sort-chip"><${Menu} left buttonClass="chip is-solid" label=${_("Sort: %(by)s", { by: present?.title || "" })} items=${items}
    button=${html`<span>${present?.title || _("Sort")} ${sort.startsWith("-") ? "↓" : "↑"}</span><${Icon} name="chevron-down" small />`} /></span>`;
}

const SkeletonRows = () => html`<div class="skeleton-list" aria-hidden="true">${Array.from({ length: 8 }, (unused, row) =>
  html`<div class="skeleton-row" key=${row}>${[0, 1, 2, 3].map((cell) => html`<span class="skeleton" key=${cell}></span>`)}</div>`)}</div>`;

function SearchField({ value, label, onSearch }) {
  const timer = useRef(null);
  const field = useRef(null);
  const said = useRef(value); // what was typed last; anything else in the address came by "back" or a saved view
  useEffect(() => { if (value !== said.current) { clearTimeout(timer.current); field.current.value = value; said.current = value; } }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const input = (event) => {
    clearTimeout(timer.current);
    const text = event.target.value.trim();
    timer.current = setTimeout(() => { said.current = text; onSearch(text); }, SEARCH_WAIT_MS);
  };
  return html`<div class="search-field"><${Icon} name="search" />
    <input ref=${field} type="search" class="form-control" placeholder=${label} aria-label=${label} defaultValue=${value} onInput=${input} /></div>`;
}

function FilterChip({ label, options, none, value, onChoose }) {
  const word = options.find(([key]) => key === value)?.[1];
  const items = [["", none || _("Any")], ...options].map(([key, text]) => ({ text, checked: key === value, onSelect: () => onChoose(key) }));
  return html`<${Menu} left buttonClass=${`chip${value ? " is-set" : ""}`} label=${`${label}: ${word || none || _("any")}`} items=${items}
    button=${html`<span>${label}${word ? `: ${word}` : ""}</span><${Icon} name="chevron-down" small />`} />`;
}

function BulkBar({ picks, bulk }) {
  return html`<div class="bulk-bar" role="region" aria-label=${_("Actions for the selected rows")}><div class="bulk-bar-in">
    <span class="bulk-count" role="status">${plural("%(count)s selected", "%(count)s selected", picks.chosen.length)}</span>
    ${bulk.map((action) => html`<${Button} key=${action.text} kind=${`btn-sm ${action.danger ? "btn-quiet-danger" : ""}`} icon=${action.icon}
      onClick=${() => action.run(picks.chosen, picks.clear)}>${action.text}<//>`)}
    <button type="button" class="icon-button tight" aria-label=${_("Select nothing")} onClick=${picks.clear}><${Icon} name="x" /></button>
  </div></div>`;
}

function usePicks(rows, rowKey) {
  const [picked, setPicked] = useState(new Set());
  const last = useRef(null); // the key of the row that a range begins at; rows may move
  const chosen = rows.filter((row) => picked.has(rowKey(row)));
  return {
    chosen,
    all: rows.length > 0 && chosen.length === rows.length,
    has: (row) => picked.has(rowKey(row)),
    clear: () => setPicked(new Set()),
    toggleAll: () => setPicked(chosen.length === rows.length ? new Set() : new Set(rows.map(rowKey))),
    toggle: (index, range) => {
      const start = range ? rows.findIndex((row) => rowKey(row) === last.current) : -1;
      const [from, to] = start < 0 ? [index, index] : [Math.min(start, index), Math.max(start, index)];
      last.current = rowKey(rows[index]);
      setPicked((old) => {
        const next = new Set(old);
        const on = !next.has(rowKey(rows[index]));
        for (const row of rows.slice(from, to + 1)) on ? next.add(rowKey(row)) : next.delete(rowKey(row));
        return next;
      });
    },
  };
}

/** The index of the row that the keys are at. It stays with its row when rows move. */
function useRowKeys(rows, { href, picks, rowKey, bulk, enabled }) {
  const [currentKey, setCurrent] = useState(null);
  const current = rows.findIndex((row) => rowKey(row) === currentKey);
  const state = useRef();
  state.current = { rows, href, picks, current, bulk };
  useEffect(() => {
    const press = (event) => {
      const busy = event.target.closest("input:not([type=checkbox]), textarea, select, dialog, .menu") || document.querySelector("dialog[open]");
      if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
      const { rows: all, current: at } = state.current;
      const go = { j: Math.min(all.length - 1, at + 1), k: Math.max(0, at - 1) }[event.key];
      if (go !== undefined && all.length) {
        setCurrent(rowKey(all[go]));
        document.querySelector(`tr[data-row="${go}"]`)?.scrollIntoView({ block: "nearest" });
      }
      if (event.key === "Enter" && at >= 0 && state.current.href && !event.target.closest("a, button")) location.assign(state.current.href(all[at]));
      if (event.key.toLowerCase() === "x" && at >= 0 && state.current.bulk) state.current.picks.toggle(at, event.shiftKey);
    };
    if (enabled) document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [enabled]);
  return current;
}
