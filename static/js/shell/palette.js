// The command palette: Ctrl-K or "/". Jumps to anything by name, address, MAC, id; runs "reboot web-3".
import { get } from "../lib/api.js";
import { boot, may, serverPath } from "../lib/boot.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { actionWord } from "../lib/words.js";
import { Icon, State } from "../ui/basic.js";
import { POWER, runPower } from "../ui/power.js";

const FOUND = 6;
const WAIT_MS = 140;

/** Verbs people type, with the action they mean. */
const VERBS = () => ({
  start: "start", shutdown: "shutdown", "shut down": "shutdown", stop: "stop", "power off": "stop", off: "stop",
  reboot: "reboot", restart: "reboot", reset: "reset",
});

function pageCommands() {
  const links = [...document.querySelectorAll(".rail-nav a")].map((link) => ({
    key: link.pathname, text: link.textContent.trim(), icon: "chevron-right", side: _("Page"), go: () => location.assign(link.href),
  }));
  const create = may(boot.staff ? "guest.place" : "guest.create") && {
    key: "new", text: boot.staff ? _("Create guest") : _("Create server"), icon: "plus", side: _("Command"),
    go: () => location.assign(serverPath("new")),
  };
  return [...(create ? [create] : []), ...links,
    { key: "profile", text: _("Profile"), icon: "user", side: _("Page"), go: () => location.assign("/profile") }];
}

function splitVerb(text) {
  const low = text.toLowerCase();
  const verbs = VERBS();
  const verb = Object.keys(verbs).sort((a, b) => b.length - a.length).find((word) => low.startsWith(`${word} `));
  return verb ? [verbs[verb], text.slice(verb.length).trim()] : ["", text];
}

const opens = (href) => () => location.assign(href);

/** What the search named: its rank decides the order, the list knows the states. */
async function findGuests(text, action, named) {
  const page = await get("/guests", { search: text, limit: FOUND });
  const known = new Map(page.results.map((guest) => [guest.id, guest]));
  const guests = await Promise.all(named.filter((found) => found.type === "guest")
    .map((found) => known.get(found.id) || get(`/guests/${found.id}`).catch(() => null)));
  return guests.filter(Boolean).map((guest) => guestItem(guest, action, text));
}

function guestItem(guest, action, text) {
  const low = text.toLowerCase();
  const sure = [guest.name, guest.id, guest.external_id, ...guest.addresses.flatMap((one) => [one.address, one.mac])].some((word) => word?.toLowerCase() === low);
  const support = guest.supports.find((entry) => entry.action === action);
  if (action && support?.allowed) {
    return { key: `${action}${guest.id}`, sure, text: `${POWER[action].text()}: ${guest.name}`, icon: POWER[action].icon,
      side: boot.staff ? guest.customer_name : _("Command"), go: () => runPower(guest, action, null, { sure: false }) };
  }
  return { key: guest.id, sure, text: guest.name, icon: "server", side: html`<${State} status=${guest.status} title=${support?.reason} />`, go: opens(serverPath(guest.id)) };
}

const KINDS = () => ({
  host: ["server-2", (id) => `/hosts/${id}`, (found) => found.detail || _("Host")],
  customer: ["building", (id) => `/customers/${id}`, () => _("Customer")],
  job: ["list-check", (id) => `/jobs/${id}`, () => _("Job")],
});

function others(named) {
  const kinds = KINDS();
  return named.filter((found) => kinds[found.type] && (boot.staff || found.type === "job")).map((found) => {
    const [icon, href, side] = kinds[found.type];
    return { key: found.type + found.id, text: found.type === "job" ? actionWord(found.name) : found.name, icon, side: side(found), go: opens(href(found.id)) };
  });
}

async function find(text) {
  const [action, rest] = splitVerb(text);
  if (!rest) return [];
  const named = (await get("/search", { q: rest })).results;
  const guests = await findGuests(rest, action, named);
  return action ? guests : [...guests, ...others(named)];
}

