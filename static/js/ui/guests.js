// Guests in lists: columns, filters, bulk actions.
import { boot, may, serverPath } from "../lib/boot.js";
import { diskWords, mib } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { TYPE_NAMES } from "../lib/words.js";
import { Ago, Copy, GuestState, Icon, OsMark, TypeMark } from "./basic.js";
import { List } from "./list.js";
import { Menu } from "./menu.js";
import { Sparkline, useSparklines } from "./sparklines.js";
import { POWER, powerItems, runPowerOfMany } from "./power.js";

export const LOOK_EVERY_MS = 60_000; // no event tells that nobody looks at a guest any more

export const guestColumns = ({ customer, host } = {}) => [
  { key: "name", title: _("Name"), sort: "name", class: "cell-name", cell: (guest) => html`<span class="row-line"><${OsMark} os=${guest.os} />
    <span class="two-lines"><a href=${serverPath(guest.id)}>${guest.name}</a><small title=${_("Image: %(name)s", { name: guest.image_name })}>${guest.image_name}</small></span></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (guest) => html`<${GuestState} guest=${guest} />` },
  { key: "address", title: _("Address"), class: "cell-address", cell: (guest) => html`<${Addresses} guest=${guest} />` },
  { key: "type", title: _("Type"), class: "cell-minor", cell: (guest) => html`<${TypeMark} type=${guest.host_type} />` },
  { key: "size", title: _("Size"), class: "cell-minor", cell: (guest) => html`<span class="two-lines"><span class="nowrap">${guest.vcpus} vCPU · ${mib(guest.memory_mib)}</span>
    <small>${diskWords(guest.disk_gib)}</small></span>` },
  customer && { key: "customer", title: _("Customer"), class: "cell-minor", cell: (guest) => html`<a href=${`/customers/${guest.customer}`}>${guest.customer_name}</a>` },
  host && { key: "host", title: _("Host"), class: "cell-host", label: true, cell: (guest) => guest.host && html`<a href=${`/hosts/${guest.host}`}>${guest.host_name}</a>` },
  !boot.staff && { key: "location", title: _("Location"), class: "cell-minor", cell: (guest) => guest.location || "–" },
  { key: "age", title: _("Created"), sort: "created_at", firstSort: "-created_at", class: "cell-minor", cell: (guest) => html`<${Ago} at=${guest.created_at} />` },
  may("guest.operate") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (guest, list) => may("guest.operate", guest.customer) && html`<${Menu}
    label=${_("Power of %(name)s", { name: guest.name })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`}
    items=${powerItems(guest, (answer) => list.replace(answer.guest))} />` },
].filter(Boolean);

function Addresses({ guest }) {
  if (!guest.addresses.length) return html`<span class="muted none">–</span>`;
  const [first, ...more] = guest.addresses;
  return html`<${Copy} value=${first.address}>${first.address}${more.length > 0 && html` <span class="muted" title=${more.map((one) => one.address).join("\n")}>+${more.length}</span>`}<//>`;
}

export const guestFilters = () => [
  { param: "power_state", label: _("Power"), options: [["running", _("Running")], ["shutoff", _("Off")], ["paused", _("Paused")], ["crashed", _("Crashed")], ["unknown", _("Unknown")]] },
  { param: "host_type", label: _("Type"), options: Object.entries(TYPE_NAMES) },
  { param: "lifecycle", label: _("Stage"), options: [["provisioning", _("Being built")], ["active", _("Active")], ["error", _("Failed")], ["deleting", _("Being deleted")], ["deleted", _("Deleted")]] },
];

export const bulkPower = () => (may("guest.operate") ? Object.entries(POWER).filter(([action]) => action !== "reset").map(([action, words]) => ({
  text: words.text(), icon: words.icon, danger: words.danger, run: (rows, clear) => runPowerOfMany(rows, action, clear),
})) : null);

/** A list of guests inside another page. */
export function GuestList({ fixed, columns, caption, empty }) {
  const [ids, setIds] = useState([]);
  const lines = useSparklines(ids);
  const all = columns || guestColumns();
  const cpu = { key: "cpu", title: _("CPU, 1 h"), class: "cell-minor cell-spark", cell: (guest) => html`<${Sparkline} values=${lines[guest.id]} />` };
  const place = all.findIndex((column) => column.key === "size") + 1;
  return html`<${List} endpoint="/guests" caption=${caption} columns=${all.toSpliced(place, 0, cpu)} filters=${guestFilters()}
    fixed=${fixed} search=${_("Name, address, MAC or id")} sort="-created_at" href=${(guest) => serverPath(guest.id)} bulk=${bulkPower()} onRows=${(list) => setIds((list.rows || []).map((guest) => guest.id))}
    when=${(message) => message.type === "guest" || message.type === "job"} every=${LOOK_EVERY_MS} empty=${empty} />`;
}
