// People who can sign in.
import { patch, post } from "../lib/api.js";
import { boot, may } from "../lib/boot.js";
import { patchChanges } from "../lib/edit.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Icon, State } from "../ui/basic.js";
import { Confirm, FormDialog, openDialog } from "../ui/dialog.js";
import { SelectField, TextField } from "../ui/fields.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { LinkDialog } from "../ui/secret.js";
import { toast, toastProblem } from "../ui/toast.js";

const STAFF_ROLES = [["", _("Not staff")], ["operator", _("Operator: reads everything")], ["admin", _("Administrator: may do everything")]];
const roleWord = (role) => ({ operator: _("Operator"), admin: _("Administrator") })[role] || "";

function UserForm({ user, onClose, onDone }) {
  const [form, setForm] = useState(user ? { name: user.name, staff_role: user.staff_role } : { email: "", name: "", staff_role: "" });
  const bind = (name) => ({ name, value: form[name], onInput: (value) => setForm({ ...form, [name]: value }) });
  const save = async () => {
    const answer = user ? await patchChanges(`/users/${user.id}`, user, form) : await post("/users", form);
    onClose();
    onDone();
    if (answer?.set_password_url) openDialog((close) => html`<${LinkDialog} url=${answer.set_password_url} email=${answer.email} onClose=${close} />`);
  };
  const words = user ? _("Save user") : _("Create user");
  return html`<${FormDialog} title=${user ? user.email : _("Create user")} submit=${words} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    ${!user && html`<${TextField} label=${_("E-mail")} type="email" autofocus required error=${problem?.field("email")} ...${bind("email")} />`}
    <${TextField} label=${_("Name")} optional=${_("optional")} error=${problem?.field("name")} ...${bind("name")} />
    <${SelectField} label=${_("Role in the hosting company")} name="staff_role" value=${form.staff_role} options=${STAFF_ROLES} error=${problem?.field("staff_role")}
      hint=${_("Customers’ people are added on the customer’s page.")} onChange=${(staff_role) => setForm({ ...form, staff_role })} />`}<//>`;
}

function menuOf(user, list, edit) {
  const guard = async (work, words) => { try { await work(); if (words) toast(words); list.reload(); } catch (problem) { toastProblem(problem); } };
  const link = () => guard(async () => {
    const answer = await post(`/users/${user.id}/actions/set-password-link`);
    openDialog((close) => html`<${LinkDialog} url=${answer.set_password_url} email=${user.email} onClose=${close} />`);
  });
  const active = (is_active) => guard(() => patch(`/users/${user.id}`, { is_active }, { etag: `"${user.version}"` }), is_active ? _("Switched on.") : _("Switched off."));
  const off = () => openDialog((close) => html`<${Confirm} title=${_("Switch off %(email)s", { email: user.email })} submit=${_("Switch off user")} onClose=${close}
    onConfirm=${async () => { close(); await active(false); }}><p>${_("Sign-in, open pages and tokens end at once. It can be undone.")}</p><//>`);
  return [
    { text: _("Edit user"), icon: "edit", onSelect: () => edit(user) },
    { text: _("Set-password link"), icon: "link", note: _("For a forgotten password; to hand over."), disabled: !user.is_active, reason: _("Switch the user on first."), onSelect: link },
    null,
    user.is_active ? { text: _("Switch off user"), icon: "ban", danger: true, disabled: user.id === boot.user_id, reason: _("This is you."), onSelect: off }
      : { text: _("Switch on user"), icon: "check", onSelect: () => active(true) },
  ];
}

const columns = (edit) => [
  { key: "email", title: _("Person"), sort: "email", class: "cell-name", cell: (user) => html`<span class="two-lines"><b>${user.name || user.email}</b><small>${user.name ? user.email : ""}</small></span>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (user) => (!user.is_active ? html`<${State} status="off" word=${_("Switched off")} />`
    : user.has_password ? html`<${State} status="active" />` : html`<${State} status="unknown" word=${_("No password yet")} />`) },
  { key: "role", title: _("Staff role"), cell: (user) => (user.staff_role ? html`<span class="badge badge-accent">${roleWord(user.staff_role)}</span>` : html`<span class="muted none">–</span>`) },
  { key: "customers", title: _("Customers"), label: true, cell: (user) => (user.customers.length ? user.customers.slice(0, 3).map((customer, index) => html`${index > 0 && ", "}<a href=${`/customers/${customer.id}`}>${customer.name}</a>`) : html`<span class="muted none">–</span>`) },
  { key: "login", title: _("Last sign-in"), class: "cell-minor", cell: (user) => html`<${Ago} at=${user.last_login_at} none=${_("never")} />` },
  may("user.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (user, list) => html`<${Menu} label=${_("Change %(email)s", { email: user.email })} buttonClass="icon-button tight"
    button=${html`<${Icon} name="dots" />`} items=${menuOf(user, list, edit)} />` },
].filter(Boolean);

function Users() {
  const [form, setForm] = useState(null);
  const [list, setList] = useState(null);
  const create = may("user.manage") && html`<button class="btn btn-primary" onClick=${() => setForm({})}><${Icon} name="plus" />${_("Create user")}</button>`;
  return html`<${PageHead} title=${_("Users")}>${create}<//>
    <${List} endpoint="/users" caption=${_("Users")} columns=${columns((user) => setForm({ user }))} search=${_("E-mail")} sort="-created_at" onRows=${setList}
      filters=${[{ param: "staff", label: _("Staff"), options: [["true", _("Only staff")], ["false", _("Only customers’ people")]] }]} when=${(message) => message.type === "user"} empty=${{ text: _("Nobody yet."), action: create }} />
    ${form && html`<${UserForm} user=${form.user} onClose=${() => setForm(null)} onDone=${() => list?.reload()} />`}`;
}

mount(Users);
