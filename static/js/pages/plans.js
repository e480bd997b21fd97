// Plans: what is sold, and for how much.
import { post } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { patchChanges } from "../lib/edit.js";
import { money, number, sizeWords } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Icon, State, TypeMark } from "../ui/basic.js";
import { Confirm, FormDialog, openDialog } from "../ui/dialog.js";
import { CheckField, NumberField, TextField } from "../ui/fields.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { toast, toastProblem } from "../ui/toast.js";

const TYPES = [["kvm", "KVM"], ["xen", "Xen"], ["lxc", "LXC"]];
const EMPTY = { slug: "", name: "", host_types: ["kvm", "lxc"], vcpus: 1, memory_mib: 1024, disk_gib: 20, bandwidth_mbit_per_s: null, bandwidth_required: false, max_processes: 0,
  price_monthly: "5.00", price_hourly: "0.007440", currency: "EUR" };
const HOURS_OF_A_MONTH = 672;

function PlanForm({ plan, onClose, onDone }) {
  const [form, setForm] = useState(() => (plan ? Object.fromEntries(Object.keys(EMPTY).map((name) => [name, plan[name]])) : EMPTY));
  const set = (changes) => setForm({ ...form, ...changes });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => set({ [name]: value }) });
  const monthly = (value) => set({ price_monthly: value, ...(Number(value) >= 0 && value !== "" ? { price_hourly: (Number(value) / HOURS_OF_A_MONTH).toFixed(6) } : {}) });
  const save = async () => {
    if (plan) await patchChanges(`/plans/${plan.id}`, plan, form);
    else await post("/plans", form);
    onDone();
    onClose();
  };
  return html`<${FormDialog} wide title=${plan ? _("Edit plan") : _("Create plan")} submit=${plan ? _("Save plan") : _("Create plan")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <div class="fields-2"><${TextField} label=${_("Name")} required error=${problem?.field("name")} ...${bind("name")} onInput=${(name) => set({ name, ...(!plan && (!form.slug || form.slug === slugOf(form.name)) ? { slug: slugOf(name) } : {}) })} />
      <${TextField} label=${_("Short name")} hint=${_("Used by the API; letters, digits, hyphens.")} required error=${problem?.field("slug")} ...${bind("slug")} /></div>
    <fieldset class="plain-fieldset"><legend class="form-label">${_("Sold as")}</legend><div class="check-grid">${TYPES.map(([type, word]) => html`<${CheckField} key=${type} label=${word} checked=${form.host_types.includes(type)}
      onChange=${(on) => set({ host_types: on ? [...form.host_types, type] : form.host_types.filter((one) => one !== type) })} />`)}</div>${problem?.field("host_types") && html`<p class="field-error">${problem.field("host_types")}</p>`}</fieldset>
    <div class="fields-3"><${NumberField} label=${_("vCPUs")} min="1" error=${problem?.field("vcpus")} ...${bind("vcpus")} /><${NumberField} label=${_("Memory, MiB")} min="32" error=${problem?.field("memory_mib")} ...${bind("memory_mib")} />
      <${NumberField} label=${_("Disk, GiB")} min="1" error=${problem?.field("disk_gib")} ...${bind("disk_gib")} /></div>
    <div class="fields-2"><${NumberField} label=${_("Traffic limit, Mbit/s")} optional=${_("empty: none")} min="1" error=${problem?.field("bandwidth_mbit_per_s")} ...${bind("bandwidth_mbit_per_s")} />
      <${NumberField} label=${_("Most processes of a container")} hint=${_("0: one for each MiB of memory, at least 512")} min="0" error=${problem?.field("max_processes")} ...${bind("max_processes")} /></div>
    ${form.bandwidth_mbit_per_s !== null && html`<${CheckField} label=${_("Refuse hosts that cannot limit traffic")} hint=${_("Otherwise it is sold there without the limit, and the server’s page says so.")} checked=${form.bandwidth_required} onChange=${(bandwidth_required) => set({ bandwidth_required })} />`}
    <div class="fields-3"><${TextField} label=${_("Price a month")} inputmode="decimal" error=${problem?.field("price_monthly")} name="price_monthly" value=${form.price_monthly} onInput=${monthly} />
      <${TextField} label=${_("Price an hour")} inputmode="decimal" error=${problem?.field("price_hourly")} ...${bind("price_hourly")} /><${TextField} label=${_("Currency")} maxlength="3" error=${problem?.field("currency")} ...${bind("currency")} /></div>`}<//>`;
}

