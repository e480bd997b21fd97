// The four blocks of "Create server".
import { boot, may } from "../lib/boot.js";
import { gib, mib, money } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { TYPE_NAMES, TYPE_SENTENCES } from "../lib/words.js";
import { Icon, OsMark } from "./basic.js";
import { CheckField, NumberField, TextField } from "./fields.js";
import { NewKey } from "./keys.js";

const SCARCE = 5;
export const Block = ({ number, title, note, children }) => html`<fieldset class="create-block"><legend>${number && html`<span class="block-number" aria-hidden="true">${number}</span>`}${title}${note && html`<small>${note}</small>`}</legend>${children}</fieldset>`;
const FieldError = ({ text }) => (text ? html`<p class="field-error" role="alert"><${Icon} name="alert-triangle" small />${text}</p>` : null);
const Blank = ({ count }) => html`<div class="choice-grid" aria-hidden="true">${Array.from({ length: count }, (unused, index) => html`<div class="choice choice-blank" key=${index}><span class="skeleton"></span><span class="skeleton"></span></div>`)}</div>`;

export function ImageBlock({ form, change, error, images }) {
  return html`<${Block} number="1" title=${_("Image")}>${!images ? html`<${Blank} count=${2} />` : images.length === 0 ? html`<p class="soft">${_("No image is ready yet; the first ones are being built.")}</p>`
    : html`<div class="choice-grid">${images.map((image) => html`<label class="choice" key=${image.slug}>
      <input type="radio" name="image" value=${image.slug} checked=${form.image === image.slug} onChange=${() => change({ image: image.slug })} />
      <span class="choice-line"><${OsMark} os=${image.os} large /><span><span class="choice-title">${image.name}</span><span class="choice-text">${image.cloud_init ? _("takes cloud-init") : _("small, boots in seconds")}</span></span></span></label>`)}</div>`}
    <${FieldError} text=${error("image")} /><//>`;
}

export const fitsImage = (plan, image) => !image || (plan.disk_gib >= image.min_disk_gib && plan.memory_mib >= image.min_memory_mib);
const roomOf = (room, plan, type) => room[plan.slug]?.filter((one) => one.host_type === type).reduce((total, one) => total + one.fits, 0);

function PlanCard({ plan, form, change, image, room }) {
  const left = roomOf(room, plan, form.host_type);
  const why = !fitsImage(plan, image) ? _("Too small for %(image)s", { image: image.name }) : left === 0 ? _("No room at the moment") : "";
  return html`<label class="choice"><input type="radio" name="plan" value=${plan.slug} checked=${form.plan === plan.slug} disabled=${Boolean(why)} onChange=${() => change({ plan: plan.slug })} />
    <span class="spread"><span class="choice-title">${plan.name}</span><span class="price">${money(plan.price_monthly, plan.currency)}<small> ${_("a month")}</small></span></span>
    <span class="plan-facts"><span>${plan.vcpus} vCPU</span><span>${_("%(size)s memory", { size: mib(plan.memory_mib) })}</span><span>${_("%(size)s disk", { size: gib(plan.disk_gib) })}</span>${plan.bandwidth_mbit_per_s && html`<span>${plan.bandwidth_mbit_per_s} Mbit/s</span>`}</span>
    ${why ? html`<span class="choice-text">${why}</span>` : left > 0 && left <= SCARCE && html`<span class="choice-text scarce">${_("%(n)s left here", { n: left })}</span>`}</label>`;
}

