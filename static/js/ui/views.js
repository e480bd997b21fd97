// Saved views: names for a list's search, filters and sort, kept in this browser.
import { useUrlQuery } from "../lib/data.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Icon } from "./basic.js";
import { FormDialog } from "./dialog.js";
import { TextField } from "./fields.js";
import { Menu } from "./menu.js";

const MOST = 20;

function stored(key) {
  try { return JSON.parse(localStorage.getItem(key) || "[]"); } catch { return []; }
}

function NameView({ onSave, onClose }) {
  const [name, setName] = useState("");
  return html`<${FormDialog} title=${_("Save this view")} submit=${_("Save view")} ready=${Boolean(name.trim())} onClose=${onClose} onSubmit=${async () => { onSave(name.trim()); onClose(); }}>${() => html`
    <${TextField} label=${_("Name")} name="view" autofocus value=${name} maxlength="40" hint=${_("Search, filters and sort of this list, kept in this browser.")} onInput=${setName} />`}<//>`;
}

/** `params`: the names of the address's values that make up the view. */
export function SavedViews({ list, params }) {
  const key = `innkeeper.views.${list}`;
  const [query, setQuery] = useUrlQuery();
  const [views, setViews] = useState(() => stored(key));
  const [naming, setNaming] = useState(false);
  const now = Object.fromEntries(params.filter((name) => query[name]).map((name) => [name, query[name]]));
  const same = (view) => JSON.stringify(view.query) === JSON.stringify(now);
  const keep = (next) => { setViews(next); try { localStorage.setItem(key, JSON.stringify(next)); } catch { /* for this page only */ } };
  const open = (view) => setQuery({ ...Object.fromEntries(params.map((name) => [name, ""])), ...view.query }, { push: true });
  const save = (name) => keep([...views.filter((view) => view.name !== name), { name, query: now }].slice(-MOST));
  const present = views.find(same);
  const savable = Object.keys(now).length > 0 && !present;
  if (!views.length && !savable) return null;
  const items = [
    ...views.map((view) => ({ text: view.name, checked: view === present, onSelect: () => open(view) })),
    ...(views.length && (savable || present) ? [null] : []),
    ...(savable ? [{ text: _("Save this view"), icon: "plus", onSelect: () => setNaming(true) }] : []),
    ...(present ? [{ text: _("Forget this view"), icon: "trash", onSelect: () => keep(views.filter((view) => view !== present)) }] : []),
  ];
  return html`<${Menu} left label=${present ? _("Views: %(name)s", { name: present.name }) : _("Views")} buttonClass="btn btn-quiet" items=${items}
    button=${html`<span>${present ? _("Views: %(name)s", { name: present.name }) : _("Views")}</span><${Icon} name="chevron-down" small />`} />
    ${naming && html`<${NameView} onSave=${save} onClose=${() => setNaming(false)} />`}`;
}
