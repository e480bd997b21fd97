// Whose server it is, and for staff where it runs.
import { get } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Block } from "./create_blocks.js";
import { SelectField, TextField } from "./fields.js";

const SEARCH_WAIT_MS = 200;

/** A customer found by typing: names come from the API as one types; choosing one keeps its id. */
function CustomerPicker({ form, change, error }) {
  const [found, setFound] = useState([]);
  const [text, setText] = useState(form.customer_name);
  const timer = useRef(null);
  useEffect(() => {
    if (form.customer && !form.customer_name) get(`/customers/${form.customer}`).then((row) => { setText(row.name); change({ customer_name: row.name }); }).catch(() => change({ customer: "" }));
    get("/customers", { limit: 20, sort: "name" }).then((page) => setFound(page.results)).catch(() => {});
  }, []);
  const input = (value) => {
    setText(value);
    const exact = found.find((row) => row.name === value);
    change({ customer: exact?.id || "", customer_name: exact ? value : "" });
    clearTimeout(timer.current);
    timer.current = setTimeout(async () => {
      const page = await get("/customers", { search: value, limit: 20 }).catch(() => null);
      if (!page) return;
      setFound(page.results);
      const match = page.results.find((row) => row.name === value);
      if (match) change({ customer: match.id, customer_name: value });
    }, SEARCH_WAIT_MS);
  };
  const open = text && !form.customer;
  return html`<div><${TextField} label=${_("Customer")} name="customer" list="customer-names" autocomplete="off" placeholder=${_("The hosting company itself")} value=${text} onInput=${input}
      error=${error("customer") || (open && found.length === 0 ? _("No customer has this name.") : "")} hint=${form.customer ? _("The server counts for their quota; they see it at once.") : _("Without a customer it is the hosting company’s own.")} />
    <datalist id="customer-names">${found.map((row) => html`<option key=${row.id} value=${row.name}></option>`)}</datalist></div>`;
}

export function StaffBlock({ form, change, error }) {
  const hosts = useResource(may("guest.place") ? "/hosts" : null, { limit: 1000 });
  const rows = (hosts.data?.results || []).filter((host) => host.state === "active" && (!form.host_type || host.host_types.includes(form.host_type)));
  return html`<${Block} title=${_("For whom")}><div class="fields-2">
    ${boot.staff ? html`<${CustomerPicker} form=${form} change=${change} error=${error} />`
      : html`<${SelectField} label=${_("Team")} name="customer" value=${form.customer} error=${error("customer")} options=${boot.customers.map((one) => [one.id, one.name])} onChange=${(customer) => change({ customer, keys: null })} />`}
    ${may("guest.place") && html`<${SelectField} label=${_("Host")} name="host" value=${form.host} error=${error("host")} hint=${_("Left to the panel, the one with the most room is taken.")}
      options=${[["", _("The best one")], ...rows.map((host) => [host.id, `${host.name} · ${host.location}`])]} onChange=${(host) => change({ host })} />`}</div><//>`;
}
