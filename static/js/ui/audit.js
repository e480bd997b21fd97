// The audit trail as a list.
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { auditWord, fieldWord, objectWord } from "../lib/audit_words.js";
import { Ago, State } from "./basic.js";
import { List } from "./list.js";

const show = (value) => (value === null || value === undefined || value === "" ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));

function Changes({ changes }) {
  const [open, setOpen] = useState(false);
  const rows = Object.entries(changes || {});
  if (!rows.length) return html`<span class="muted none">–</span>`;
  const shown = open ? rows : rows.slice(0, 2);
  return html`<span class="changes">${shown.map(([name, pair]) => html`<span key=${name}><span class="muted" title=${name}>${fieldWord(name)}</span> ${Array.isArray(pair) && pair.length === 2
    ? html`${show(pair[0]) !== "–" && html`<del>${show(pair[0])}</del> → `}<b>${show(pair[1])}</b>` : show(pair)}</span>`)}
    ${rows.length > 2 && !open && html`<button type="button" class="btn btn-sm btn-quiet" onClick=${() => setOpen(true)}>${_("%(n)s more", { n: rows.length - 2 })}</button>`}</span>`;
}

const HREFS = { guest: "/guests/", host: "/hosts/", customer: "/customers/", job: "/jobs/", network: "/networks/" };

function Target({ object }) {
  if (!object.type) return html`<span class="muted none">–</span>`;
  const text = object.label || objectWord(object.type);
  return html`<span class="two-lines">${HREFS[object.type] && object.id ? html`<a href=${HREFS[object.type] + object.id}>${text}</a>` : html`<span>${text}</span>`}${object.label && html`<small>${objectWord(object.type)}</small>`}</span>`;
}

const columns = () => [
  { key: "action", title: _("What"), class: "cell-name", cell: (entry) => html`<b title=${entry.action}>${auditWord(entry.action)}</b>` },
  { key: "outcome", title: _("Outcome"), class: "cell-state", cell: (entry) => html`<${State} status=${entry.outcome} />` },
  { key: "actor", title: _("Who"), cell: (entry) => html`<span class="two-lines"><span>${entry.actor.label}</span><small>${[entry.actor.acting_for && _("acting as the customer"), entry.actor.token && _("by token"), entry.address].filter(Boolean).join(" · ")}</small></span>` },
  { key: "object", title: _("To what"), label: true, cell: (entry) => html`<${Target} object=${entry.object} />` },
  { key: "changes", title: _("Change"), class: "cell-minor", cell: (entry) => html`<${Changes} changes=${entry.changes} />` },
  { key: "at", title: _("When"), sort: "at", firstSort: "-at", cell: (entry) => html`<${Ago} at=${entry.at} />` },
];

const filters = () => [
  { param: "outcome", label: _("Outcome"), options: [["accepted", _("Accepted")], ["refused", _("Refused")]] },
  { param: "object_type", label: _("To what"), options: [["guest", _("Guest")], ["host", _("Host")], ["customer", _("Customer")], ["user", _("User")], ["token", _("Token")], ["network", _("Network")], ["plan", _("Plan")]] },
];

export const AuditList = ({ fixed, search, name }) => html`<${List} endpoint="/audit" caption=${_("Audit trail")} columns=${columns()} filters=${filters()} fixed=${fixed} name=${name} sort="-at"
  searchParam="actor" search=${search} empty=${{ text: _("Nothing is recorded here yet.") }} />`;