const slugOf = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

const archive = (plan, list) => openDialog((close) => html`<${Confirm} title=${_("Archive %(name)s", { name: plan.name })} submit=${_("Archive plan")} onClose=${close}
  onConfirm=${async () => { close(); try { await post(`/plans/${plan.id}/actions/archive`); toast(_("The plan is no longer sold.")); list.reload(); } catch (problem) { toastProblem(problem); } }}>
  <p>${_("It is no longer sold. Servers that have it keep it at its price.")}</p><//>`);

const columns = (edit) => [
  { key: "name", title: _("Plan"), sort: "slug", class: "cell-name", cell: (plan) => html`<span class="two-lines"><b>${plan.name}</b><small class="mono">${plan.slug}</small></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (plan) => html`<${State} status=${plan.archived_at ? "archived" : "active"} word=${plan.archived_at ? _("Archived") : _("On sale")} />` },
  { key: "types", title: _("Sold as"), cell: (plan) => html`<span class="row-line">${plan.host_types.map((type) => html`<${TypeMark} key=${type} type=${type} />`)}</span>` },
  { key: "size", title: _("Size"), label: true, cell: (plan) => html`<span>${sizeWords(plan)}</span>` },
  { key: "traffic", title: _("Traffic"), class: "cell-minor", cell: (plan) => (plan.bandwidth_mbit_per_s ? `${number(plan.bandwidth_mbit_per_s)} Mbit/s` : html`<span class="muted">${_("no limit")}</span>`) },
  { key: "price", title: _("A month"), class: "cell-num", label: true, cell: (plan) => html`<span class="nowrap">${money(plan.price_monthly, plan.currency)}</span>` },
  { key: "hour", title: _("An hour"), class: "cell-num cell-minor", cell: (plan) => html`<span class="nowrap">${money(plan.price_hourly, plan.currency, 4)}</span>` },
  may("plan.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (plan, list) => html`<${Menu} label=${_("Change %(name)s", { name: plan.name })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`} items=${[
    { text: _("Edit plan"), icon: "edit", disabled: plan.sold, reason: _("It has been sold: archive it and make another."), onSelect: () => edit(plan) },
    { text: _("Archive plan"), icon: "ban", danger: true, disabled: Boolean(plan.archived_at), reason: _("It is archived already."), onSelect: () => archive(plan, list) }]} />` },
].filter(Boolean);

function Plans() {
  const [form, setForm] = useState(null);
  const [list, setList] = useState(null);
  const create = may("plan.manage") && html`<button class="btn btn-primary" onClick=${() => setForm({})}><${Icon} name="plus" />${_("Create plan")}</button>`;
  return html`<${PageHead} title=${_("Plans")} sub=${_("Once sold, a plan’s numbers are fixed; replace it by another.")}>${create}<//>
    <${List} endpoint="/plans" caption=${_("Plans")} sort="slug" filters=${[{ param: "archived", label: _("Archived"), options: [["true", _("Only archived")]] }]} columns=${columns((plan) => setForm({ plan }))} onRows=${setList} when=${(message) => message.type === "plan"} empty=${{ text: _("No plan yet. Customers order servers by plan."), action: create }} />
    ${form && html`<${PlanForm} plan=${form.plan} onClose=${() => setForm(null)} onDone=${() => list?.reload()} />`}`;
}

mount(Plans);
