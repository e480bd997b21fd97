// A customer's members: roles, adding, set-password links to hand over.
import { patch, post, remove } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { useResource } from "../lib/data.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Card, Empty, Icon, Pending, ProblemNotice } from "./basic.js";
import { Confirm, FormDialog, openDialog } from "./dialog.js";
import { SelectField, TextField } from "./fields.js";
import { LinkDialog } from "./secret.js";
import { Menu } from "./menu.js";
import { toast, toastProblem } from "./toast.js";

export const ROLES = () => [["viewer", _("Viewer: sees everything")], ["member", _("Member: also runs servers and keys")], ["owner", _("Owner: also creates, deletes, and manages people")]];
const roleWord = (role) => ({ viewer: _("Viewer"), member: _("Member"), owner: _("Owner") })[role] || role;

function AddMember({ customer, onClose, onDone }) {
  const [form, setForm] = useState({ email: "", name: "", role: "member" });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  const save = async () => {
    const answer = await post(`/customers/${customer}/members`, form);
    onClose();
    onDone();
    if (answer.set_password_url) openDialog((close) => html`<${LinkDialog} url=${answer.set_password_url} email=${form.email} onClose=${close} />`);
    else toast(_("%(email)s is a member now.", { email: form.email }));
  };
  return html`<${FormDialog} title=${_("Add member")} submit=${_("Add member")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <${TextField} label=${_("E-mail")} type="email" autofocus required error=${problem?.field("email")} ...${bind("email")} />
    <${TextField} label=${_("Name")} optional=${_("optional")} error=${problem?.field("name")} ...${bind("name")} />
    <${SelectField} label=${_("Role")} name="role" value=${form.role} options=${ROLES()} error=${problem?.field("role")} onChange=${(role) => setForm({ ...form, role })} />`}<//>`;
}

export function Members({ customer }) {
  const resource = useResource(`/customers/${customer}/members`, { limit: 1000 }, { when: (message) => message.type === "customer" && message.id === customer });
  const [adding, setAdding] = useState(false);
  const manage = may("member.manage", customer);
  const rows = resource.data?.results || [];
  const guard = async (work, words) => { try { await work(); if (words) toast(words); resource.reload(); } catch (problem) { toastProblem(problem); } };
  const path = (row) => `/customers/${customer}/members/${row.user.id}`;
  const link = (row) => guard(async () => {
    const answer = await post(`${path(row)}/actions/set-password-link`);
    openDialog((close) => html`<${LinkDialog} url=${answer.set_password_url} email=${row.user.email} onClose=${close} />`);
  });
  const leave = (row) => openDialog((close) => html`<${Confirm} title=${_("Remove %(email)s", { email: row.user.email })} submit=${_("Remove member")} onClose=${close}
    onConfirm=${async () => { close(); await guard(() => remove(path(row)), _("Removed.")); }}><p>${_("Their access ends at once. Servers and keys stay.")}</p><//>`);
  const items = (row) => [
    ...["viewer", "member", "owner"].map((role) => ({ text: roleWord(role), checked: row.role === role, onSelect: () => guard(() => patch(path(row), { role }), _("Role changed.")) })),
    ...(row.user.has_password !== false ? [] : [null, { text: _("New set-password link"), icon: "link", onSelect: () => link(row) }]),
    null,
    { text: row.user.id === boot.user_id ? _("Leave") : _("Remove member"), icon: "trash", danger: true, onSelect: () => leave(row) },
  ];
  const add = manage && html`<button class="btn btn-primary btn-sm" onClick=${() => setAdding(true)}><${Icon} name="plus" />${_("Add member")}</button>`;
  return html`<${ProblemNotice} problem=${resource.problem} retry=${resource.reload} />
    <${Card} title=${_("Members")} id="members" action=${add} pad=${false}>
      ${rows.length ? html`<table class="list list-plain"><caption>${_("Members")}</caption><thead><tr><th scope="col">${_("Person")}</th><th scope="col">${_("Role")}</th><th scope="col">${_("Since")}</th><th scope="col"><span class="visually-hidden">${_("Actions")}</span></th></tr></thead>
        <tbody>${rows.map((row) => html`<tr key=${row.user.id}><td class="cell-name"><span class="two-lines"><b>${row.user.name || row.user.email}</b><small>${row.user.name ? row.user.email : ""}
          ${row.user.has_password === false && html` <span class="badge badge-warning">${_("no password yet")}</span>`}${row.user.is_active === false && html` <span class="badge">${_("switched off")}</span>`}</small></span></td>
          <td class="cell-state">${roleWord(row.role)}</td><td class="cell-minor"><${Ago} at=${row.created_at} /></td>
          <td class="cell-end cell-actions">${manage && html`<${Menu} label=${_("Change %(email)s", { email: row.user.email })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`} items=${items(row)} />`}</td></tr>`)}</tbody></table>`
        : resource.loading ? html`<div class="card-pad"><${Pending} lines=${3} /></div>` : !resource.problem && html`<${Empty} action=${add}>${_("Nobody can sign in for this customer yet.")}<//>`}
    <//>
    ${adding && html`<${AddMember} customer=${customer} onClose=${() => setAdding(false)} onDone=${resource.reload} />`}`;
}
