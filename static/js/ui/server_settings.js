// A server's Settings tab: labels, size, rebuild, delete.
import { asProblem, post, remove } from "../lib/api.js";
import { boot, may, serverPath } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { patchChanged } from "../lib/edit.js";
import { money, sizeWords } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { keepOnce } from "../lib/once.js";
import { said } from "../lib/sentences.js";
import { forgetTyped } from "../lib/typed.js";
import { Button, Card } from "./basic.js";
import { Confirm, FormDialog } from "./dialog.js";
import { CheckField, NumberField, SelectField, TextField } from "./fields.js";
import { passwordKey } from "./root.js";
import { toast, toastProblem } from "./toast.js";

const support = (guest, action) => guest.supports.find((entry) => entry.action === action) || { allowed: false, reason: "" };
const RESIZE = () => (boot.staff ? _("Resize guest") : _("Resize server"));
const REBUILD = () => (boot.staff ? _("Rebuild guest") : _("Rebuild server"));
const DELETE = () => (boot.staff ? _("Delete guest") : _("Delete server"));
export const labelsText = (labels) => Object.entries(labels || {}).map(([key, value]) => (value ? `${key}=${value}` : key)).join(" ");
export const labelsOf = (text) => Object.fromEntries(text.split(/[\s,]+/).filter(Boolean).map((word) => word.split(/=(.*)/s).slice(0, 2)).map(([key, value]) => [key, value || ""]));

function Labels({ guest, onDone }) {
  const [opened, setOpened] = useState(guest);
  const [text, setText] = useState(labelsText(guest.labels));
  const [problem, setProblem] = useState(null);
  const rename = may("guest.operate", guest.customer);
  const untouched = text === labelsText(opened.labels);
  useEffect(() => { if (untouched) { setOpened(guest); setText(labelsText(guest.labels)); } }, [guest]);
  const save = async (event) => {
    event?.preventDefault();
    setProblem(null);
    try {
      const saved = await patchChanged(`/guests/${guest.id}`, opened, { labels: labelsOf(text) });
      setOpened(saved);
      setText(labelsText(saved.labels));
      forgetTyped();
      onDone(saved);
      toast(_("Labels saved."));
    } catch (error) { setProblem(asProblem(error)); }
  };
  return html`<${Card} title=${_("Labels")} id="labels"><form class="fields" onSubmit=${save}>
    <${TextField} label=${_("Labels")} value=${text} disabled=${!rename} placeholder="env=production team=web" hint=${_("Words or pairs, separated by spaces; for finding it again.")} error=${problem && (problem.errors[0]?.message || problem.message)} onInput=${setText} />
    ${rename && html`<div><${Button} onClick=${save}>${_("Save labels")}<//></div>`}</form><//>`;
}

function ResizeDialog({ guest, onClose, onDone }) {
  const plans = useResource("/plans", { host_type: guest.host_type, limit: 100 });
  const [form, setForm] = useState({ plan: "", own: false, vcpus: guest.vcpus, memory_mib: guest.memory_mib, disk_gib: guest.disk_gib });
  const fits = (plans.data?.results || []).filter((plan) => plan.disk_gib >= guest.disk_gib && plan.slug !== guest.plan);
  const sizes = { vcpus: form.vcpus, memory_mib: form.memory_mib, ...(guest.disk_gib ? { disk_gib: form.disk_gib } : {}) };
  const save = async () => {
    const answer = await post(`/guests/${guest.id}/actions/resize`, form.own ? sizes : { plan: form.plan });
    onClose();
    onDone(answer);
  };
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  return html`<${FormDialog} title=${_("Resize %(name)s", { name: guest.name })} submit=${RESIZE()} onSubmit=${save} onClose=${onClose} ready=${form.own || Boolean(form.plan)}>${(problem) => html`
    <p class="soft">${guest.disk_gib ? _("The disk only grows; what is on it stays. The new price counts from now.") : _("The disk is left to its host and stays as it is. The new price counts from now.")}</p>
    ${!form.own && html`<${SelectField} label=${_("Plan")} name="plan" value=${form.plan} error=${problem?.field("plan")} onChange=${(plan) => setForm({ ...form, plan })}
      options=${[["", _("Choose a plan")], ...fits.map((plan) => [plan.slug, `${plan.name} · ${sizeWords(plan)} · ${money(plan.price_monthly, plan.currency)}`])]} />`}
    ${may("guest.place") && html`<${CheckField} label=${_("A size of its own, without a plan’s price")} checked=${form.own} onChange=${(own) => setForm({ ...form, own })} />`}
    ${form.own && html`<div class="fields-3"><${NumberField} label=${_("vCPUs")} error=${problem?.field("vcpus")} ...${bind("vcpus")} /><${NumberField} label=${_("Memory, MiB")} error=${problem?.field("memory_mib")} ...${bind("memory_mib")} />
      ${guest.disk_gib > 0 && html`<${NumberField} label=${_("Disk, GiB")} error=${problem?.field("disk_gib")} ...${bind("disk_gib")} />`}</div>`}`}<//>`;
}

