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

async function findGuests(text, action) {
  const page = await get("/guests", { search: text, limit: FOUND });
  return page.results.flatMap((guest) => {
    const open = { key: guest.id, text: guest.name, icon: "server", side: html`<${State} status=${guest.status} />`, go: opens(serverPath(guest.id)) };
    const support = guest.supports.find((entry) => entry.action === action);
    if (!action) return [open];
    return support?.allowed ? [{ key: `${action}${guest.id}`, text: `${POWER[action].text()}: ${guest.name}`, icon: POWER[action].icon,
      side: _("Command"), go: () => runPower(guest, action) }] : [open];
  });
}

const KINDS = () => ({
  host: ["server-2", (id) => `/hosts/${id}`, (found) => found.detail || _("Host")],
  customer: ["building", (id) => `/customers/${id}`, () => _("Customer")],
  job: ["list-check", (id) => `/jobs/${id}`, () => _("Job")],
});

async function findOthers(text) {
  const kinds = KINDS();
  const answer = await get("/search", { q: text });
  return answer.results.filter((found) => kinds[found.type] && (boot.staff || found.type === "job")).map((found) => {
    const [icon, href, side] = kinds[found.type];
    return { key: found.type + found.id, text: found.type === "job" ? actionWord(found.name) : found.name, icon, side: side(found), go: opens(href(found.id)) };
  });
}

async function find(text) {
  const [action, rest] = splitVerb(text);
  if (!rest) return [];
  const quiet = (promise) => promise.catch(() => []);
  return (await Promise.all([quiet(findGuests(rest, action)), action ? [] : quiet(findOthers(rest))])).flat();
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

function PaletteBox({ close }) {
  const box = useRef(null);
  const [text, setText] = useState("");
  const [found, setFound] = useState({ for: "", items: [] });
  const [at, setAt] = useState(0);
  useLayoutEffect(() => { box.current.showModal(); }, []);
  useEffect(() => {
    setAt(0);
    if (!text.trim()) { setFound({ for: "", items: [] }); return undefined; }
    let alive = true;
    const timer = setTimeout(async () => {
      const items = await find(text.trim());
      if (alive) setFound({ for: text, items });
    }, WAIT_MS);
    return () => { alive = false; clearTimeout(timer); };
  }, [text]);
  const low = text.trim().toLowerCase();
  const pages = pageCommands().filter((command) => !low || command.text.toLowerCase().includes(low));
  const items = [...found.items, ...pages];
  const choose = (item) => { close(); item?.go(); };
  const keys = (event) => {
    const go = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (go !== undefined) {
      event.preventDefault();
      const next = items.length ? (go + items.length) % items.length : 0;
      setAt(next);
      document.getElementById(`palette-${next}`)?.scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter") { event.preventDefault(); choose(items[at]); }
  };
  const searching = text.trim() && found.for !== text;
  return html`<dialog ref=${box} class="dialog palette" aria-label=${_("Search and commands")} onKeyDown=${keys}
    onCancel=${(event) => { event.preventDefault(); close(); }} onMouseDown=${(event) => event.target === box.current && close()}>
    <div class="palette-field"><${Icon} name="search" />
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-results" aria-activedescendant=${`palette-${at}`}
        aria-label=${_("Search or run a command")} placeholder=${boot.staff ? _("Name, address, MAC, id, or “reboot web-3”") : _("Server, address, or “reboot web-3”")}
        autocomplete="off" spellcheck="false" value=${text} onInput=${(event) => setText(event.target.value)} /><kbd>Esc</kbd></div>
    <div class="palette-results" id="palette-results" role="listbox" aria-label=${_("Results")} tabIndex="-1">
      ${items.map((item, index) => html`<div key=${item.key} id=${`palette-${index}`} class="palette-item" role="option" aria-selected=${String(index === at)}
        onMouseMove=${() => setAt(index)} onClick=${() => choose(item)}><${Icon} name=${item.icon} /><span class="ellipsis">${item.text}</span><span class="palette-side">${item.side}</span></div>`)}
      ${!items.length && html`<p class="palette-heading" role="status">${searching ? _("Searching…") : _("Nothing found.")}</p>`}
    </div></dialog>`;
}
