// SSH public keys for new servers.
import { patch, remove } from "../lib/api.js";
import { boot, may, teamsWhere } from "../lib/boot.js";
import { html, useState } from "../lib/html.js";
import { _ } from "../lib/i18n.js";
import { Ago, Copy, Icon } from "../ui/basic.js";
import { Confirm, FormDialog, openDialog } from "../ui/dialog.js";
import { TextField } from "../ui/fields.js";
import { NewKey } from "../ui/keys.js";
import { List } from "../ui/list.js";
import { Menu } from "../ui/menu.js";
import { PageHead, mount } from "../ui/page.js";
import { toast, toastProblem } from "../ui/toast.js";

function Rename({ row, onClose, onDone }) {
  const [name, setName] = useState(row.name);
  return html`<${FormDialog} title=${_("Rename key")} submit=${_("Save name")} onClose=${onClose} onSubmit=${async () => { onDone(await patch(`/ssh-keys/${row.id}`, { name })); onClose(); }}>${(problem) => html`
    <${TextField} label=${_("Name")} name="name" autofocus value=${name} error=${problem?.field("name")} onInput=${setName} />`}<//>`;
}

const menuOf = (row, list) => [
  { text: _("Rename key"), icon: "edit", onSelect: () => openDialog((close) => html`<${Rename} row=${row} onClose=${close} onDone=${list.replace} />`) },
  { text: _("Remove key"), icon: "trash", danger: true, onSelect: () => openDialog((close) => html`<${Confirm} title=${_("Remove %(name)s", { name: row.name })} submit=${_("Remove key")} onClose=${close}
    onConfirm=${async () => { close(); try { await remove(`/ssh-keys/${row.id}`); toast(_("Removed.")); list.reload(); } catch (problem) { toastProblem(problem); } }}>
    <p>${_("New servers no longer get it. Servers that were made with it still accept it.")}</p><//>`) },
];

const columns = [
  { key: "name", title: _("Key"), class: "cell-name", cell: (row) => html`<span class="two-lines"><b>${row.name}</b><small>${row.public_key.split(" ")[0]}</small></span>` },
  { key: "fingerprint", title: _("Fingerprint"), cell: (row) => html`<${Copy} value=${row.fingerprint} />` },
  boot.customers.length > 1 && { key: "customer", title: _("Team"), cell: (row) => boot.customers.find((one) => one.id === row.customer)?.name || "" },
  { key: "age", title: _("Added"), sort: "created_at", firstSort: "-created_at", cell: (row) => html`<${Ago} at=${row.created_at} />` },
  may("key.manage") && { key: "actions", title: _("Actions"), hideTitle: true, class: "cell-end cell-actions", cell: (row, list) => may("key.manage", row.customer) && html`<${Menu} label=${_("Change %(name)s", { name: row.name })} buttonClass="icon-button tight" button=${html`<${Icon} name="dots" />`} items=${menuOf(row, list)} />` },
].filter(Boolean);

function Keys() {
  const [making, setMaking] = useState(false);
  const [list, setList] = useState(null);
  const create = may("key.manage") && html`<button class="btn btn-primary" onClick=${() => setMaking(true)}><${Icon} name="plus" />${_("Add key")}</button>`;
  return html`<${PageHead} title=${_("Keys")} sub=${_("With a key you log in to new servers as root without a password.")}>${create}<//>
    <${List} endpoint="/ssh-keys" caption=${_("SSH keys")} columns=${columns} sort="-created_at" onRows=${setList} when=${(message) => message.type === "ssh-key" || message.type === "key"}
      empty=${{ text: _("No key yet. With one, new servers let you in as root without a password."), action: create }} />
    ${making && html`<${NewKey} teams=${teamsWhere("key.manage")} onClose=${() => setMaking(false)} onDone=${() => list?.reload()} />`}`;
}

mount(Keys);