export function Palette() {
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => {
    const keys = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      const wanted = ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") || (event.key === "/" && !typing);
      if (!wanted || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      setOpen(true);
    };
    const press = (event) => { if (event.target.closest?.("[data-open-palette]")) setOpen(true); };
    document.addEventListener("keydown", keys);
    document.addEventListener("click", press);
    return () => { document.removeEventListener("keydown", keys); document.removeEventListener("click", press); };
  }, []);
  return open ? html`<${PaletteBox} close=${() => setOpen(false)} />` : null;
}

/** What was found for `text`; `ready` only when it is this text's. */
function useFound(text) {
  const [found, setFound] = useState({ for: "", items: [], problem: null });
  useEffect(() => {
    if (!text) return undefined;
    let alive = true;
    const timer = setTimeout(async () => {
      const next = await find(text).then((items) => ({ for: text, items, problem: null }), (problem) => ({ for: text, items: [], problem }));
      if (alive) setFound(next);
    }, WAIT_MS);
    return () => { alive = false; clearTimeout(timer); };
  }, [text]);
  const ready = !text || found.for === text;
  return { items: text && ready ? found.items : [], problem: ready ? found.problem : null, ready };
}

function PaletteBox({ close }) {
  const box = useRef(null);
  const [text, setText] = useState("");
  const [picked, setPicked] = useState(null); // the key of what the arrows or the pointer chose
  const [entered, setEntered] = useState(false); // Enter was pressed before the results came
  const wanted = text.trim();
  const found = useFound(wanted);
  const low = wanted.toLowerCase();
  const pages = pageCommands().filter((command) => !low || command.text.toLowerCase().includes(low));
  const items = [...found.items, ...pages];
  const at = Math.max(0, items.findIndex((item) => item.key === picked));
  useLayoutEffect(() => { const dialog = box.current; dialog.showModal(); return () => dialog.open && dialog.close(); }, []);
  const choose = (item) => { if (!item) return; close(); item.go(); };
  useEffect(() => {
    if (!entered || !found.ready) return;
    setEntered(false);
    if (items[0]?.sure || items.length === 1) choose(items[0]);
  }, [entered, found.ready]);
  const type = (event) => { setText(event.target.value); setPicked(null); setEntered(false); };
  const keys = (event) => {
    const go = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (go !== undefined && items.length) {
      event.preventDefault();
      const next = (go + items.length) % items.length;
      setPicked(items[next].key);
      document.getElementById(`palette-${next}`)?.scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Escape") { event.preventDefault(); close(); }
    if (event.key === "Enter") {
      event.preventDefault();
      if (found.ready || picked !== null) choose(items[at]); else setEntered(true);
    }
  };
  return html`<dialog ref=${box} class="dialog palette" closedby="none" aria-label=${_("Search and commands")} onKeyDown=${keys}
    onCancel=${(event) => { event.preventDefault(); close(); }} onMouseDown=${(event) => event.target === box.current && close()}>
    <div class="palette-field"><${Icon} name="search" />
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-results" aria-activedescendant=${items.length ? `palette-${at}` : undefined}
        aria-label=${_("Search or run a command")} placeholder=${boot.staff ? _("Name, address, MAC, id, or “reboot web-3”") : _("Server, address, or “reboot web-3”")}
        autocomplete="off" spellcheck="false" value=${text} onInput=${type} /><kbd>Esc</kbd></div>
    <div class="palette-results" role="listbox" id="palette-results" aria-label=${_("Results")} aria-busy=${String(!found.ready)} tabIndex="-1">
      ${items.map((item, index) => html`<div key=${item.key} id=${`palette-${index}`} class="palette-item" role="option" aria-selected=${String(index === at)}
        onMouseMove=${(event) => (event.movementX || event.movementY) && setPicked(item.key)} onClick=${() => choose(item)}><${Icon} name=${item.icon} /><span class="ellipsis">${item.text}</span><span class="palette-side">${item.side}</span></div>`)}
    </div>
    <p class="palette-heading" role="status">${!found.ready ? _("Searching…") : found.problem ? found.problem.message : items.length ? "" : _("Nothing found.")}</p></dialog>`;
}
