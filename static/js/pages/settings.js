// Settings: integrations (such as a billing system) and all tokens.
import { patch, post } from "../lib/api.js";
import { may } from "../lib/boot.js";
import { changesOf } from "../lib/edit.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Icon, State } from "../ui/basic.js";
import { Confirm, FormDialog, openDialog } from "../ui/dialog.js";
import { SelectField, TextField } from "../ui/fields.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { tabPanel, useTabs } from "../ui/tabs.js";
import { toast, toastProblem } from "../ui/toast.js";
import { NewToken, TokenList } from "../ui/tokens.js";

const ROLES = [["billing", _("Billing system: customers, subscriptions, their servers")], ["operator", _("Operator: reads everything")], ["admin", _("Administrator: may do everything")]];
const roleWord = (role) => ({ billing: _("Billing system"), operator: _("Operator"), admin: _("Administrator") })[role] || role;

function ClientForm({ client, onClose, onDone }) {
  const [form, setForm] = useState(client ? { name: client.name, role: client.role } : { name: "", role: "billing" });
  const save = async () => {
    const changes = client && changesOf(client, form);
    const made = client ? null : await post("/clients", form);
    if (changes && Object.keys(changes).length) await patch(`/clients/${client.id}`, changes);
    onClose();
    onDone(made);
  };
  return html`<${FormDialog} title=${client ? _("Edit integration") : _("Create integration")} submit=${client ? _("Save integration") : _("Create integration")} onSubmit=${save} onClose=${onClose}>${(problem) => html`
    <${TextField} label=${_("Name")} name="name" autofocus required placeholder="WHMCS" value=${form.name} error=${problem?.field("name")} onInput=${(name) => setForm({ ...form, name })} />
    <${SelectField} label=${_("Role")} name="role" value=${form.role} options=${ROLES} error=${problem?.field("role")} onChange=${(role) => setForm({ ...form, role })} />`}<//>`;
}

function menuOf(client, list, { edit, token }) {
  const active = async (is_active) => {
    try { list.replace(await patch(`/clients/${client.id}`, { is_active })); toast(is_active ? _("Switched on.") : _("Switched off.")); } catch (problem) { toastProblem(problem); }
  };
  const off = () => openDialog((close) => html`<${Confirm} title=${_("Switch off %(name)s", { name: client.name })} submit=${_("Switch off integration")} onClose=${close} onConfirm=${async () => { close(); await active(false); }}>
    <p>${_("Its tokens stop until it is switched on again.")}</p><//>`);
  return [
    { text: _("Create token"), icon: "key", onSelect: () => token(client) },
    { text: _("Edit integration"), icon: "edit", onSelect: () => edit(client) },
    null,
    client.is_active ? { text: _("Switch off"), icon: "ban", danger: true, onSelect: off } : { text: _("Switch on"), icon: "check", onSelect: () => active(true) },
  ];
}

const columns = (open) => [
  { key: "name", title: _("Integration"), class: "cell-name", cell: (client) => html`<b>${client.name}</b>` },
  { key: "state", title: _("State"), class: "cell-state", cell: (client) => html`<${State} status=${client.is_active ? "active" : "off"} word=${client.is_active ? undefined : _("Switched off")} />` },
  { key: "role", title: _("Role"), cell: (client) => html`<span class="badge">${roleWord(client.role)}</span>` },
  { key: "age", title: _("Since"), sort: "created_at", firstSort: "-created_at", cell: (client) => html`<${Ago} at=${client.created_at} />` },
  may("user.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (client, list) => html`<${Menu} label=${_("Change %(name)s", { name: client.name })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`} items=${menuOf(client, list, open)} />` },
].filter(Boolean);

function Integrations() {
  const [dialog, setDialog] = useState(null);
  const [list, setList] = useState(null);
  const create = may("user.manage") && html`<button class="btn btn-primary" onClick=${() => setDialog({ kind: "client" })}><${Icon} name="plus" />${_("Create integration")}</button>`;
  const open = { edit: (client) => setDialog({ kind: "client", client }), token: (client) => setDialog({ kind: "token", client }) };
  const close = () => setDialog(null);
  return html`<${List} endpoint="/clients" caption=${_("Integrations")} columns=${columns(open)} sort="-created_at" onRows=${setList} toolbarEnd=${create} when=${(message) => message.type === "client"}
      empty=${{ text: _("No integration yet. A billing system or a shop gets its own, with tokens of its own."), action: create }} />
    ${dialog?.kind === "client" && html`<${ClientForm} client=${dialog.client} onClose=${close} onDone=${(made) => { list?.reload(); if (made) open.token(made); }} />`}
    ${dialog?.kind === "token" && html`<${NewToken} client=${dialog.client} onClose=${close} />`}`;
}

function Settings() {
  const [tab, tabs] = useTabs([["integrations", _("Integrations")], ["tokens", _("All tokens")]], _("Settings"));
  return html`<${PageHead} title=${_("Settings")} sub=${html`${_("Programs that use the API.")} <a href="/api/v1/schema">${_("OpenAPI description")}</a>`} />${tabs}
    <div ...${tabPanel(tab)}>${tab === "integrations" ? html`<${Integrations} />` : html`<${TokenList} owner empty=${_("No token yet.")} />`}</div>`;
}

mount(Settings);