function RebuildDialog({ guest, onClose, onDone }) {
  const images = useResource("/images", { host_type: guest.host_type, state: "ready", limit: 100 });
  const [form, setForm] = useState({ image: guest.image, want_password: guest.password_set, typed: "" });
  const save = async () => {
    const answer = await post(`/guests/${guest.id}/actions/rebuild`, { image: form.image, want_password: form.want_password });
    if (answer.root_password) keepOnce(passwordKey(guest), answer.root_password);
    onClose();
    onDone(answer);
  };
  return html`<${FormDialog} title=${_("Rebuild %(name)s", { name: guest.name })} submit=${REBUILD()} danger onSubmit=${save} onClose=${onClose} ready=${form.typed === guest.name}>${(problem) => html`
    <p>${_("Everything on its disk is lost and cannot be brought back. Name, addresses, size and price stay.")}</p>
    <${SelectField} label=${_("Image")} name="image" value=${form.image} error=${problem?.field("image")} options=${(images.data?.results || [{ slug: guest.image, name: guest.image_name }]).map((image) => [image.slug, image.name])} onChange=${(image) => setForm({ ...form, image })} />
    <${CheckField} label=${_("Make a root password, shown once")} checked=${form.want_password} onChange=${(want_password) => setForm({ ...form, want_password })} />
    <${TextField} label=${_("Type %(name)s to confirm", { name: guest.name })} name="typed" autocomplete="off" value=${form.typed} onInput=${(typed) => setForm({ ...form, typed })} />`}<//>`;
}

function SuspendDialog({ subscription, onClose, onDone }) {
  const [form, setForm] = useState({ reason: "payment", note: "" });
  const save = async () => { onDone(await post(`/subscriptions/${subscription.id}/actions/suspend`, form)); onClose(); };
  return html`<${FormDialog} title=${_("Suspend %(name)s", { name: subscription.guest_name })} submit=${_("Suspend service")} danger onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <p class="soft">${_("The server is stopped, and its owner can see but not use it. Nothing on it is lost.")}</p>
    <${TextField} label=${_("Reason")} name="reason" value=${form.reason} hint=${_("A word: payment, abuse, …")} error=${problem?.field("reason")} onInput=${(reason) => setForm({ ...form, reason })} />
    <${TextField} label=${_("Note")} name="note" optional=${_("optional")} value=${form.note} error=${problem?.field("note")} onInput=${(note) => setForm({ ...form, note })} />`}<//>`;
}

