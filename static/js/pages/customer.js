// One customer, for staff: servers, members, quota, keys, audit; act as them.
import { post, remove } from "../lib/api.js";
import { may, pageData } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { changesOf, patchChanged } from "../lib/edit.js";
import { gib, mib, number } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { becomeSomebodyElse } from "../lib/session.js";
import { Ago, Button, Card, Copy, Facts, Icon, Meter } from "../ui/basic.js";
import { AuditList } from "../ui/audit.js";
import { Confirm, FormDialog } from "../ui/dialog.js";
import { TextField } from "../ui/fields.js";
import { GuestList, guestColumns } from "../ui/guests.js";
import { Members } from "../ui/members.js";
import { PageHead, Stale, Waiting, mount, setTitle } from "../ui/page.js";
import { QuotaFields, quotaBody } from "../ui/quota.js";
import { tabPanel, useTabs } from "../ui/tabs.js";
import { toastProblem } from "../ui/toast.js";

const id = pageData.ids.id;
const crumbs = [["/customers", _("Customers")]];

function Quota({ customer, onEdit }) {
  const { quota, used } = customer;
  return html`<${Card} title=${_("Quota")} id="quota" action=${onEdit && html`<button class="btn btn-sm" onClick=${onEdit}>${_("Edit")}</button>`}><div class="stack">
    <${Meter} label=${_("Guests")} used=${used.guests} limit=${quota.guests} /><${Meter} label=${_("vCPUs")} used=${used.vcpus} limit=${quota.vcpus} />
    <${Meter} label=${_("Memory")} used=${used.memory_mib} limit=${quota.memory_mib} show=${mib} /><${Meter} label=${_("Disk")} used=${used.disk_gib} limit=${quota.disk_gib} show=${gib} />
    <${Meter} label=${_("Addresses")} used=${used.addresses} limit=${quota.addresses} show=${number} /></div><//>`;
}

function EditCustomer({ customer, onClose, onDone }) {
  const [opened] = useState(customer);
  const [form, setForm] = useState({ name: customer.name, email: customer.email, quota: customer.quota });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  const save = async () => {
    const { quota, ...changes } = changesOf(opened, form);
    const body = { ...changes, ...(quota && { quota: changesOf(opened.quota, quotaBody(form.quota)) }) };
    const saved = await patchChanged(`/customers/${id}`, opened, body);
    if (saved) onDone(saved);
    onClose();
  };
  return html`<${FormDialog} title=${_("Edit customer")} submit=${_("Save customer")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <div class="fields-2"><${TextField} label=${_("Name")} error=${problem?.field("name")} ...${bind("name")} /><${TextField} label=${_("E-mail")} type="email" error=${problem?.field("email")} ...${bind("email")} /></div>
    <${QuotaFields} quota=${form.quota} problem=${problem} onChange=${(quota) => setForm({ ...form, quota })} />`}<//>`;
}

function Overview({ customer, onEdit, onDelete }) {
  return html`<div class="columns"><div class="stack"><${Members} customer=${id} /></div>
    <div class="stack"><${Quota} customer=${customer} onEdit=${may("customer.edit") && onEdit} />
      <${Card} title=${_("Facts")} id="facts"><${Facts} rows=${[[_("E-mail"), customer.email ? html`<a href=${`mailto:${customer.email}`}>${customer.email}</a>` : "–"],
        customer.external_id && [_("External id"), html`<${Copy} value=${customer.external_id} />`], [_("Since"), html`<${Ago} at=${customer.created_at} />`], [_("Id"), html`<${Copy} value=${customer.id} />`]]} /><//>
      ${may("customer.delete") && !customer.is_house && html`<${Card} title=${_("Delete customer")} id="danger" danger><div class="stack-small"><p class="soft">${_("Its members, and so their tokens, no longer reach it; its keys go. Refused while the customer has guests.")}</p>
        <div><button class="btn btn-quiet-danger" onClick=${onDelete}>${_("Delete customer")}</button></div></div><//>`}
    </div></div>`;
}

function Customer() {
  const resource = useResource(`/customers/${id}`, null, { when: (message) => message.type === "customer" && message.id === id });
  const [dialog, setDialog] = useState("");
  const [tab, tabs] = useTabs([["guests", _("Guests")], ["overview", _("People and quota")], ...(may("audit.view") ? [["audit", _("Audit")]] : [])], _("Parts of the customer"));
  const customer = resource.data;
  useEffect(() => { if (customer) setTitle(customer.name); }, [customer?.name]);
  if (!customer) return html`<${PageHead} title=${_("Customer")} crumbs=${crumbs} /><${Waiting} resource=${resource} back=${["/customers", _("All customers")]} missing=${_("There is no such customer.")} />`;
  const actAs = async () => { try { await becomeSomebodyElse(() => post(`/customers/${id}/actions/act-for`), "/servers"); } catch (problem) { toastProblem(problem); } };
  const close = () => setDialog("");
  return html`<${PageHead} title=${customer.name} crumbs=${crumbs} sub=${customer.is_house ? _("The hosting company itself") : customer.email}>
      ${may("customer.act-for") && html`<${Button} icon="eye" onClick=${actAs}>${_("Act as this customer")}<//>`}
      ${may("guest.place") && html`<a class="btn btn-primary" href=${`/guests/new?customer=${id}`}><${Icon} name="plus" />${_("Create guest")}</a>`}<//>
    ${tabs}<${Stale} resource=${resource} />
    <div ...${tabPanel(tab)}>
      ${tab === "guests" && html`<${GuestList} fixed=${{ customer: id }} caption=${_("Guests of this customer")} columns=${guestColumns({ host: true })} empty=${{ text: _("This customer has no guest yet.") }} />`}
      ${tab === "overview" && html`<${Overview} customer=${customer} onEdit=${() => setDialog("edit")} onDelete=${() => setDialog("delete")} />`}
      ${tab === "audit" && html`<${AuditList} fixed=${{ customer: id }} />`}
    </div>
    ${dialog === "edit" && html`<${EditCustomer} customer=${customer} onClose=${close} onDone=${resource.mutate} />`}
    ${dialog === "delete" && html`<${Confirm} title=${_("Delete %(name)s", { name: customer.name })} submit=${_("Delete customer")} typed=${customer.name} onClose=${close}
      onConfirm=${async () => { await remove(`/customers/${id}`, { etag: `"${customer.version}"` }); location.assign("/customers"); }}><p>${_("This cannot be undone. The audit trail stays.")}</p><//>`}`;
}

mount(Customer);
