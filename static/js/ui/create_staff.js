// Whose server it is, and for staff where it runs.
import { get } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Block } from "./create_blocks.js";
import { SelectField, TextField } from "./fields.js";

const SEARCH_WAIT_MS = 200;

/**
 * A customer found by typing: names come from the API as one types; choosing one keeps its id in the address.
 * `nobody`: something is typed that names nobody, so nothing can be ordered.
 */
function CustomerPicker({ form, change, pick, nobody, error }) {
  const [found, setFound] = useState([]);
  const timer = useRef(null);
  const typed = useRef(form.customer_text);
  const named = useResource(form.customer ? `/customers/${form.customer}` : null);
  useEffect(() => { get("/customers", { limit: 20, sort: "name" }).then((page) => setFound(page.results)).catch(() => {}); return () => clearTimeout(timer.current); }, []);
  useEffect(() => {
    if (!named.data) return;
    typed.current = named.data.name;
    change({ customer_text: named.data.name });
  }, [named.data]);
  const only = (rows, value) => { const same = rows.filter((row) => row.name === value); return same.length === 1 ? same[0] : null; };
  const look = async (value) => {
    const page = await get("/customers", { search: value, limit: 20 }).catch(() => null);
    if (!page || typed.current !== value) return; // something else is typed by now
    setFound(page.results);
    const row = only(page.results, value);
    if (row) pick(row.id);
  };
  const input = (value) => {
    typed.current = value;
    pick(only(found, value)?.id || "", { customer_text: value });
    clearTimeout(timer.current);
    if (value.trim()) timer.current = setTimeout(() => look(value), SEARCH_WAIT_MS);
  };
  const same = found.filter((row) => row.name === form.customer_text.trim()).length;
  const missing = nobody && (same > 1 ? _("Several customers are called so: begin on the customer’s page.") : _("Choose a customer from the list, or empty the field."));
  return html`<div><${TextField} label=${_("Customer")} name="customer" list="customer-names" autocomplete="off" placeholder=${_("The hosting company itself")} value=${form.customer_text} onInput=${input}
      error=${error("customer") || missing} hint=${form.customer ? _("The guest counts for their quota; they see it at once.") : _("Without a customer it is the hosting company’s own.")} />
    <datalist id="customer-names">${found.map((row) => html`<option key=${row.id} value=${row.name}></option>`)}</datalist></div>`;
}

export function StaffBlock({ form, change, pick, nobody, teams, error }) {
  const hosts = useResource(may("guest.place") ? "/hosts" : null, { limit: 1000 });
  const rows = (hosts.data?.results || []).filter((host) => host.state === "active" && (!form.host_type || host.host_types.includes(form.host_type)));
  return html`<${Block} title=${_("For whom")}><div class="fields-2">
    ${boot.staff ? html`<${CustomerPicker} form=${form} change=${change} pick=${pick} nobody=${nobody} error=${error} />`
      : html`<${SelectField} label=${_("Team")} name="customer" value=${form.customer} error=${error("customer")} options=${teams.map((one) => [one.id, one.name])} onChange=${(customer) => pick(customer)} />`}
    ${may("guest.place") && html`<${SelectField} label=${_("Host")} name="host" value=${form.host} error=${error("host")} hint=${_("Left to the panel, the one with the most room is taken.")}
      options=${[["", _("The best one")], ...rows.map((host) => [host.id, `${host.name} · ${host.location}`])]} onChange=${(host) => change({ host })} />`}</div><//>`;
}