export function SizeBlock(props) {
  const { form, change, error, image, plans } = props;
  const types = (image?.host_types || []).filter((type) => form.own_size || boot.staff || plans?.some((plan) => plan.host_types.includes(type)));
  const list = (plans || []).filter((plan) => plan.host_types.includes(form.host_type)).sort((a, b) => a.price_monthly - b.price_monthly);
  const bind = (name) => ({ name, value: form[name], error: error(name), onInput: (value) => change({ [name]: value }) });
  return html`<${Block} number="2" title=${_("Type and size")}><div class="stack">
    ${!image ? html`<${Blank} count=${2} />` : html`<div class="choice-grid choice-grid-wide">${types.map((type) => html`<label class="choice" key=${type}>
      <input type="radio" name="host_type" value=${type} checked=${form.host_type === type} onChange=${() => change({ host_type: type })} />
      <span class="choice-title">${type === "lxc" ? _("Container (LXC)") : TYPE_NAMES[type]}</span><span class="choice-text">${TYPE_SENTENCES[type]().replace(/^[^:]+: ./, (start) => start.slice(-1).toUpperCase())}</span></label>`)}</div>`}
    <${FieldError} text=${error("host_type")} />
    ${may("guest.place") && html`<${CheckField} label=${_("A size of its own, without a plan’s price")} checked=${form.own_size} onChange=${(own_size) => change({ own_size })} />`}
    ${form.own_size ? html`<div class="fields-3"><${NumberField} label=${_("vCPUs")} min="1" ...${bind("vcpus")} /><${NumberField} label=${_("Memory, MiB")} min="32" ...${bind("memory_mib")} /><${NumberField} label=${_("Disk, GiB")} min="1" ...${bind("disk_gib")} /></div>`
      : !plans ? html`<${Blank} count=${3} />` : list.length === 0 ? html`<p class="soft">${_("No plan is on sale for this type.")} ${may("plan.manage") && html`<a href="/plans">${_("Open plans")}</a>`}</p>`
        : html`<div class="choice-grid choice-grid-wide">${list.map((plan) => html`<${PlanCard} key=${plan.slug} plan=${plan} ...${props} />`)}</div>`}
    ${!form.own_size && html`<${FieldError} text=${error("plan")} />`}</div><//>`;
}

export function AccessBlock({ form, change, error, keys, customer, reload, canAdd }) {
  const [adding, setAdding] = useState(false);
  const chosen = form.keys || [];
  const toggle = (id, on) => change({ keys: on ? [...chosen, id] : chosen.filter((one) => one !== id) });
  const added = (key) => { change({ keys: [...chosen, key.id] }); reload(); };
  const forced = chosen.length === 0;
  return html`<${Block} number="3" title=${_("Access")} note=${_("how root logs in")}><div class="stack-small">
    ${(keys || []).map((key) => html`<label class="key-choice" key=${key.id}><input type="checkbox" class="form-check-input" checked=${chosen.includes(key.id)} onChange=${(event) => toggle(key.id, event.target.checked)} />
      <${Icon} name="key" /><span class="grow two-lines"><span>${key.name}</span><small class="mono ellipsis">${key.fingerprint}</small></span></label>`)}
    <${FieldError} text=${error("ssh_keys")} />
    ${canAdd && (customer || !boot.staff) && html`<div><button type="button" class="btn btn-sm" onClick=${() => setAdding(true)}><${Icon} name="plus" />${_("Add key")}</button></div>`}
    <${CheckField} label=${_("Make a root password, shown once")} checked=${forced || form.want_password} disabled=${forced} onChange=${(want_password) => change({ want_password })}
      hint=${forced ? _("Without a key a password is the only way in; one is made.") : _("With keys only, nobody can guess a password.")} /></div>
    ${adding && html`<${NewKey} customer=${customer} onClose=${() => setAdding(false)} onDone=${added} />`}<//>`;
}

export function NameBlock({ form, change, error, image }) {
  const [open, setOpen] = useState(Boolean(form.labels || form.user_data));
  const wrong = Boolean(error("labels") || error("user_data"));
  useEffect(() => { if (wrong) setOpen(true); }, [wrong]);
  const bind = (name) => ({ name, value: form[name], error: error(name), onInput: (value) => change({ [name]: value }) });
  return html`<${Block} number="4" title=${_("Name")}><div class="stack">
    <${TextField} label=${_("Name")} autocomplete="off" spellcheck="false" maxlength="63" hint=${_("A host name: letters a to z, digits, hyphens and dots.")} ...${bind("name")} />
    <details class="fold" open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}><summary><${Icon} name="chevron-right" />${_("Labels and user-data")}</summary><div class="stack">
      <${TextField} label=${_("Labels")} optional=${_("optional")} placeholder="env=production team=web" hint=${_("Words or pairs, separated by spaces; for finding it again.")} ...${bind("labels")} />
      <${TextField} label=${_("User-data")} optional=${_("optional")} rows="7" placeholder=${"#cloud-config\npackages: [nginx]"} hint=${image && !image.cloud_init ? _("This image has no cloud-init: all that it runs is a script that begins with #!.") : _("A cloud-config or a script, run at the first boot; at most 64 KiB.")} ...${bind("user_data")} /></div></details></div><//>`;
}
