// Customers: who owns servers.
import { post } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { mib, number } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Icon } from "../ui/basic.js";
import { FormDialog } from "../ui/dialog.js";
import { TextField } from "../ui/fields.js";
import { List } from "../ui/list.js";
import { PageHead, mount } from "../ui/page.js";
import { QuotaFields, quotaBody } from "../ui/quota.js";

const limited = (row, name, show = number) => html`<span class="nowrap tabular">${show(row.used[name])}${row.quota[name] !== null && html`<span class="muted"> / ${show(row.quota[name])}</span>`}</span>`;

const columns = [
  { key: "name", title: _("Name"), sort: "name", class: "cell-name", cell: (row) => html`<span class="two-lines"><a href=${`/customers/${row.id}`}>${row.name}</a><small>${row.email || (row.is_house ? _("the hosting company itself") : "")}</small></span>` },
  { key: "guests", title: _("Guests"), label: true, cell: (row) => limited(row, "guests") },
  { key: "vcpus", title: _("vCPUs"), class: "cell-minor", cell: (row) => limited(row, "vcpus") },
  { key: "memory", title: _("Memory"), class: "cell-minor", cell: (row) => limited(row, "memory_mib", mib) },
  { key: "external", title: _("External id"), class: "cell-minor", cell: (row) => (row.external_id ? html`<code>${row.external_id}</code>` : html`<span class="muted none">–</span>`) },
  { key: "age", title: _("Since"), sort: "created_at", firstSort: "-created_at", class: "cell-minor", cell: (row) => html`<${Ago} at=${row.created_at} />` },
];

function NewCustomer({ onClose }) {
  const [form, setForm] = useState({ name: "", email: "", external_id: "", quota: {} });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  const save = async () => {
    const body = { name: form.name, email: form.email, quota: quotaBody(form.quota) };
    if (form.external_id) body.external_id = form.external_id;
    const customer = await post("/customers", body);
    location.assign(`/customers/${customer.id}`);
  };
  return html`<${FormDialog} title=${_("Create customer")} submit=${_("Create customer")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <${TextField} label=${_("Name")} autofocus required error=${problem?.field("name")} ...${bind("name")} />
    <div class="fields-2"><${TextField} label=${_("E-mail")} type="email" optional=${_("optional")} error=${problem?.field("email")} ...${bind("email")} />
      <${TextField} label=${_("External id")} optional=${_("optional")} error=${problem?.field("external_id")} ...${bind("external_id")} /></div>
    <${QuotaFields} quota=${form.quota} problem=${problem} onChange=${(quota) => setForm({ ...form, quota })} />`}<//>`;
}

function Customers() {
  const [making, setMaking] = useState(new URLSearchParams(location.search).has("new"));
  const create = may("customer.create") && html`<button class="btn btn-primary" onClick=${() => setMaking(true)}><${Icon} name="plus" />${_("Create customer")}</button>`;
  return html`<${PageHead} title=${_("Customers")}>${create}<//>
    <${List} endpoint="/customers" caption=${_("Customers")} columns=${columns} search=${_("Name")} sort="-created_at" href=${(row) => `/customers/${row.id}`}
      when=${(message) => message.type === "customer"} empty=${{ text: _("No customer yet. A customer owns servers and has members who sign in."), action: create }} />
    ${making && html`<${NewCustomer} onClose=${() => setMaking(false)} />`}`;
}

mount(Customers);