/** Staff: the contract behind the server, and withholding it. */
function Service({ guest, onAnswer }) {
  const resource = useResource("/subscriptions", { guest: guest.id, limit: 1 }, { when: (message) => message.id === guest.id });
  const [asking, setAsking] = useState(false);
  const subscription = resource.data?.results[0];
  if (!subscription || subscription.status === "terminated") return null;
  const done = (answer) => { toast(guest.suspensions.length ? _("The suspension is lifted.") : _("The service is suspended.")); onAnswer(answer); resource.reload(); };
  const lift = async () => { try { done(await post(`/subscriptions/${subscription.id}/actions/unsuspend`)); } catch (problem) { toastProblem(problem); } };
  const suspended = subscription.suspensions.length > 0;
  return html`<${Card} title=${_("Service")} id="service"><div class="setting-row"><div class="grow"><h3>${_("Plan %(plan)s, %(price)s a month", { plan: subscription.plan, price: money(subscription.price_monthly, subscription.currency) })}</h3>
      <p class="soft">${suspended ? _("Suspended: %(reasons)s.", { reasons: subscription.suspensions.join(", ") }) : _("Active since it was ordered.")}${subscription.external_id ? html` <code>${subscription.external_id}</code>` : ""}</p></div>
    ${suspended ? html`<${Button} onClick=${lift}>${_("Lift suspension")}<//>` : html`<button type="button" class="btn btn-quiet-danger" onClick=${() => setAsking(true)}>${_("Suspend service")}</button>`}</div>
    ${asking && html`<${SuspendDialog} subscription=${subscription} onClose=${() => setAsking(false)} onDone=${done} />`}<//>`;
}

function Row({ title, text, button, rule, danger, onClick }) {
  return html`<div class="setting-row"><div class="grow"><h3>${title}</h3><p class="soft">${text}</p>${!rule.allowed && rule.reason && html`<p class="field-hint">${said(rule.reason)}</p>`}</div>
    <button type="button" class=${`btn ${danger ? "btn-quiet-danger" : ""}`} disabled=${!rule.allowed} onClick=${onClick}>${button}</button></div>`;
}

/** `onBegin` gets the answer of what takes a while: a rebuild or a new size. */
export function ServerSettings({ guest, onGuest, onAnswer, onBegin }) {
  const [dialog, setDialog] = useState("");
  const close = () => setDialog("");
  const destroy = async () => {
    await remove(`/guests/${guest.id}`);
    toast(_("%(name)s is being deleted.", { name: guest.name }));
    location.assign(serverPath());
  };
  return html`<div class="stack settings-narrow"><${Labels} key=${guest.id} guest=${guest} onDone=${onGuest} />
    <${Card} title=${_("Size")} id="size"><${Row} title=${sizeWords(guest)} text=${boot.staff ? _("Possible while the guest is off; takes a few seconds.") : _("Possible while the server is off; takes a few seconds.")} button=${RESIZE()}
      rule=${support(guest, "resize")} onClick=${() => setDialog("resize")} /><//>
    ${boot.staff && may("subscription.manage") && html`<${Service} guest=${guest} onAnswer=${onAnswer} />`}
    <${Card} title=${_("Danger zone")} id="danger" danger><div class="setting-rows">
      <${Row} danger title=${_("Rebuild")} text=${_("Starts again from an image. Everything on the disk is lost; name, addresses and size stay.")} button=${REBUILD()} rule=${support(guest, "rebuild")} onClick=${() => setDialog("rebuild")} />
      <${Row} danger title=${_("Delete")} text=${_("Its disk and its addresses are given up at once. It cannot be undone.")} button=${DELETE()} rule=${support(guest, "delete")} onClick=${() => setDialog("delete")} />
    </div><//>
    ${dialog === "resize" && html`<${ResizeDialog} guest=${guest} onClose=${close} onDone=${onBegin} />`}
    ${dialog === "rebuild" && html`<${RebuildDialog} guest=${guest} onClose=${close} onDone=${onBegin} />`}
    ${dialog === "delete" && html`<${Confirm} title=${_("Delete %(name)s", { name: guest.name })} submit=${DELETE()} typed=${guest.name} onClose=${close} onConfirm=${destroy}>
      <p>${_("Lost: everything on its disk, and its addresses. Stays: SSH keys, everything else, the record in the activity. It cannot be undone.")}</p><//>`}</div>`;
}
